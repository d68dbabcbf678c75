"""The signature of Cronofy's callbacks: https://docs.cronofy.com/developers/push-notifications/authentication/.

`Cronofy-HMAC-SHA256` lists one value for each active secret of the application, separated by commas. Each value is
`Base64(HMAC-SHA256(body, secret))` over the exact bytes of the body. One match, of any value with any stored secret, is
enough, so that a rotation of secrets interrupts nothing.
"""

import hmac
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from meeting_agents.errors import InvalidSignature, MissingSecret

HEADER = "cronofy-hmac-sha256"


@dataclass(frozen=True, slots=True)
class Secret:
    """A client secret of the application in one data center. `slot` is `current`, or `previous` during a rotation."""

    data_center: str
    slot: str
    value: str = field(repr=False)


def sign(body: bytes, secrets: Iterable[str]) -> str:
    """Make the header's value as Cronofy does for an application with these active secrets."""
    return ",".join(_digest(body, secret).decode() for secret in secrets)


def verify(header: str | None, body: bytes, secrets: Sequence[Secret]) -> tuple[Secret, ...]:
    """Return the secrets that signed these bytes: both during a rotation, so that callers see which one is in use.

    Raises `MissingSecret` if `secrets` is empty, and `InvalidSignature` if no value matches. Values are compared in
    their encoded form, so that only standard padded base64 can match.
    """
    if not secrets:
        raise MissingSecret("no client secret is stored, so no notification can be verified")
    if not header:
        raise InvalidSignature("missing", f"the header {HEADER} is missing")
    values = [value.strip(" \t").encode("utf-8", "replace") for value in header.split(",")]
    if not any(len(value) == _ENCODED_LENGTH for value in values):
        raise InvalidSignature("malformed", f"{HEADER} must list base64 values of SHA-256 digests, separated by commas")
    matching = []
    for secret in secrets:
        expected = _digest(body, secret.value)
        if sum(hmac.compare_digest(value, expected) for value in values):  # not any(): it would stop at a match
            matching.append(secret)
    if not matching:
        raise InvalidSignature("unknown", f"no value of {HEADER} was made with a secret of this application")
    return tuple(matching)


_ENCODED_LENGTH = 44
"""The number of characters of 32 bytes in padded base64."""


def _digest(body: bytes, secret: str) -> bytes:
    return b64encode(hmac.digest(secret.encode(), body, "sha256"))
