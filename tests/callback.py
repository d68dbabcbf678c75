"""The callback that Cronofy documents, to be changed by tests."""

from typing import Any


def example(**changes: Any) -> dict[str, Any]:
    """The documented callback with some members changed; None removes one."""
    body: dict[str, Any] = {
        "notification": {"type": "event_subscription", "interactions": [{"type": "meeting_agent_activated"}]},
        "event": {
            "event_id": "qTtZdczOccgaPncGJaCiLg",
            "summary": "Meeting agent enhanced",
            "start": "2026-04-25T15:30:00Z",
            "end": "2026-04-25T17:00:00Z",
            "tzid": "Europe/Berlin",
            "conferencing": {"provider_name": "zoom", "join_url": "https://zoom.us/00001111-222"},
            "meeting_agent": {"profile_id": "cronofy"},
        },
        "meeting_agent": {
            "sub": "agt_692702a100ccd07000000000",
            "state": "created",
            "resources": [
                {"category": "cronofy", "type": "dashboard", "url": "https://app.cronofy.com/meeting_agents/1"}
            ],
        },
    }
    return {name: value for name, value in (body | changes).items() if value is not None}
