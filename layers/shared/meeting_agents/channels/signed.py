"""Any HTTPS address, signed as Standard Webhooks has it: https://www.standardwebhooks.com. Pure.

The signature is over `webhook-id`, `webhook-timestamp` and the body, joined by dots. With several secrets there are
several signatures, so that a receiver accepts what is signed with the old or with the new one while they are replaced.
"""

import base64
import hashlib
import hmac

from meeting_agents.channels.channel import Channel, Kind, Parcel, Request

PREFIX = "whsec_"


def secret_bytes(secret: str) -> bytes:
    """Return the bytes of a secret: `whsec_` and base64. Raises `ValueError`."""
    if not secret.startswith(PREFIX):
        raise ValueError("it does not begin with whsec_")
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def sign(secret: str, message_id: str, at: int, body: bytes) -> str:
    """Return one signature."""
    signed = b".".join([message_id.encode(), str(at).encode(), body])
    return "v1," + base64.b64encode(hmac.digest(secret_bytes(secret), signed, hashlib.sha256)).decode()


def _build(channel: Channel, parcel: Parcel) -> Request:
    (change,) = parcel.changes
    request = Request.of(channel.address, change.to_json())
    at = int(parcel.at.timestamp())
    signatures = " ".join(sign(secret, change.id, at, request.body) for secret in channel.secrets)
    headers = {"webhook-id": change.id, "webhook-timestamp": str(at), "webhook-signature": signatures}
    return Request(request.address, request.body, {**request.headers, **headers})


KIND = Kind(_build, needs=frozenset({"url", "secrets"}))
