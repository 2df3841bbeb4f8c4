#!/bin/sh
# Starts Grafana, and sees to it that the password "admin", which everybody knows, stays on
# the machine of whoever tries it out. Arguments go to Grafana.
#
#   GF_SECURITY_ADMIN_PASSWORD__FILE   Grafana's own: the file with the password
#   GRAFANA_PUBLISHED                  the address that the port is published on
#   GRAFANA_RUN                        what starts Grafana; as in its image, /run.sh
set -eu

IFS= read -r password <"$GF_SECURITY_ADMIN_PASSWORD__FILE" || [ -n "$password" ] || {
    echo "start.sh: $GF_SECURITY_ADMIN_PASSWORD__FILE is empty" >&2
    exit 2
}
if [ "$password" = admin ]; then
    case $GRAFANA_PUBLISHED in
        127.* | ::1 | '[::1]' | localhost)
            echo "start.sh: WARNING: Grafana's password is \"admin\", for development only;" \
                "GRAFANA_ADMIN_PASSWORD_FILE names a file with a better one" >&2
            ;;
        *)
            echo "start.sh: Grafana would be open to others on $GRAFANA_PUBLISHED with the password" \
                "\"admin\": name a file with another one in GRAFANA_ADMIN_PASSWORD_FILE" >&2
            exit 2
            ;;
    esac
fi
exec "${GRAFANA_RUN:-/run.sh}" "$@"
