#!/usr/bin/env bash
# Installs the scanner into a virtual environment of its own, so that the job's Python stays as it is.
# In: PYTHON, VERSION (may be empty), GITHUB_ACTION_PATH, RUNNER_TEMP. Out: scanner, python.
#
# python -I everywhere: the current folder is the checkout under audit, and nothing may be imported from there.
set -euo pipefail

temp="${RUNNER_TEMP//\\//}"

if [[ -z "${VERSION}" ]]; then
  wanted="${GITHUB_ACTION_PATH//\\//}"
elif [[ "${VERSION}" =~ ^v?([0-9][0-9A-Za-z.!+-]*)$ ]]; then
  wanted="pyprod-audit==${BASH_REMATCH[1]}"
else
  echo "::error title=pyprod-audit::the input 'version' is not a version"
  exit 2
fi

venv="$(mktemp -d "${temp}/pyprod-audit-venv.XXXXXX")"
"${PYTHON}" -I -m venv "${venv}"
bin="${venv}/bin"
if [[ -d "${venv}/Scripts" ]]; then
  bin="${venv}/Scripts"
fi
"${bin}/python" -I -m pip install --quiet --no-input --disable-pip-version-check "${wanted}"
"${bin}/pyprod-audit" --version

{
  echo "scanner=${bin}/pyprod-audit"
  echo "python=${bin}/python"
} >>"${GITHUB_OUTPUT}"
