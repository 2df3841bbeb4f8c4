#!/usr/bin/env bash
# What an image is told of itself, as build arguments, one a line: for `make image`, and for
# the workflow, which finds them in $GITHUB_OUTPUT as `arguments`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

arguments="VERSION=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' src/auto_voice/__init__.py)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
echo "$arguments"
[ -z "${GITHUB_OUTPUT-}" ] || printf 'arguments<<end\n%s\nend\n' "$arguments" >>"$GITHUB_OUTPUT"
