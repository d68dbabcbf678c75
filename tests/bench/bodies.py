"""Bodies of the size and the variety that real ones have: a request of 2.5 KB, a notification of 2.7 KB."""

import json
import random
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from tests.runtime.stories import notification
from tests.sandbox.deployment import ROOT

REQUEST_BYTES, NOTIFICATION_BYTES = 2_500, 2_700
_ENGLISH = " ".join((ROOT / "OPERATIONS.md").read_text(encoding="utf-8").split())
"""English as people write it, which compresses as little as theirs."""
_NAMES = [
    "Anna Weber",
    "Bruno Costa",
    "Chloé Martin",
    "Dmitri Ivanov",
    "Elif Yilmaz",
    "Femi Adeyemi",
    "Grace Kim",
    "Hiro Tanaka",
]


def real_request(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return a calendar event with invited people and a text, as long as a real request."""
    chance = random.Random(str(event["event_id"]))
    invited = [{"email": _email(name, chance), "display_name": name} for name in chance.sample(_NAMES, 6)]
    wordless = {
        **event,
        "attendees": {"invite": invited},
        "location": {"description": "Room 4.12, Torstraße 1, Berlin"},
    }
    return wordless | {"description": _text(chance, REQUEST_BYTES - _size(wordless | {"description": ""}))}


def real_notification(event_id: str, interaction: str, **changes: Any) -> str:
    """Return a signed body's text with the event as Cronofy shows it, as long as a real notification."""
    chance = random.Random(f"{event_id} {interaction} {changes}")
    body = json.loads(notification(event_id, interaction, **changes))
    attendees = [
        {"email": _email(name, chance), "display_name": name, "status": chance.choice(("accepted", "needs_action"))}
        for name in chance.sample(_NAMES, 6)
    ]
    body["event"] |= {
        "start": "2091-04-25T15:30:00Z",
        "end": "2091-04-25T17:00:00Z",
        "tzid": "Europe/Berlin",
        "attendees": attendees,
        "organizer": {"email": _email("Anna Weber", chance), "display_name": "Anna Weber"},
        "conferencing": {
            "provider_name": "zoom",
            "join_url": f"https://us02web.zoom.us/j/{chance.randrange(10**10, 10**11)}?pwd={_token(chance)}",
        },
        "meeting_agent": {"profile_id": "cronofy"},
        "transparency": "opaque",
        "options": {"delete": True, "update": True, "change_participation_status": True},
    }
    for resource in (body.get("meeting_agent") or {}).get("resources", ())[:1]:  # others are at the stand-in Cronofy
        resource["url"] = f"https://app.cronofy.com/meeting_agents/{_token(chance)}/{resource['category']}"
    body["event"]["description"] = ""
    body["event"]["description"] = _text(chance, NOTIFICATION_BYTES - _size(body))
    return json.dumps(body)


def _size(body: Any) -> int:
    return len(json.dumps(body))


def _text(chance: random.Random, length: int) -> str:
    begin = chance.randrange(len(_ENGLISH) - length)
    return _ENGLISH[begin : begin + length]


def _email(name: str, chance: random.Random) -> str:
    return f"{name.lower().replace(' ', '.').replace('é', 'e')}@{chance.choice(('example', 'partner'))}.com"


def _token(chance: random.Random) -> str:
    return sha256(chance.randbytes(8)).hexdigest()[:32]
