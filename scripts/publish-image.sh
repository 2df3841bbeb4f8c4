#!/usr/bin/env bash
# Pushes an image that was built, scanned and kept as an OCI layout, under every tag it gets:
#
#     scripts/publish-image.sh LAYOUT <<<"$TAGS"        one tag a line
#
# What is pushed is what was scanned: nothing is built again, and every tag has the layout's
# own digest, which is printed, and written to $GITHUB_OUTPUT as `digest`. Registries are logged
# into before, with `docker login`. INSECURE_REGISTRY=yes takes one without TLS.
set -euo pipefail

layout=${1:?Usage: scripts/publish-image.sh LAYOUT, with tags on standard input}
mapfile -t tags < <(grep -v '^$')
[ ${#tags[@]} -gt 0 ] || { echo 'No tag was given.' >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

options=(--all --preserve-digests)
[ -z "${INSECURE_REGISTRY-}" ] || options+=(--dest-tls-verify=false)

digest=
for tag in "${tags[@]}"; do
    echo "Pushing $tag"
    skopeo copy --quiet "${options[@]}" --digestfile "$work/digest" \
        "oci:$layout" "docker://$tag"
    found=$(cat "$work/digest")
    if [ -n "$digest" ] && [ "$found" != "$digest" ]; then
        echo "$tag has $found, and the tag before it $digest" >&2
        exit 1
    fi
    digest=$found
done
echo "$digest"
[ -z "${GITHUB_OUTPUT-}" ] || echo "digest=$digest" >>"$GITHUB_OUTPUT"
