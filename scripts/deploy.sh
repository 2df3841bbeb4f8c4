#!/bin/sh
# Put a version on an environment's hosts without losing a request, or go back by itself.
#
#   scripts/deploy.sh production v1.0.0               deploy
#   scripts/deploy.sh production v1.0.0 --dry-run     print what that would do
#   scripts/deploy.sh production --rollback           the version before this one
#   scripts/deploy.sh production --status             what is where
#
# Environments are files in deploy/environments. In this order, it:
#   1. takes the lock of every host; ends what a killed deploy left
#   2. verifies the image's signature, pulls it, has the proxy run
#   3. on the canary, then on each other host: starts the new version beside the old one, waits
#      until it is ready, has it speak, switches the traffic, judges it by its figures
#   4. where all have passed: lets the old version's requests end, stops it, tidies up
#   5. where one has not: puts the traffic back, everywhere
# docs/deployment-guide.md says the rest, deploy/README.md the exit statuses.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)

fail() {
    echo "deploy.sh: $1" >&2
    exit 2
}

PYTHON=${PYTHON:-python3}
command -v "$PYTHON" >/dev/null || fail "it takes Python 3.8 or newer; PYTHON says where"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 8))' || fail "$PYTHON is older than 3.8"
command -v ssh >/dev/null || fail "it takes ssh"

# In place of this shell, so that signals reach it.
PYTHONPATH=$here/deploy PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -m deployer "$@"
