#!/bin/sh
# Make the virtual environment $1 with the first Python on PATH that is new enough.
set -eu
target=$1

for name in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python; do
    if command -v "$name" >/dev/null 2>&1 &&
        "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python=$name
        break
    fi
done
if [ -z "${python:-}" ]; then
    echo "gridmap needs Python 3.11 or newer; none was found on PATH (or name one: make PYTHON=/path/to/python …)" >&2
    echo "需要 Python 3.11 或更高版本,本机未找到。" >&2
    exit 1
fi

# Debian splits ensurepip off into python3-venv; a pip that lives outside can fill the environment just as well.
if ! "$python" -m venv "$target" >/dev/null 2>&1; then
    rm -rf "$target"
    "$python" -m venv --without-pip "$target"
    if ! "$python" -m pip --python "$target/bin/python" install --quiet pip; then
        rm -rf "$target"
        echo "could not make an environment: install the package python3-venv, or pip 22.3 or newer" >&2
        exit 1
    fi
fi
