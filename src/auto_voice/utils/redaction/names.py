"""Which names say that their value is a secret: ``api_key`` does, ``token_count`` does not."""

import re
from functools import lru_cache

NEEDLES = (
    *("pass", "pw", "secret", "cred", "auth", "token", "jwt", "bearer"),
    *("cookie", "sess", "sig", "otp", "srf", "key"),
)
"""Every name that holds a secret has one of these in it, in lower case."""

KEY_KINDS = (
    "access|account|admin|api|app|application|auth|client|consumer|deploy|encryption|hmac|jwt"
    "|master|private|secret|service|session|shared|signing|ssh|ssl|storage|subscription|tls"
)
"""A key of such a kind opens something; a cache's key or a sorting key does not."""

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[^A-Za-z0-9]+")

# Long words count wherever they are ("PGPASSWORD"), short ones only by themselves.
_SECRET = re.compile(
    r"passw(?:or)?d|passphrase|passcode|pwd(?![a-z])|(?<![a-z])(?:pass|pw)(?![a-z])"
    r"|secret(?!ar|i|e|ly)|credential|(?<![a-z])creds?(?![a-z])"
    r"|authori[sz]ation|(?<![a-z])auth(?![a-z])"
    r"|token(?!i|less)|jwt|bearer"
    r"|cookie|(?<![a-z])sessions?(?![a-z])|sess(?:ion)?_?(?:id|key)"
    r"|signature|(?<![a-z])(?:sig|t?otp|[cx]srf)(?![a-z])"
    rf"|(?:{KEY_KINDS})_?keys?(?![a-z])"
)
_PLURAL = re.compile(r"(?:token|session|cookie|secret|signature|key|password|credential)s(?![a-z])")

# What such a name ends with if it tells something *about* the secret.
_ABOUT = frozenset(
    "age alg algorithm at bucket budget count counter counts dir enabled endpoint error errors"
    " exception expired expires expiration expiry failed failure failures file folder invalid kind"
    " left len length limit limits max method min missing mode ms name names path present rate"
    " remaining required scheme second seconds size source state status total totals ttl type"
    " types uri url usage used user username valid version warning".split()
)

_FILES_AND_HOSTS = frozenset(
    "c cfg com conf crt dev go h html internal io js json local log md net org pem py pyc rs so"
    " toml txt yaml yml".split()
)
"""Endings of what is no name, as in "auth.py:12" and "auth.example.org:443"."""


@lru_cache(maxsize=4096)
def holds_secret(name: str, number: bool = False) -> bool:
    """Whether what bears this name must not be shown.

    Args:
        name: of a field, header, variable or parameter; in any case, with or
            without separators.
        number: whether the value is a number. ``tokens=12`` counts something;
            ``token=123456`` opens something.
    """
    if len(name) > 200:
        name = name[:100] + name[-100:]
    _, dot, ending = name.rpartition(".")
    if dot and ending in _FILES_AND_HOSTS:
        return False
    words = _BETWEEN.sub("_", _CAMEL.sub("_", name)).strip("_").lower()
    if _SECRET.search(words) is None or words.rpartition("_")[2] in _ABOUT:
        return False
    return not (number and _PLURAL.search(words))
