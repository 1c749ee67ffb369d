#!/bin/sh
# Installs the wheels beside this file into SITE and runs the check, without a network and within eight minutes; prints
# a table and writes gpu-check.json. A part of it: sh run.sh --only imports,smollm2     PYTHON: the one that has torch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3} site=${SITE:-$here/site}
"$python" -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "@PYTHON@")' || {
    echo "error: these wheels are for Python @PYTHON@: PYTHON=/path/to/python@PYTHON@ sh run.sh" >&2; exit 2; }
"$python" -c 'import sys, importlib.util as found; sys.exit(found.find_spec("torch") is None)' || {
    echo "error: $python has no torch: PYTHON=/path/to/python sh run.sh" >&2; exit 2; }
[ -e "$site/.complete" ] || "$python" -m pip --disable-pip-version-check install --quiet --no-index --no-deps \
    --no-compile --no-cache-dir --upgrade --target "$site" "$here"/wheels/*.whl
touch "$site/.complete"
export PYTHONPATH="$site:$here/project${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m socialr1_lite.gpu_check --minutes 8 "$@"
