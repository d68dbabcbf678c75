"""The words for each type of incident, and the next steps for a person. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meeting_agents.alerting.text import sanitize
from meeting_agents.announcement import AnnouncementData
from meeting_agents.domain.model import AlertStatus, IncidentType


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for an incident of one agent, of many, and when it is resolved; each follows `meeting agent`."""

    one: str
    many: str
    resolved: str = ""
    """Empty for a notice, which is never resolved."""


WORDINGS: Mapping[IncidentType, Wording] = {
    IncidentType.FAILED: Wording("failed", "failed", "recovered"),
    IncidentType.REJECTED: Wording("could not be arranged", "could not be arranged", "is arranged"),
    IncidentType.NOT_CANCELLED: Wording(
        "could not be cancelled", "could not be cancelled", "is cancelled or requested again"
    ),
    IncidentType.NEVER_ACTIVATED: Wording("never became active", "never became active", "recovered"),
    IncidentType.NOT_FINISHED: Wording(
        "went silent before its end", "went silent before their end", "reported its end"
    ),
    IncidentType.RESOURCES_MISSING: Wording(
        "is done, but left less than expected", "are done, but left less than expected", "left the missing resources"
    ),
    IncidentType.NO_CONFERENCE: Wording("has no conference to join", "have no conference to join", "has a conference"),
    IncidentType.REAUTHORISATION: Wording("waits for its account to authorise", "wait for their accounts to authorise"),
    IncidentType.CONFLICTING: Wording("was reported complete and failed", "were reported complete and failed"),
    IncidentType.MISMATCHED: Wording(
        "received a callback for a different event", "received callbacks for different events"
    ),
}

_OBSTACLES: Mapping[str, str] = {
    "meet": "In Google Meet, a participant has to admit it.",
    "teams": "In Microsoft Teams, a locked meeting or one that requires unverified participants to verify keeps it out:"
    " change that first; until then, a new request does not help.",
    "zoom": "In Zoom, a meeting that Cronofy did not create needs its organiser's one-time consent by e-mail.",
}
"""Known obstacles by a word in the conference's provider or address. Advice, never given as the reason."""

_AGAIN = "Then send the same request again: that starts a new attempt."
_NOTES = "If time is short, ask a participant to take notes."
_DASHBOARD = "Check in Cronofy's dashboard whether the meeting, or a part of it, was recorded."
_TOO_LATE = "The meeting is over, so a new attempt does not help: inform those who rely on the notes."

_REFUSED = (
    "If Cronofy refused it, correct what it named. 401 or 403: a person must authorise the application again. 402:"
    " the Cronofy plan lacks the feature. 404: check the calendar and the data center. 422: correct the fields."
)
_UNWANTED = "do not admit the agent, or remove it, and tell the participants that they may be recorded."
_NO_LINK = (
    "Add a conference link to the calendar event before the meeting begins, or ask the organiser to check the"
    " conferencing connection: without a link the agent has nothing to join."
)
_WRONG_ADDRESS = (
    "Find out which application sends notifications to this address: the signature is valid. The notification was kept"
    " and changed nothing."
)

_NEXT_STEPS: Mapping[IncidentType, tuple[str, ...]] = {
    IncidentType.REJECTED: (_REFUSED, _AGAIN),
    IncidentType.NOT_CANCELLED: (_REFUSED, "Then send the same cancellation again."),
    IncidentType.NOT_FINISHED: (
        _DASHBOARD,
        "A lost callback cannot be requested again; if it still arrives, a resolved alert follows.",
    ),
    IncidentType.RESOURCES_MISSING: (
        "Check Cronofy's dashboard for the transcript and the recording; they may still be in preparation.",
    ),
    IncidentType.NO_CONFERENCE: (_NO_LINK,),
    IncidentType.CONFLICTING: (
        "Check in Cronofy's dashboard whether the resources are complete. The record keeps all of them.",
    ),
    IncidentType.MISMATCHED: (_WRONG_ADDRESS,),
}


def next_steps(agent: AnnouncementData, at: datetime) -> tuple[str, ...]:
    """Return the next steps at that time, the most urgent first."""
    is_over = agent.meeting.end is not None and agent.meeting.end <= at
    if agent.alert is None or agent.alert.status is AlertStatus.RESOLVED:
        return ("Nothing to do: the earlier alert is resolved.",)
    match agent.alert.type:
        case IncidentType.FAILED | IncidentType.NEVER_ACTIVATED if is_over:
            return _DASHBOARD, _TOO_LATE
        case IncidentType.FAILED:
            return f"Open the meeting and check what keeps the agent out. {_obstacles(agent)}", _AGAIN, _NOTES
        case IncidentType.NEVER_ACTIVATED:
            look = "Open the meeting and look for the agent: if it is there, only a callback was lost."
            return f"{look} If it is not, check what keeps it out. {_obstacles(agent)}", _AGAIN, _NOTES
        case IncidentType.REAUTHORISATION:
            account = f"account {sanitize(agent.account)}" if agent.account else "account"
            again = f"Ask the owner of the {account} to authorise the application again, and register the new token."
            return again, "Until then no request of that account can be sent."
        case IncidentType.NOT_CANCELLED if agent.meeting.start is None or agent.meeting.start > at:
            return *_NEXT_STEPS[agent.alert.type], f"If the meeting begins first, {_UNWANTED}"
        case IncidentType.NOT_CANCELLED:
            return f"Now that the meeting has begun, {_UNWANTED}", *_NEXT_STEPS[agent.alert.type]
        case _:
            return _NEXT_STEPS[agent.alert.type]


def _obstacles(agent: AnnouncementData) -> str:
    """Return the obstacles of the conference's provider; those of all providers if it is unknown."""
    calendar_event = agent.notification.get("event") if isinstance(agent.notification, dict) else None
    conferencing = calendar_event.get("conferencing") if isinstance(calendar_event, dict) else None
    values = conferencing if isinstance(conferencing, dict) else {}
    words = f"{values.get('provider_name')} {values.get('join_url')}".lower()
    return " ".join([step for word, step in _OBSTACLES.items() if word in words] or _OBSTACLES.values())
