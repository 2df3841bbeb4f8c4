"""/metrics for those who may read it: behind a token, or on a port of its own."""

import os
import signal
import subprocess

import pytest
import requests

from tests.integration.serving import AUTOVOICE, assert_error, environment, until

TOKEN = {"Authorization": "Bearer scrape-me"}


def test_metrics_can_have_a_token_of_their_own(start):
    """API keys do not open them, and the token opens nothing else."""
    server = start(engine="stub", api_keys="alice:sesame", metrics_token="scrape-me")
    assert_error(server.get("/metrics"), 401, "invalid_api_key")
    key = {"Authorization": "Bearer sesame"}
    assert server.get("/metrics", headers=key).status_code == 401
    assert "autovoice_build_info" in server.get("/metrics", headers=TOKEN).text
    assert server.speak("One.", headers=TOKEN).status_code == 401
    assert "scrape-me" not in server.output()


@pytest.mark.parametrize("token", ["", "scrape-me"])
def test_metrics_can_have_a_port_of_their_own(start, free_port, token):
    server = start(engine="stub", metrics_port=free_port, metrics_token=token)
    assert_error(server.get("/metrics"), 404, "not_found")
    base = f"http://127.0.0.1:{free_port}"
    assert server.speak("One.").status_code == 200
    headers = TOKEN if token else {}
    shown = requests.get(f"{base}/metrics", headers=headers, timeout=30)
    assert 'autovoice_synthesis_requests_total{engine="stub"' in shown.text
    newer = {**headers, "Accept": "application/openmetrics-text;version=1.0.0"}
    assert requests.get(f"{base}/metrics", headers=newer, timeout=30).text.endswith("# EOF\n")
    if token:
        assert requests.get(f"{base}/metrics", timeout=30).status_code == 401
    for path in ("/", "/v1/models", "/health"):
        assert requests.get(base + path, headers=headers, timeout=30).status_code == 404
    assert requests.post(f"{base}/metrics", headers=headers, timeout=30).status_code == 404


def test_a_server_process_that_is_replaced_listens_there_again(start, free_port):
    server = start(engine="stub", metrics_port=free_port)

    os.kill(server.serving_pid(), signal.SIGKILL)

    def answers():
        try:
            return requests.get(f"http://127.0.0.1:{free_port}/metrics", timeout=5).ok
        except requests.ConnectionError:
            return False

    until(answers, "metrics are there again")


def test_a_port_that_is_taken_is_a_wrong_setting(start):
    first = start(engine="stub")
    done = subprocess.run(
        [AUTOVOICE, "serve", "--port", "0"],
        env=environment({"engine": "stub", "metrics_port": first.port}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    assert done.returncode == 2
    assert b"AUTOVOICE_METRICS_PORT" in done.stdout
