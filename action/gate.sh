#!/usr/bin/env bash
# Ends the job as the scan ended, after the reports have been delivered. In: EXIT_CODE.
set -euo pipefail

case "${EXIT_CODE}" in
  0) echo "No finding at or above the severity that fails the job." ;;
  1) echo "::error title=pyprod-audit::findings at or above the severity that fails the job" ;;
  2) echo "::error title=pyprod-audit::the scan failed: usage, configuration or internal error, see the log of the scan" ;;
  3) echo "::error title=pyprod-audit::the scan is incomplete or found nothing to read, and --strict was asked for" ;;
  *) echo "::error title=pyprod-audit::the scan ended in an unexpected way" ;;
esac
exit "${EXIT_CODE}"
