"""Who may use the server, and how often."""

import hmac
from typing import Any, Container, Dict, Mapping, Optional, Tuple

from auto_voice.errors import AdminKeyNeeded, InvalidAPIKey
from auto_voice.shared.client import SharedRedis
from auto_voice.web.rate_limit import RateLimit


class KeyRing:
    """The API keys that are accepted; without any, everybody is."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """``keys``: key to name."""
        self._keys = [(key.encode(), name) for key, name in keys.items()]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def name_of(self, authorization: str, x_api_key: str) -> str:
        """The name of the key in either header; empty where no keys are configured.

        Raises:
            InvalidAPIKey: there are keys, and this is none of them.
        """
        if not self._keys:
            return ""
        scheme, _, given = authorization.partition(" ")
        given = given.strip() if scheme.lower() == "bearer" else ""
        wanted = (given or x_api_key.strip()).encode("latin-1", "replace")
        found = ""
        for key, name in self._keys:
            # Every key is compared, in constant time: the time taken tells nothing.
            if hmac.compare_digest(key, wanted):
                found = name
        if not found:
            what = "is not valid" if wanted else "is missing"
            raise InvalidAPIKey(f"The API key {what}. Send it as 'Authorization: Bearer <key>'.")
        return found


def is_bearer(token: str, authorization: str) -> bool:
    """Whether an Authorization header carries this token; compared in constant time."""
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("latin-1", "replace"), token.encode()
    )


class Gate:
    """What a request has to pass before its endpoint sees it."""

    def __init__(
        self,
        keys: Mapping[str, str],
        rate_limit: str,
        public: Container[str],
        limited: Container[str],
        redis: Optional[SharedRedis] = None,
        admins: Optional[Mapping[str, str]] = None,
        administered: Container[Tuple[str, str]] = (),
    ) -> None:
        """
        Args:
            keys: API key to its name.
            rate_limit: as for `RateLimit`, or empty for none.
            public: routes that need no key.
            limited: routes whose POST requests count for the limit.
            redis: where the limit is counted; None: in memory.
            admins: administrator's key to its name; good for everything else, too.
            administered: methods and routes that only an administrator may use.
        """
        admins = admins or {}
        self._admins = KeyRing(admins)
        self._keys = KeyRing({**keys, **admins} if keys else {})
        self._administered = administered
        self._limit = RateLimit(rate_limit, redis) if rate_limit else None
        self._public = public
        self._limited = limited

    def admit(self, environ: Mapping[str, Any], facts: Dict[str, Any]) -> None:
        """Let a request for ``facts["route"]`` in; notes the key's name as ``facts["key"]``.

        Raises:
            InvalidAPIKey, AdminKeyNeeded, RateLimited
        """
        route = facts["route"]
        if self._keys and route not in self._public:
            facts["key"] = self._keys.name_of(
                environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
            )
        if (environ.get("REQUEST_METHOD", ""), route) in self._administered:
            facts["key"] = self._administrator(environ)
        limited = route in self._limited and environ.get("REQUEST_METHOD") == "POST"
        if self._limit is not None and limited:
            self._limit.check(facts.get("key") or environ.get("REMOTE_ADDR", ""))

    def _administrator(self, environ: Mapping[str, Any]) -> str:
        if not self._admins:
            raise AdminKeyNeeded(
                "This needs an administrator's key, and this server has none: AUTOVOICE_ADMIN_KEYS."
            )
        given = environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", "")
        try:
            return self._admins.name_of(*given)
        except InvalidAPIKey:
            if self._keys:  # `admit` has found it to be one of those
                raise AdminKeyNeeded("This needs an administrator's key.") from None
            raise

    def count(self, client: str) -> None:
        """Count something that is as much as a request, of a key's name or an address.

        Raises:
            RateLimited
        """
        if self._limit is not None:
            self._limit.check(client)
