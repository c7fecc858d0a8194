#!/usr/bin/env bash
# Prints the first Python of at least 3.11 that can make a virtual environment; with --explain, says what to do without one.
set -u
for name in python3 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        command -v "$name"
        exit 0
    fi
done
if [ "${1:-}" = "--explain" ]; then
    echo "guardapp needs Python 3.11 or newer with venv, and none was found." >&2
    echo "Next: on Debian or Ubuntu run  apt-get install python3 python3-venv  (with sudo if you are not root)." >&2
    exit 2
fi
