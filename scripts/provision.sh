#!/bin/sh
# Make a bare Debian host with Docker ready for scripts/deploy.sh. It may be run again at any time:
# what is there stays, and what differs is set right.
#
#   scripts/provision.sh production            all of its hosts
#   scripts/provision.sh production --host voice1 --secrets secrets/production
#
# It logs in as the user who deploys. That user needs Docker, and, for folders that it may not
# make, sudo without a password. On each host it:
#   1. sees that Docker, flock and sh are there and what they have to be
#   2. makes the folders of STATE_DIR and DATA_DIR for that user
#   3. puts each file of --secrets (a folder here) into SECRETS_DIR, readable for the server only
#   4. fetches the proxy's image
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
PYTHON=${PYTHON:-python3}
PYTHONPATH=$here/deploy PYTHONDONTWRITEBYTECODE=1 exec "$PYTHON" -m deployer.provision "$@"
