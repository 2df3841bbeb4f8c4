"""Whether an image is signed by who should have: cosign says."""

import json
import shlex
import subprocess  # nosec B404: cosign is a program
from typing import Any, List, Tuple

from deployer.environment import Settings
from deployer.errors import NotSigned

_COSIGN_S = 120


def verify(settings: Settings, image: str) -> Tuple[str, ...]:
    """The command that verifies an image."""
    words = ["cosign", "verify", "--output", "json"]
    words += ["--key", settings.cosign_key] if settings.cosign_key else []
    return (*words, *shlex.split(settings.cosign_options), image)


def verified(settings: Settings, image: str) -> str:
    """The digest of a signed image: what is deployed, whatever its tag may mean by then.

    Raises:
        NotSigned: no signature verifies, or there is no cosign to say so.
    """
    words = verify(settings, image)
    try:
        done = subprocess.run(  # nosec B603: words, no shell
            words, capture_output=True, encoding="utf-8", timeout=_COSIGN_S, check=False
        )
    except FileNotFoundError:
        raise NotSigned("cosign is not installed here, so nothing can be verified") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotSigned(f"cosign did not verify {image}: {error}") from None
    if done.returncode != 0:
        raise NotSigned(f"{image}: {done.stderr.strip() or 'cosign refuses it'}")
    digests = set(_digests(done.stdout))
    if len(digests) != 1:
        raise NotSigned(f"{image}: cosign told of {len(digests)} digests, not of one")
    return digests.pop()


def _digests(text: str) -> List[str]:
    try:
        found: Any = json.loads(text)
        return [each["critical"]["image"]["docker-manifest-digest"] for each in found]
    except (ValueError, KeyError, TypeError) as error:
        raise NotSigned(f"cosign's answer is not understood: {error!r}") from None
