#!/usr/bin/env bash
# Checks what must be on the machine before anything is built, and prints the Python 3.11 it found;
# `doctor.sh java` checks Java alone. Each thing that is missing gets one sentence and the way out.
set -euo pipefail

failed=0
fail() {
  printf '%s\n' "ontime: $*" >&2
  failed=1
}

is_311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }

find_python() {
  local candidate found
  for candidate in ${ONTIME_PYTHON:+"$ONTIME_PYTHON"} python3.11 python3 python; do
    if is_311 "$candidate"; then
      python=$(command -v "$candidate")
      if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        fail "$python cannot create virtual environments (it lacks venv or ensurepip)." \
          "Install them (Debian: apt-get install python3.11-venv)."
      fi
      return
    fi
  done
  found=$(python3 --version 2>/dev/null || echo "no python3")
  fail "Python 3.11 is needed and was not found ($found on PATH)." \
    "Install it (Debian: apt-get install python3.11-venv; macOS: brew install python@3.11)," \
    "or name one: make setup ONTIME_PYTHON=/path/to/python3.11"
}

check_java() {
  local java help version major
  java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  help="Install a full Java 17 (Debian: apt-get install openjdk-17-jdk-headless;"
  help="$help macOS: brew install openjdk@17) and point JAVA_HOME at it."
  if ! version=$("$java" -version 2>&1); then
    fail "Spark needs Java 17 or newer, and \"$java\" does not run. $help"
    return
  fi
  major=$(printf '%s\n' "$version" | sed -nE 's/.* version "(1\.)?([0-9]+).*/\2/p' | head -n 1)
  if [ "${major:-0}" -lt 17 ]; then
    fail "Spark needs Java 17 or newer, and \"$java\" is version ${major:-unknown}. $help"
  elif ! "$java" --list-modules | grep '^jdk.incubator.vector' >/dev/null; then
    fail "\"$java\" is a trimmed Java without jdk.incubator.vector, which Spark needs. $help"
  fi
}

python=
if [ "${1:-}" != java ]; then find_python; fi
check_java
if [ "$failed" -ne 0 ]; then exit 1; fi
if [ -n "$python" ]; then printf '%s\n' "$python"; fi
