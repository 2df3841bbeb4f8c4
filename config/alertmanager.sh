#!/bin/sh
# Starts Alertmanager with alertmanager.yml and the receivers that the environment names,
# since Alertmanager reads no environment itself. Arguments go to Alertmanager; with
# --print the configuration goes to standard output instead, for amtool.
#
# It needs no more than the shell of Alertmanager's own image:
#   entrypoint: ["sh", "/etc/alertmanager/alertmanager.sh"]
#
# For alerts with the severity `page` (ALERT_TICKET_… likewise for tickets):
#   ALERT_PAGE_WEBHOOK   URL that gets Alertmanager's JSON by POST
#   ALERT_PAGE_SLACK     URL of a Slack incoming webhook
#   ALERT_PAGE_EMAIL     addresses, comma-separated
# For e-mail:
#   ALERT_SMTP_HOST      host:port
#   ALERT_SMTP_FROM      the sender's address
#   ALERT_SMTP_USER, ALERT_SMTP_PASSWORD   if the host wants them
#   ALERT_SMTP_TLS       `off` only for a host without STARTTLS
#
# ALERT_…_FILE names a file that holds the value instead: a container's secret.
set -eu

here=$(dirname "$0")

fail() {
    echo "alertmanager.sh: $*" >&2
    exit 2
}

# The value of a variable, or the first line of the file that NAME_FILE names.
value() {
    eval "found=\${$1:-} file=\${$1_FILE:-}"
    if [ -n "$file" ]; then
        [ -z "$found" ] || fail "$1 and $1_FILE are both set"
        [ -r "$file" ] || fail "$1_FILE: $file cannot be read"
        IFS= read -r found <"$file" || [ -n "$found" ] || fail "$1_FILE: $file is empty"
    fi
    case $found in
        *[[:cntrl:]]*) fail "$1 has a line break or another control character" ;;
    esac
    printf %s "$found"
}

# As a YAML string.
quoted() {
    printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"
}

# The receivers of one severity: $1 is PAGE or TICKET.
integrations() {
    webhook=$(value "ALERT_$1_WEBHOOK")
    slack=$(value "ALERT_$1_SLACK")
    email=$(value "ALERT_$1_EMAIL")
    if [ -z "$webhook$slack$email" ]; then
        echo "alertmanager.sh: nobody is told of alerts that are a $1" >&2
    fi
    if [ -n "$webhook" ]; then
        cat <<END
    webhook_configs:
      - url: $(quoted "$webhook")
END
    fi
    if [ -n "$slack" ]; then
        cat <<END
    slack_configs:
      - api_url: $(quoted "$slack")
        send_resolved: true
        title: '{{ if eq .Status "firing" }}{{ len .Alerts.Firing }} firing{{ else }}Resolved{{ end }}: {{ .GroupLabels.alertname }}'
        text: '{{ range .Alerts }}{{ .Annotations.summary }}: {{ .Annotations.description }} <{{ .Annotations.runbook_url }}|Runbook>{{ "\n" }}{{ end }}'
END
    fi
    if [ -n "$email" ]; then
        host=$(value ALERT_SMTP_HOST)
        from=$(value ALERT_SMTP_FROM)
        user=$(value ALERT_SMTP_USER)
        password=$(value ALERT_SMTP_PASSWORD)
        if [ -z "$host" ] || [ -z "$from" ]; then
            fail "ALERT_$1_EMAIL needs ALERT_SMTP_HOST and ALERT_SMTP_FROM"
        fi
        cat <<END
    email_configs:
      - to: $(quoted "$email")
        from: $(quoted "$from")
        smarthost: $(quoted "$host")
        send_resolved: true
END
        if [ -n "$user" ]; then
            # Not echo: some shells' own would read the backslashes of a password.
            printf '        auth_username: %s\n' "$(quoted "$user")"
            printf '        auth_password: %s\n' "$(quoted "$password")"
        fi
        if [ "${ALERT_SMTP_TLS:-on}" = off ]; then
            echo "        require_tls: false"
        fi
    fi
}

configuration() {
    while IFS= read -r line; do
        printf '%s\n' "$line"
        case $line in
            "  - name: page") integrations PAGE ;;
            "  - name: ticket") integrations TICKET ;;
        esac
    done <"$here/alertmanager.yml"
}

if [ "${1:-}" = --print ]; then
    configuration
    exit
fi

program=$(command -v alertmanager || command -v prometheus-alertmanager) ||
    fail "there is no alertmanager here"
umask 077 # the file holds what the environment holds
folder=$(mktemp -d)
configuration >"$folder/alertmanager.yml"
exec "$program" --config.file="$folder/alertmanager.yml" "$@"
