#!/usr/bin/env bash
# Installs Debian's (or Ubuntu's) packages that tests run and this machine lacks, as root or
# with sudo; and those named: scripts/parts.sh [PACKAGE...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=("$@")
if [ $# -eq 0 ]; then
    read -r -a missing <<<"$("${PYTHON:-python3}" tests/parts.py)"
fi
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing: ${missing[*]}"
root=(env DEBIAN_FRONTEND=noninteractive)
if [ "$(id -u)" -ne 0 ]; then
    # Without a password, or not at all: nobody sits before what runs this.
    sudo --non-interactive true 2>/dev/null || {
        echo "Install these Debian packages, or run this as root: ${missing[*]}" >&2
        exit 1
    }
    root=(sudo --non-interactive "${root[@]}")
fi
command -v apt-get >/dev/null || { echo "There is no apt-get for: ${missing[*]}" >&2; exit 1; }
"${root[@]}" apt-get update -qq
"${root[@]}" apt-get install -qq --yes --no-install-recommends "${missing[@]}" >/dev/null
