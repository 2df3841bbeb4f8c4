#!/bin/sh
# Save what a host keeps (lexicons, voices, jobs: all of DATA_DIR) into a file here, or put it back.
#
#   scripts/backup.sh production voice1                        prints the file's name
#   scripts/backup.sh production voice1 --to backups/today.tar.gz
#   scripts/backup.sh production voice1 --restore backups/today.tar.gz
#
# The file is complete or not there, and so is what comes back: it is unpacked beside DATA_DIR,
# which then takes its place; what was there before stays beside it, as DATA_DIR.before. The
# server is stopped for that moment, while the proxy holds requests.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}
PYTHONPATH=$here/deploy PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -m deployer.backup "$@"
