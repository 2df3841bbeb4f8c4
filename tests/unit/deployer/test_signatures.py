"""An image that nobody signed goes nowhere."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from deployer.errors import NotSigned
from deployer.signatures import verified, verify
from tests.unit.deployer.world import a_rollout, an_environment, worlds

IMAGE = "registry.example.org/autovoice:v2"
DIGEST = "sha256:" + "2" * 64
LINES = "SIGNATURE=cosign\nCOSIGN_KEY=cosign.pub\n"


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, stdin=subprocess.DEVNULL, capture_output=True)


def make_key(folder, name):
    openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", str(folder / name))
    openssl("ec", "-in", str(folder / name), "-pubout", "-out", str(folder / f"{name}.pub"))


def sign(folder, key, image=IMAGE, digest=DIGEST):
    """As cosign does: a statement about a digest, and a signature over it."""
    signed = folder / "signatures" / image.translate(str.maketrans("/:@", "___"))
    signed.mkdir(parents=True)
    critical = {"image": {"docker-manifest-digest": digest}}
    (signed / "payload").write_text(json.dumps({"critical": critical, "optional": None}))
    words = ["dgst", "-sha256", "-sign", str(folder / key), "-out", str(signed / "signature")]
    openssl(*words, str(signed / "payload"))
    return signed


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """An environment that asks for signatures, and a program that verifies them."""
    make_key(tmp_path, "cosign")
    shutil.copy(Path(__file__).parent / "cosign", tmp_path / "bin-cosign")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin-cosign").rename(tmp_path / "bin" / "cosign")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("SIGNATURES", str(tmp_path / "signatures"))
    return an_environment(LINES, tmp_path).settings


@pytest.mark.needs("openssl")
def test_what_is_signed_is_known_by_its_digest(settings, tmp_path):
    """What the signature is about is deployed, whatever the tag means a moment later."""
    sign(tmp_path, "cosign")
    assert verified(settings, IMAGE) == DIGEST


@pytest.mark.needs("openssl")
def test_what_nobody_signed_is_refused(settings):
    with pytest.raises(NotSigned, match="no signatures found"):
        verified(settings, IMAGE)


@pytest.mark.needs("openssl")
def test_what_another_key_signed_is_refused(settings, tmp_path):
    make_key(tmp_path, "other")
    sign(tmp_path, "other")
    with pytest.raises(NotSigned, match="no matching signatures"):
        verified(settings, IMAGE)


@pytest.mark.needs("openssl")
def test_a_statement_that_was_changed_is_refused(settings, tmp_path):
    payload = sign(tmp_path, "cosign") / "payload"
    payload.write_text(payload.read_text().replace("2222", "3333"))
    with pytest.raises(NotSigned):
        verified(settings, IMAGE)


def test_without_cosign_nothing_is_verified(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSigned, match="not installed"):
        verified(an_environment(LINES, tmp_path).settings, IMAGE)


@pytest.mark.parametrize("said", ["", "[]", "{}", "[{}]", "Verified OK", '[{"critical": null}]'])
def test_an_answer_that_says_nothing_verifies_nothing(tmp_path, monkeypatch, said):
    program = tmp_path / "cosign"
    program.write_text(f"#!/bin/sh\nprintf '%s' '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NotSigned):
        verified(an_environment(LINES, tmp_path).settings, IMAGE)


def test_more_words_for_cosign_come_before_the_image(tmp_path):
    lines = LINES + "COSIGN_OPTIONS=--insecure-ignore-tlog=true\n"
    words = verify(an_environment(lines, tmp_path).settings, IMAGE)
    assert words[-2:] == ("--insecure-ignore-tlog=true", IMAGE)


@pytest.mark.needs("openssl")
def test_a_deploy_stops_before_anything_is_pulled(settings, tmp_path):
    chosen = an_environment(LINES, tmp_path)
    found = worlds(chosen)
    rollout = a_rollout(chosen, found, tmp_path, "v2")
    with pytest.raises(NotSigned) as caught:
        rollout.deploy("v2", False)
    assert caught.value.status == 14
    for site in rollout.sites:
        assert [command for command in site.machine.log if command.changes] == []


def test_an_identity_does_instead_of_a_key(tmp_path):
    """As with images that a workflow signed."""
    options = "--certificate-identity=https://example.org/w --certificate-oidc-issuer=https://i"
    chosen = an_environment(f"SIGNATURE=cosign\nCOSIGN_OPTIONS={options}\n", tmp_path)
    assert "--key" not in verify(chosen.settings, IMAGE)
