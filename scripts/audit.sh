#!/usr/bin/env bash
# Asks for known weaknesses of everything that is locked: pip-audit always, and safety, which
# needs an account, where SAFETY_API_KEY is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

safety=3.8.1

for lock in requirements.lock requirements-build.lock; do
    echo "== pip-audit $lock"
    # Strict: a package that nothing is known of because its index does not tell is an error,
    # not one that is known to be good.
    .venv/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
        --requirement "$lock"
done

if [ -n "${SAFETY_API_KEY-}" ]; then
    echo '== safety'
    # The key is read from the environment, where no list of processes shows it. It is no tool
    # of .venv: it brings half a hundred packages, which few developers have a key for.
    .venv/bin/uv tool run --quiet --from "safety==$safety" safety --stage cicd scan --target .
else
    echo '== safety: SAFETY_API_KEY is not set, so it is left out'
fi
