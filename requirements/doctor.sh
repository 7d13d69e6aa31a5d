#!/usr/bin/env bash
# Checks what must be on the machine before anything is built, and prints the Python 3.11 it found.
# Each thing that is missing gets one sentence and the way out, on the error stream.
set -euo pipefail

failed=0
fail() {
  printf '%s\n' "ontime: $*" >&2
  failed=1
}

usable_python() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; }
python=
for candidate in ${ONTIME_PYTHON:+"$ONTIME_PYTHON"} python3.11 python3 python; do
  if usable_python "$candidate"; then
    python=$(command -v "$candidate")
    break
  fi
done
if [ -z "$python" ]; then
  found=$(python3 --version 2>/dev/null || echo "no python3")
  fail "Python 3.11 is needed and was not found ($found on PATH)." \
    "Install it (Debian: apt-get install python3.11-venv; macOS: brew install python@3.11)" \
    "or name it: make setup ONTIME_PYTHON=/path/to/python3.11"
elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  fail "$python cannot create virtual environments (no module venv or ensurepip)." \
    "Install it: apt-get install python3.11-venv"
fi

java_help="Install a full Java 17 (Debian: apt-get install openjdk-17-jdk-headless; macOS: brew install openjdk@17) and point JAVA_HOME at it."
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
if ! version=$("$java" -version 2>&1); then
  fail "Java 17 or newer is needed by Spark, and \"$java\" does not run. $java_help"
else
  major=$(printf '%s' "$version" | sed -nE 's/.* version "([0-9]+).*/\1/p' | head -n 1)
  if [ "${major:-0}" -lt 17 ]; then
    fail "Spark needs Java 17 or newer, and \"$java\" is Java ${major:-of an unknown version}. $java_help"
  elif ! "$java" --list-modules | grep '^jdk.incubator.vector' >/dev/null; then
    fail "\"$java\" is a trimmed Java without the module jdk.incubator.vector, which Spark needs. $java_help"
  fi
fi

if [ "$failed" -ne 0 ]; then exit 1; fi
printf '%s\n' "$python"
