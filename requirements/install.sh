#!/usr/bin/env bash
# Builds .venv from a lock: `install.sh run` or `install.sh dev`; `install.sh bench` builds .venv-bench,
# with the peers that Ontime is measured against, `bentoml` and `mlserver` one each with only that peer. Does nothing when it is up to date.
# The stamp is written last, so an interrupted build is recognised and started again.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted=$1
venv=.venv
case "$wanted" in bench | bentoml | mlserver) venv=.venv-$wanted ;; esac
stamp=$venv/.ontime-stamp

say() { printf '%s\n' "setup: $*"; }
digest() { cat requirements/bootstrap.txt "requirements/$1.txt" requirements/install.sh | cksum; }
# A virtual environment holds absolute paths: one that was moved or copied must be built again.
fingerprint() { printf '%s %s %s\n' "$1" "$(digest "$1" | tr ' ' '-')" "$PWD"; }
usable() { grep -qF -- " $PWD" "$stamp" 2>/dev/null && "$venv/bin/python" -c '' 2>/dev/null; }

# The command `ontime`. The project itself is not installed: names such as `features` would be on the
# path of every program of the environment. The first lines are valid shell and valid Python, as a path with
# spaces cannot stand behind #!.
install_command() {
  cat >"$venv/bin/ontime" <<EOF
#!/bin/sh
'''exec' "$PWD/$venv/bin/python" "\$0" "\$@"
' '''
import sys

sys.path.insert(0, """$PWD""")
from pipelines.cli import main

if __name__ == "__main__":
    main()
EOF
  chmod +x "$venv/bin/ontime"
}

# The bytecode of the project's packages, each file compiled again when it has changed. Where
# PYTHONDONTWRITEBYTECODE is set, each process would compile what it imports again. A file with an error in it
# is not the concern of the set-up.
compile_project() {
  local name packages=()
  for name in ontime_base features training serving operations pipelines benchmarks; do
    if [ -d "$name" ]; then packages+=("$name"); fi
  done
  if [ "${#packages[@]}" -gt 0 ]; then "$venv/bin/python" -m compileall -q -q "${packages[@]}" || true; fi
}

built=none
if usable; then built=$(cut -d' ' -f1 "$stamp"); fi
# dev is a superset of run: an environment built for development is never reduced.
if [ "$built" = dev ]; then wanted=dev; fi
if [ "$built" = "$wanted" ] && [ "$(cat "$stamp")" = "$(fingerprint "$wanted")" ]; then
  compile_project
  exec bash requirements/doctor.sh java
fi

python=$(bash requirements/doctor.sh)
started=$SECONDS
if [ "$built" = none ]; then
  if [ -e "$venv" ]; then say "the environment in $venv is unfinished, broken or moved: starting again"; fi
  rm -rf "$venv"
  say "creating $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi
rm -f "$stamp"

packages=$(grep -c '^[a-z0-9].*==' "requirements/$wanted.txt")
say "installing and compiling $packages packages of requirements/$wanted.txt (under a minute once they are cached)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
  --only-binary :all: --requirement requirements/bootstrap.txt
# Compiled once, here: where PYTHONDONTWRITEBYTECODE is set, each process would compile its libraries again.
VIRTUAL_ENV="$PWD/$venv" "$venv/bin/uv" pip sync --quiet --require-hashes --compile-bytecode \
  --build-constraints requirements/bootstrap.txt "requirements/$wanted.txt"
if [ "$venv" = .venv ]; then install_command; fi
compile_project
fingerprint "$wanted" >"$stamp"
say "ready in $((SECONDS - started)) s"
