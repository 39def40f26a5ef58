#!/usr/bin/env bash
# Writes constraints.txt anew from a clean install of `.[dev]`: the newest versions that pyproject.toml allows.
set -euo pipefail
cd "$(dirname "$0")/.."

clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
"${PYTHON:-python3}" -m venv "$clean/venv"
"$clean/venv/bin/python" -m pip install -qq --no-input --disable-pip-version-check -e '.[dev]'
{
    sed -n '/^#/p;/^[^#]/q' constraints.txt
    "$clean/venv/bin/python" -m pip freeze --exclude-editable --exclude millwright
} >"$clean/constraints.txt"
cp "$clean/constraints.txt" constraints.txt
