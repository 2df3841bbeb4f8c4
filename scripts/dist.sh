#!/usr/bin/env bash
# Builds wheel and sdist of the last commit: scripts/dist.sh DIST
# Builds them anew and compares:             scripts/dist.sh --compare DIST
#
# What is built depends on the commit alone. Its files are taken out of git, so that nothing
# that lies about gets in; the time in the archives is the commit's; the packages that build
# are those of requirements-build.lock, held to their hashes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=${UV:-.venv/bin/uv}
python=${PYTHON:-python3}
limit_bytes=2000000

compare=
if [ "${1-}" = --compare ]; then
    compare=yes
    shift
fi
dist=${1:?Usage: scripts/dist.sh [--compare] DIST}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# $1 the folder to build into, $2 where the source lies meanwhile
build() {
    mkdir -p "$1" "$2"
    git archive --format=tar HEAD | tar --extract --directory "$2"
    # The wheel is made of the sdist, so that somebody who has only that can make it, too.
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) "$uv" build --quiet --no-create-gitignore \
        --python "$python" --build-constraints requirements-build.lock --require-hashes \
        --out-dir "$1" "$2"
    (cd "$1" && sha256sum -- *.whl *.tar.gz >SHA256SUMS)
    # Data that slips in (a voice, a recording) shows here first.
    if [ -n "$(find "$1" -name '*.whl' -size "+$limit_bytes"c)" ]; then
        echo "The wheel has more than $limit_bytes bytes: $(du -b "$1"/*.whl)" >&2
        exit 1
    fi
}

if [ -z "$compare" ]; then
    rm -rf "$dist"
    build "$dist" "$work/source"
    cat "$dist/SHA256SUMS"
else
    # Another place, another time, other rights of new files, another time zone and language:
    # none of it may show.
    (umask 077 && TZ=Pacific/Auckland LC_ALL=C build "$work/again" "$work/somewhere/else")
    for file in "$work"/again/*.whl "$work"/again/*.tar.gz; do
        cmp "$file" "$dist/$(basename "$file")"
    done
    echo "Built twice, the same bytes:"
    cat "$work/again/SHA256SUMS"
fi
