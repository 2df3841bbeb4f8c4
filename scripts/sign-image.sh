#!/usr/bin/env bash
# Signs an image without a key, as the workflow that runs it, in each registry it was pushed to:
#
#     scripts/sign-image.sh sha256:… <<<"$TAGS"        one tag a line
#
# The digest is what is signed: a tag could have been moved meanwhile. Whoever checks it asks
# for that workflow at that tag: docs/releasing.md.
set -euo pipefail
digest=${1:?Usage: scripts/sign-image.sh DIGEST, with tags on standard input}
[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "$digest is no digest." >&2; exit 2; }

# Up to the last colon is the name.
sed -E '/^$/d; s/:[^:/]+$//' | sort -u | while read -r name; do
    echo "Signing $name@$digest"
    cosign sign --yes --recursive "$name@$digest"
done
