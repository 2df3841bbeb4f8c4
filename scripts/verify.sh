#!/usr/bin/env bash
# Holds a deployed server to its promises, from outside: scripts/verify.sh URL [VERSION]
#
# It has to be ready ten times in a row within PATIENCE_S (60), to be VERSION where one is given
# (v1.2.3; a digest or another name of an image says nothing of it), and to speak. VERIFY_API_KEY
# is sent where it is set.
set -euo pipefail
url=${1:?Usage: scripts/verify.sh URL [VERSION]}
version=${2-}
patience_s=${PATIENCE_S:-60}
url=${url%/}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# In a file: a list of processes shows arguments.
(umask 077 && printf 'header = "Authorization: Bearer %s"\n' "${VERIFY_API_KEY-}" >"$work/key")
[ -n "${VERIFY_API_KEY-}" ] || : >"$work/key"

row=0
give_up=$((SECONDS + patience_s))
until [ "$row" -eq 10 ]; do
    if curl --silent --fail --max-time 5 --output /dev/null "$url/health/ready"; then
        row=$((row + 1))
    else
        row=0
    fi
    if [ "$SECONDS" -ge "$give_up" ] && [ "$row" -lt 10 ]; then
        echo "$url was not ready ten times in a row within $patience_s s." >&2
        exit 1
    fi
    sleep 0.5
done
echo "$url is ready."

if [[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-(alpha|beta|rc)\.[0-9]+)?$ ]]; then
    # v1.2.3-rc.1 is Python's 1.2.3rc1.
    wanted=$(sed -E 's/^v//; s/-alpha\./a/; s/-beta\./b/; s/-rc\./rc/' <<<"$version")
    curl --silent --fail --max-time 5 --config "$work/key" "$url/health" >"$work/health"
    if ! grep -qE "\"version\": ?\"${wanted//./\\.}\"" "$work/health"; then
        echo "$url is not $wanted: $(cat "$work/health")" >&2
        exit 1
    fi
    echo "It is $wanted."
fi

curl --silent --show-error --fail --max-time 60 --config "$work/key" \
    --header 'Content-Type: application/json' --output "$work/sound.wav" \
    --data '{"input": "This server was deployed a moment ago.", "response_format": "wav"}' \
    "$url/v1/audio/speech"
bytes=$(stat --format %s "$work/sound.wav")
# A second at the lowest rate there is has 16,000.
if [ "$(head -c 4 "$work/sound.wav")" != RIFF ] || [ "$bytes" -lt 16000 ]; then
    echo "What $url says is no speech: $bytes bytes." >&2
    exit 1
fi
echo "It speaks ($bytes bytes)."
