"""The conferencing profiles of an account, as Cronofy's UserInfo lists them. Pure.

https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/
"""

from typing import Any

from meeting_agents.domain.profiles import Profile

PATH = "/v1/userinfo"
MAX_PROFILES = 50
"""Profiles that are kept of one account; they are stored in its item."""
_MAX_LENGTH = 2000


def read_profiles(content: object) -> tuple[Profile, ...] | None:
    """Read the conferencing profiles of a response; None if it does not list them as documented.

    A profile counts as disconnected only if Cronofy says so.
    """
    data = content.get("cronofy.data") if isinstance(content, dict) else None
    listed = data.get("conferencing_profiles") if isinstance(data, dict) else None
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        return None
    return tuple(
        Profile(
            id=_text(one, "profile_id"),
            is_connected=one.get("profile_connected") is not False,
            relink_url=_text(one, "profile_relink_url"),
        )
        for one in listed[:MAX_PROFILES]
    )


def _text(values: dict[str, Any], name: str) -> str:
    """Return a text without lone surrogates, which DynamoDB does not take; too long a one is empty, as is no text."""
    value = values.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) and len(value) <= _MAX_LENGTH else ""
