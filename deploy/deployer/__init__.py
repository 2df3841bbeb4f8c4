"""What `scripts/deploy.sh` runs: a version onto hosts, without a failed request, or back.

Only Python's standard library here, and on hosts only Docker, sh and HAProxy's socket.
`deploy/README.md` is the contract.
"""
