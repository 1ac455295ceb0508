#!/usr/bin/env bash
# Scans once, writes every report, and leaves the verdict to gate.sh.
# In: SCANNER and PYTHON from install.sh, the Action's inputs, HEAD_REPOSITORY (pull requests only).
# Out: exit-code, findings, critical, high, medium, low, sarif-file, json-file, upload.
#
# macOS has bash 3.2, where "${list[@]}" of an empty list is an error under set -u: hence ${list[@]+"${list[@]}"}.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && (pwd -W 2>/dev/null || pwd))"

usage() {
  echo "::error title=pyprod-audit::$1"
  exit 2
}

case "${ANNOTATIONS}" in true | false) ;; *) usage "the input 'annotations' is true or false" ;; esac
case "${SUMMARY}" in true | false) ;; *) usage "the input 'summary' is true or false" ;; esac
case "${UPLOAD}" in auto | true | false) ;; *) usage "the input 'upload-sarif' is auto, true or false" ;; esac

results="$(mktemp -d "${RUNNER_TEMP//\\//}/pyprod-audit.XXXXXX")"
json="${results}/report.json"
sarif="${results}/report.sarif"
if [[ -n "${SARIF_FILE}" ]]; then
  sarif="${SARIF_FILE//\\//}"
  case "${sarif}" in
    /* | [A-Za-z]:/*) ;;
    *) sarif="$(pwd -W 2>/dev/null || pwd)/${sarif}" ;;
  esac
  mkdir -p "$(dirname "${sarif}")"
  rm -f "${sarif}"
fi

arguments=()

add_each() { # the option $1 once for each word of $2
  local word words=()
  IFS=$', \t\n' read -r -d '' -a words <<<"$2" || true
  for word in ${words[@]+"${words[@]}"}; do
    arguments+=("$1=${word}")
  done
}

[[ -z "${CONFIG}" ]] || arguments+=("--config=${CONFIG}")
[[ -z "${FAIL_ON}" ]] || arguments+=("--fail-on=${FAIL_ON}")
[[ -z "${SEVERITY}" ]] || arguments+=("--severity=${SEVERITY}")
add_each --select "${SELECT}"
add_each --ignore "${IGNORE}"
arguments+=(-o "json=${json}" -o "sarif=${sarif}" -o "github=${results}/annotations.txt" -o "markdown=${results}/summary.md")

further=()
IFS=$' \t\n' read -r -d '' -a further <<<"${ARGS}" || true

# The report quotes the scanned files, and those may hold workflow commands.
token="$("${PYTHON}" -I -c 'import secrets, sys; sys.stdout.write(secrets.token_hex(20))')"
echo "::stop-commands::${token}"
code=0
"${SCANNER}" scan --format=text "${arguments[@]}" ${further[@]+"${further[@]}"} -- "${SCAN_PATH:-.}" || code=$?
echo
echo "::${token}::"

if [[ "${ANNOTATIONS}" == true && -f "${results}/annotations.txt" ]]; then
  cat "${results}/annotations.txt"
fi
if [[ "${SUMMARY}" == true && -f "${results}/summary.md" ]]; then
  cat "${results}/summary.md" >>"${GITHUB_STEP_SUMMARY}"
fi

upload="${UPLOAD}"
if [[ "${upload}" == auto ]]; then
  upload=true
  if [[ "${GITHUB_EVENT_NAME}" == pull_request* && "${HEAD_REPOSITORY}" != "${GITHUB_REPOSITORY}" ]]; then
    echo "The pull request comes from a fork, whose token cannot write: the SARIF log is not uploaded."
    upload=false
  elif [[ "${GITHUB_ACTOR}" == 'dependabot[bot]' ]]; then
    echo "Dependabot's token cannot write: the SARIF log is not uploaded."
    upload=false
  fi
fi
[[ -f "${sarif}" ]] || upload=false

"${PYTHON}" -I "${here}/outputs.py" "${code}" "${json}" "${sarif}" "${upload}"
