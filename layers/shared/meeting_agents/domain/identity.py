"""An agent's id, made from its natural key. Pure."""

import base64
import json
from hashlib import sha256


def agent_id(*natural_key: str) -> str:
    """Make an agent's id from its natural key, so that the same request always means the same agent.

    The key is (data center, calendar id, calendar event id), or (data center, scheduling key).
    """
    digest = sha256(json.dumps(natural_key).encode()).digest()
    return "ma_" + base64.b32encode(digest).decode().lower()[:26]
