#!/usr/bin/env bash
# Checks SARIF files with Microsoft's SARIF multitool: the published schema, the SARIF rules and GitHub's.
# Usage: tools/validate_sarif.sh [FILE…]   (default: tests/snapshots/report.sarif). Needs npm and the network.
# Errors fail; warnings and notes are shown. The package is installed into a temporary folder.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
[[ $# -gt 0 ]] || set -- "${root}/tests/snapshots/report.sarif"

case "$(uname -s)" in
  Linux) platform=linux ;;
  Darwin) platform=darwin ;;
  *) echo "not a platform that this script knows" >&2 && exit 2 ;;
esac

folder="$(mktemp -d)"
trap 'rm -rf "${folder}"' EXIT
# The platform's package is called directly: the wrapper passes arguments through a shell, which splits them at ";".
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "${folder}" "@microsoft/sarif-multitool-${platform}@5.7.0"
tool="${folder}/node_modules/@microsoft/sarif-multitool-${platform}"
chmod u+x "${tool}/Sarif.Multitool"

failed=0
for file in "$@"; do
  "${tool}/Sarif.Multitool" validate "${file}" \
    --json-schema "${tool}/sarif-2.1.0.json" --rule-kind 'Sarif;Gh' --level 'Error;Warning;Note' --kind Fail \
    --output "${folder}/result.sarif" --log ForceOverwrite | tee "${folder}/log"
  if grep -q ': error ' "${folder}/log"; then
    failed=1
  fi
done
exit "${failed}"
