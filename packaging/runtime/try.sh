#!/usr/bin/env bash
# graphstill-runtime in an environment of its own: built, installed with what it asks for and no more, tried on a folder.
#     packaging/runtime/try.sh STUDENT
set -euo pipefail
student=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
"${PYTHON:-python3}" -m venv "$place/venv"
"$place/venv/bin/pip" wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$place" "$here"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "$place"/graphstill_runtime-*.whl
cd "$place"
"$place/venv/bin/pip" list --disable-pip-version-check
for absent in torch typer rich pydantic scipy; do
    if "$place/venv/bin/python" -c "import $absent" 2>/dev/null; then
        echo "$absent came along" >&2
        exit 1
    fi
done
"$place/venv/bin/graphstill" verify "$student"
"$place/venv/bin/python" -m graphstill.runtime verify "$student" --json
