#!/bin/sh
# Starts gridmap. Settings come from the file .env beside this script (see .env.example).
set -eu
cd "$(dirname "$0")"
if [ ! -x .venv/bin/gridmap ]; then
    echo "尚未安装,请先运行 ./install.sh" >&2
    exit 1
fi
set -a
if [ -f .env ]; then . ./.env; fi
set +a
.venv/bin/python -m gridmap.setup.first_run
exec .venv/bin/gridmap serve "$@"
