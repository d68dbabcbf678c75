"""The controls of the stand-in Cronofy for an operator with curl: JSON under `/_control`.

Nothing here is Cronofy's. Credentials are shown, because they open only the stand-in.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from tests.sandbox.stand_in.courier import Notification
from tests.sandbox.stand_in.rules import JsonObject
from tests.sandbox.stand_in.wire import Answer, Request, as_bytes
from tests.sandbox.stand_in.world import STEPS, Behaviour, Key

if TYPE_CHECKING:
    from tests.sandbox.stand_in.server import StandIn

CONTROL = "/_control"

HELP = """\
GET    /_control/requests             requests received, oldest first; ?reveal=1 shows credentials
DELETE /_control/requests             forget them
GET    /_control/agents               every agent: sub, key, state and subscriptions
POST   /_control/agents/{key}/{step}  let a step happen and report it
POST   /_control/events/{key}/drag    {"start": "…", "end": "…"} lets a person move it in the calendar
POST   /_control/events/{key}/delete  lets a person delete it in the calendar
POST   /_control/agents/{key}/edit    lets its recordings be other ones, at the same addresses
POST   /_control/agents/{key}/expire  lets its resources be gone
POST   /_control/triggers             send the event triggers that are due
POST   /_control/notifications        deliver one that was made with {"deliver": false}
GET    /_control/faults               the faults still to come
POST   /_control/faults               {"method": "POST", "path_prefix": "/v1", "times": 1, "status": 503}
DELETE /_control/faults               clear them
GET    /_control/applications         client id and active secrets of each data center
POST   /_control/secrets/rotate       {"data_center": "us"} adds a second; "finish": true retires the older
POST   /_control/grants               {"data_center": "us", "calendars": ["cal_1"]} lets a user consent;
                                      "providers": ["zoom"] with conferencing profiles
POST   /_control/profiles/disconnect  {"profile_id": "pro_…"} lets the credentials of a conferencing profile expire
POST   /_control/profiles/connect     {"profile_id": "pro_…"} lets its user connect it again
POST   /_control/tokens/expire        {"access_token": "…"}
GET    /_control/behaviour            the choices where Cronofy is undocumented
POST   /_control/behaviour            {"merge_subscriptions": true} changes one

key    a sub, a scheduling_key, an event_id, or in full data_center/calendar_id/event_id
step   activate, complete, fail, assign_conferencing, fail_conferencing
       options: deliver, times, delay, secrets, body, extra, to
fault  status, body, headers, has_effect, delay, close ("unread" or "unanswered"), truncate, skip;
       of a recording also cut, drip and announce
"""


def steer(cronofy: StandIn, request: Request) -> Answer:
    """Run a control; 404 for an unknown name, 400 for a wrong value."""
    options = parsed if isinstance(parsed := request.json, dict) else {}
    try:
        answer = _do(cronofy, request, options)
    except LookupError as error:
        return Answer.of(404, {"error": str(error.args[0])})
    except (TypeError, ValueError) as error:
        return Answer.of(400, {"error": str(error)})
    return answer if isinstance(answer, Answer) else Answer.of(200, answer)


def _do(  # noqa: C901, PLR0912 (one case for each route)
    cronofy: StandIn, request: Request, options: JsonObject
) -> JsonObject | Answer:
    match request.method, request.parts[1:]:
        case "GET", () | ("",):
            return Answer(200, HELP.encode(), "text/plain; charset=utf-8")
        case "GET", ("requests",):
            reveal = request.query.get("reveal") == "1"
            return {"requests": [each.as_json(reveal=reveal) for each in cronofy.requests]}
        case "DELETE", ("requests",):
            cronofy.forget_requests()
            return {"requests": []}
        case "GET", ("agents",):
            return {"agents": _agents(cronofy)}
        case "POST", ("agents", *key, step) if step in STEPS and key:
            return cronofy.report(step, _key(key), **options).as_json()
        case "POST", ("agents", *key, "edit" | "expire" as how) if key:
            (cronofy.edit_recordings if how == "edit" else cronofy.expire_resources)(_key(key))
            return {}
        case "POST", ("events", *key, "drag") if key:
            cronofy.drag(_key(key), **options)
            return {}
        case "POST", ("events", *key, "delete") if key:
            cronofy.delete_in_calendar(_key(key))
            return {}
        case "POST", ("triggers",):
            return {"triggers": [notification.as_json() for notification in cronofy.fire_triggers()]}
        case "POST", ("notifications",):
            return _deliver(cronofy, **options).as_json()
        case "GET", ("faults",):
            return {"faults": _faults(cronofy)}
        case "POST", ("faults",):
            cronofy.faults.add(**options)
            return {"faults": _faults(cronofy)}
        case "DELETE", ("faults",):
            cronofy.faults.clear()
            return {"faults": []}
        case "GET", ("applications",):
            return {name: asdict(application) for name, application in cronofy.applications.items()}
        case "POST", ("secrets", "rotate"):
            return asdict(cronofy.rotate_secrets(**options))
        case "POST", ("grants",):
            return asdict(cronofy.grant(**options))
        case "POST", ("profiles", "disconnect" | "connect" as how):
            cronofy.connect_profile(**options, is_connected=how == "connect")
            return {}
        case "POST", ("tokens", "expire"):
            cronofy.expire(**options)
            return {}
        case "GET", ("behaviour",):
            return asdict(cronofy.behaviour)
        case "POST", ("behaviour",):
            _change(cronofy.behaviour, options)
            return asdict(cronofy.behaviour)
        case _:
            raise LookupError(f"no such control; GET {CONTROL} lists them")


def _key(parts: list[str]) -> Key:
    return parts[0] if len(parts) == 1 else tuple(parts)


def _agents(cronofy: StandIn) -> list[JsonObject]:
    return [
        agent.as_json()
        | {
            "key": "/".join(meeting.key),
            "cancelled": agent.cancelled,
            "subscriptions": meeting.subscriptions,
        }
        for meeting in cronofy.meetings
        for agent in meeting.agents
    ]


def _deliver(
    cronofy: StandIn, *, uris: list[str], body: str, signature: str, times: int = 1, deliveries: object = None
) -> Notification:
    """Accept a notification as it was returned; its earlier deliveries are ignored."""
    return cronofy.deliver(Notification(tuple(uris), body.encode(), signature), times=times)


def _faults(cronofy: StandIn) -> list[JsonObject]:
    shown = ({name: value for name, value in vars(fault).items() if name != "hold"} for fault in cronofy.faults)
    return [values | {"body": as_bytes(values["body"]).decode(errors="replace")} for values in shown]


def _change(behaviour: Behaviour, options: dict[str, Any]) -> None:
    unknown = options.keys() - {field.name for field in fields(Behaviour)}
    if unknown:
        raise LookupError(f"no such behaviour: {', '.join(sorted(unknown))}")
    for name, value in options.items():
        setattr(behaviour, name, value)
