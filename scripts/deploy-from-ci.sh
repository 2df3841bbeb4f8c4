#!/usr/bin/env bash
# scripts/deploy.sh, with what a workflow has as variables and secrets instead of files:
#
#     scripts/deploy-from-ci.sh deploy|dry-run|rollback ENVIRONMENT [VERSION]
#
# DEPLOY_CONFIG        the environment's file (deploy/environments/example.env shows one)
# DEPLOY_KNOWN_HOSTS   the hosts' public keys; without them nothing is talked to
# DEPLOY_SSH_KEY       the private key, which goes to an agent and into no file
# DEPLOY_WEBHOOK_SECRET, DEPLOY_PROBE_KEY, DEPLOY_PROMETHEUS_TOKEN, DEPLOY_GRAFANA_TOKEN
#                      where set, become secrets/webhook_secret and so on, beside the file
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage='scripts/deploy-from-ci.sh deploy|dry-run|rollback ENVIRONMENT [VERSION]'
mode=${1:?$usage}
environment=${2:?$usage}
version=${3-}
[[ $environment =~ ^[a-z][a-z0-9-]*$ ]] || { echo "$environment is no environment." >&2; exit 2; }
# What is not given is an error here, and not whatever a default would be.
: "${DEPLOY_CONFIG:?}" "${DEPLOY_KNOWN_HOSTS:?}" "${DEPLOY_SSH_KEY:?}"

umask 077
work=$(mktemp -d)
end() {
    [ -z "${SSH_AGENT_PID-}" ] || ssh-agent -k >/dev/null
    rm -rf "$work"
}
trap end EXIT

# Written last, SSH_KNOWN_HOSTS wins: the workflow's own pins, and no others.
mkdir "$work/secrets"
grep -vE '^SSH_(KNOWN_HOSTS|KEY)=' <<<"$DEPLOY_CONFIG" >"$work/$environment.env"
echo 'SSH_KNOWN_HOSTS=known_hosts' >>"$work/$environment.env"
printf '%s\n' "$DEPLOY_KNOWN_HOSTS" >"$work/known_hosts"
for name in webhook_secret probe_key prometheus_token grafana_token; do
    variable=DEPLOY_${name^^}
    [ -z "${!variable-}" ] || printf '%s\n' "${!variable}" >"$work/secrets/$name"
done

eval "$(ssh-agent -s)" >/dev/null
ssh-add -q - <<<"$DEPLOY_SSH_KEY"
unset DEPLOY_SSH_KEY DEPLOY_WEBHOOK_SECRET DEPLOY_PROBE_KEY DEPLOY_PROMETHEUS_TOKEN \
    DEPLOY_GRAFANA_TOKEN

case $mode in
deploy) scripts/deploy.sh "$environment" "${version:?$usage}" --environments "$work" ;;
dry-run) scripts/deploy.sh "$environment" "${version:?$usage}" --dry-run --environments "$work" ;;
rollback) scripts/deploy.sh "$environment" --rollback --environments "$work" ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
