#!/usr/bin/env bash
# Makes the release on GitHub, of what is in dist/: scripts/github-release.sh v1.2.3 NOTES
set -euo pipefail
tag=${1:?Usage: scripts/github-release.sh TAG NOTES}
notes=${2:?Usage: scripts/github-release.sh TAG NOTES}

options=(--verify-tag --title "$tag" --notes-file "$notes")
case $tag in
*-*) options+=(--prerelease --latest=false) ;;
esac
gh release create "$tag" "${options[@]}" dist/*
