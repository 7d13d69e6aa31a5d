#!/usr/bin/env bash
# audit.sh: known vulnerabilities of the exact versions that are locked, as pip-audit finds them.
#
# pip-audit is not part of the lock: it runs in an environment of its own, which uv makes, and asks
# the vulnerability data of the package index. Exit 0: none known. 1: some, listed. 2: it could not
# ask, for all packages or for some, and of those nothing is known either way.
set -uo pipefail
cd "$(dirname "$0")/.."
lock=${1:-requirements/run.txt}

report=$(mktemp)
trap 'rm -f "$report"' EXIT
.venv/bin/uv tool run --quiet "pip-audit==2.10.1" --requirement "$lock" --disable-pip \
  --progress-spinner off --timeout 15 >"$report" 2>&1
status=$?
unknown=$(grep -c 'could not be audited' "$report")
grep -v 'could not be audited' "$report"
if [ "$status" -eq 0 ] && [ "$unknown" -gt 0 ]; then
  echo "audit: the package index has no vulnerability data about $unknown packages of $lock, such as" \
    "$(grep -m1 'could not be audited' "$report" | cut -d' ' -f1), so nothing is known about them:" \
    "ask an index that has it (a mirror may not: set PIP_INDEX_URL and UV_DEFAULT_INDEX)" >&2
  exit 2
elif [ "$status" -eq 0 ]; then
  echo "audit: no known vulnerability in $lock"
elif grep -q '^Name .*Version .*ID' "$report"; then
  echo "audit: known vulnerabilities in $lock, above: raise the versions with \`make lock UPGRADE=1\`" >&2
  exit 1
else
  echo "audit: the vulnerability data could not be asked (above is why), so nothing is known about" \
    "$lock: try again where the package index answers" >&2
  exit 2
fi
