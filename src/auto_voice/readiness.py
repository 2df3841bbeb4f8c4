"""``autovoice doctor --ready``: asks the running server whether it is ready.

Apart from `doctor`, since an image's health check runs it every few seconds: it
imports nothing of the server.
"""

import http.client
import json
from typing import List

from auto_voice.settings import Settings

_WAIT_S = 4.0
"""Longer than the server's own probe of its engine, shorter than the image's health check."""


def unready(settings: Settings) -> List[str]:
    """Why the server that runs with these settings is not ready; empty if it is."""
    host = _reachable(settings.host)
    where = f"{host} port {settings.port}"
    connection = http.client.HTTPConnection(host, settings.port, timeout=_WAIT_S)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = json.loads(answer.read())
        return [] if said["ready"] is True else [str(reason) for reason in said["reasons"]]
    except (ValueError, TypeError, KeyError):
        return [f"what answers on {where} is not AutoVoice"]
    except (OSError, http.client.HTTPException) as error:
        return [f"nothing answers on {where}: {error or type(error).__name__}"]
    finally:
        connection.close()


def _reachable(host: str) -> str:
    """An address at which this machine reaches a server that listens on ``host``."""
    bare = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bare, bare)  # nosec B104: nothing listens here
