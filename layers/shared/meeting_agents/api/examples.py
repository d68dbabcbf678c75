"""The examples of the API's description, of a meeting that begins tomorrow. Pure.

Each is a request that a deployment answers with success; the calendar event has the shape of Cronofy's own example:
https://docs.cronofy.com/developers/api/meeting-agents/.
"""

from datetime import datetime, time, timedelta
from typing import Any

from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import IncidentType

CALENDAR, EVENT, SCHEDULING_KEY, ACCOUNT, SILENCE = (
    "cal_n23kjnwrw2_jsdfjksn234",
    "board-meeting-1",
    "board-meeting-2",
    "marty@example.com",
    "move-to-zoom",
)


def bodies(data_center: str, now: datetime) -> dict[str, Any]:
    """Return the body of a request by the name of its operation."""
    start = datetime.combine(now.date() + timedelta(days=1), time(15, 30))
    calls = [{"type": f"meeting_agent_{type_}"} for type_ in ("activated", "complete", "failed")]
    return {
        "upsert_calendar_event": {
            "event_id": EVENT,
            "summary": "Board meeting",
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{start + timedelta(minutes=90):%Y-%m-%dT%H:%M:%SZ}",
            "tzid": "Europe/Berlin",
            "conferencing": {"profile_id": "default"},
            "meeting_agent": {"profile_id": "cronofy"},
            "subscriptions": [{"type": "webhook", "uri": "https://example.com/notification", "interactions": calls}],
        },
        "delete_calendar_event": {"event_id": EVENT},
        "request_agent": {
            "join_url": "https://example.com/meetings/42",
            "on_behalf_of_attendee": {"email": "marty@example.com"},
            "scheduling_key": SCHEDULING_KEY,
            "join_time": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        },
        "cancel_agent": {"scheduling_key": SCHEDULING_KEY},
        "register_account": {"refresh_token": "the-refresh-token-of-Marty", "data_center": data_center},
        "put_silence": {"until": "PT2H", "why": "We move the sales team to Zoom", "label": ["team:sales"]},
        "acknowledge_agent": {"note": "I call the organiser"},
        "acknowledge_group": {"note": "I ask Marty to connect again"},
    }


def parameters(operation: str, data_center: str) -> dict[str, str]:
    """Return the value of a path's parameter, or of a header, by its name. Filters have none: a form would send all."""
    return {
        "calendar_id": CALENDAR,
        "agent_id": agent_id(data_center, CALENDAR, EVENT),
        "account_id": ACCOUNT,
        "group_type": str(IncidentType.ACCOUNT_DISCONNECTED),
        "name": ACCOUNT if operation == "acknowledge_group" else SILENCE,
        "category": "transcript",
        "key": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "Cronofy-Account": ACCOUNT,
        "X-Label-Team": "sales",
    }
