#!/usr/bin/env bash
# Takes one platform out of an image for several: scripts/one-platform.sh LAYOUT ARCHITECTURE TO
# LAYOUT and TO are folders in the layout of the Open Container Initiative.
set -euo pipefail
layout=${1:?Usage: scripts/one-platform.sh LAYOUT ARCHITECTURE TO}
architecture=${2:?Usage: scripts/one-platform.sh LAYOUT ARCHITECTURE TO}
target=${3:?Usage: scripts/one-platform.sh LAYOUT ARCHITECTURE TO}

skopeo --override-os linux --override-arch "$architecture" copy --quiet "oci:$layout" "oci:$target"
found=$(skopeo inspect --config "oci:$target" | python3 -c \
    'import json, sys; print(json.load(sys.stdin)["architecture"])')
[ "$found" = "$architecture" ] || { echo "It is for $found, not $architecture." >&2; exit 1; }
