#!/usr/bin/env bash
# Builds .venv from a lock: `install.sh run` or `install.sh dev`. Nothing is done when it is up to date.
# The stamp is written last, so an interrupted build is recognised and started again.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=$1
stamp=.venv/.ontime-stamp

say() { printf '%s\n' "setup: $*"; }
digest() { cat requirements/bootstrap.txt "requirements/$1.txt" "requirements/install.sh" | cksum; }
# A virtual environment holds absolute paths: one that was moved or copied is not current.
fingerprint() { printf '%s %s %s\n' "$1" "$(digest "$1" | tr ' ' '-')" "$PWD"; }

built=none
if [ -f "$stamp" ]; then built=$(cut -d' ' -f1 "$stamp"); fi
# dev is a superset of run: an environment built for development is never reduced.
if [ "$wanted" = run ] && [ "$built" = dev ]; then wanted=dev; fi
if [ "$built" = "$wanted" ] && [ "$(cat "$stamp")" = "$(fingerprint "$wanted")" ] \
  && .venv/bin/python -c '' 2>/dev/null; then
  exit 0
fi

python=$(bash requirements/doctor.sh)
started=$SECONDS
moved_or_broken() { ! grep -qF -- " $PWD" "$stamp" || ! .venv/bin/python -c '' 2>/dev/null; }
if [ "$built" = none ] || moved_or_broken; then
  if [ -e .venv ]; then say "the environment in .venv is unfinished or was moved; building it again"; fi
  rm -rf .venv
  say "creating .venv with $("$python" --version)"
  "$python" -m venv .venv
fi
rm -f "$stamp"

# A mirror that is configured for pip serves uv as well; every file is checked against its hash anyway.
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"; fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
  --only-binary :all: -r requirements/bootstrap.txt
say "installing $(grep -c '^[a-z0-9].*==' "requirements/$wanted.txt") packages of requirements/$wanted.txt (a minute or two the first time)"
VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip sync --quiet --require-hashes \
  --build-constraints requirements/bootstrap.txt "requirements/$wanted.txt"
fingerprint "$wanted" >"$stamp"
say "ready in $((SECONDS - started)) s"
