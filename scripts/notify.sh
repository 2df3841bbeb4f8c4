#!/usr/bin/env bash
# Tells NOTIFY_WEBHOOK_URL how a workflow went: scripts/notify.sh SUBJECT RESULT [URL]
# Slack, Mattermost, Teams and others show the `text`. Whatever they answer, the workflow's
# own result stays; without a URL nobody is told.
set -euo pipefail
subject=${1:?Usage: scripts/notify.sh SUBJECT RESULT [URL]}
result=${2:?Usage: scripts/notify.sh SUBJECT RESULT [URL]}
link=${3-}

echo "$subject: $result"
[ -n "${NOTIFY_WEBHOOK_URL-}" ] || exit 0

body=$(python3 -c '
import json, sys
subject, result, link = sys.argv[1:]
print(json.dumps({"text": f"{subject}: {result} {link}".strip(), "subject": subject,
                  "result": result, "url": link}))' "$subject" "$result" "$link")
# The URL is a secret: on standard input, so that no list of processes shows it.
printf 'url = "%s"\n' "$NOTIFY_WEBHOOK_URL" | curl --config - --silent --show-error --fail \
    --max-time 10 --output /dev/null --header 'Content-Type: application/json' --data "$body" ||
    echo 'Nobody could be told.' >&2
