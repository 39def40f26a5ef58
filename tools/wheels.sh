#!/usr/bin/env bash
# Gathers in a folder what an install needs, for places that reach no package index: a plant's nodes, or the image's
# build (the Dockerfile installs from build/wheels alone when it is there).
#
#   tools/wheels.sh [FOLDER [PYTHON_VERSION]]     build/wheels, and .venv's Python, where not given
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${1:-build/wheels}
python_version=${2:-$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')}

# Built from a copy: what an earlier build left in the tree would get into the wheel.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
sed -n 's/^!//p' .dockerignore | grep -v ^build/ | xargs cp -r --target-directory "$copy"

rm -rf "$folder"
.venv/bin/python -m pip wheel -qq --no-input --disable-pip-version-check --no-deps --wheel-dir "$folder" "$copy"
.venv/bin/python -m pip download -qq --no-input --disable-pip-version-check --dest "$folder" \
    --python-version "$python_version" --only-binary :all: -c constraints.txt \
    "$(echo "$folder"/millwright-*.whl)[agent,controller,ops]" 'setuptools>=77'
printf '%s files for Python %s in %s\n' "$(find "$folder" -name '*.whl' | wc -l)" "$python_version" "$folder"
