"""What each cause is called, and what a person can do about it. Pure, and it claims nothing that nobody said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meeting_agents.alerting.text import sanitize
from meeting_agents.announcement import AnnouncementData
from meeting_agents.domain.model import IncidentType


@dataclass(frozen=True, slots=True)
class Wording:
    """What a cause is called, of one agent and of many."""

    one: str
    many: str


WORDINGS: Mapping[IncidentType, Wording] = {
    IncidentType.FAILED: Wording("failed", "failed"),
    IncidentType.REJECTED: Wording("could not be arranged", "could not be arranged"),
    IncidentType.NOT_CANCELLED: Wording("could not be cancelled", "could not be cancelled"),
    IncidentType.NEVER_ACTIVATED: Wording("never became active", "never became active"),
    IncidentType.NOT_FINISHED: Wording("went silent before its end", "went silent before their end"),
    IncidentType.RESOURCES_MISSING: Wording(
        "is done, but left less than expected", "are done, but left less than expected"
    ),
    IncidentType.NO_CONFERENCE: Wording("has no conference to join", "have no conference to join"),
    IncidentType.REAUTHORISATION: Wording("waits for its account to authorise", "wait for their accounts to authorise"),
    IncidentType.CONFLICTING: Wording("was reported complete and failed", "were reported complete and failed"),
    IncidentType.MISMATCHED: Wording("got news of another event", "got news of other events"),
    IncidentType.RECOVERED: Wording("is all right after all", "are all right after all"),
}

_DOORS: Mapping[str, str] = {
    "meet": "In Google Meet somebody has to admit it.",
    "teams": "In Microsoft Teams a locked meeting, or one where unverified participants must verify, keeps it out: open"
    " that first, for sending the request again does not help before.",
    "zoom": "In Zoom a meeting that Cronofy did not create needs its organiser's one-time consent by e-mail.",
}
"""What is known to keep agents out, by a word in the conference's provider or host. Advice, never the reason."""

_AGAIN = "Then send the same request again: that starts a new attempt."
_NOTES = "If time is short, ask somebody in the meeting to take notes."
_DASHBOARD = "Look in Cronofy's dashboard whether the meeting, or a part of it, was recorded."
_TOO_LATE = "The meeting is over, so a new attempt would not help: tell those who count on the notes."

_REFUSED = (
    "If Cronofy refused it, put right what it named. 401 or 403: a person must authorise the application again. 402:"
    " the Cronofy plan lacks the feature. 404: check the calendar and the data center. 422: correct the fields."
)
_UNWANTED = "do not admit the agent, or remove it, and tell those in the meeting that it may be recorded."
_NO_LINK = (
    "Add a conference link to the calendar event before the meeting begins, or have the organiser check the"
    " conferencing connection: without a link the agent has nothing to join."
)
_WRONG_ADDRESS = (
    "Find out who sends notifications to the wrong address: this one bears a valid signature. It was kept, and changed"
    " nothing."
)

_ADVICE: Mapping[IncidentType, tuple[str, ...]] = {
    IncidentType.REJECTED: (_REFUSED, _AGAIN),
    IncidentType.NOT_CANCELLED: (_REFUSED, "Then send the same cancellation again."),
    IncidentType.NOT_FINISHED: (
        _DASHBOARD,
        "Cronofy cannot be asked again for a lost callback; if it still comes, you get an all-clear.",
    ),
    IncidentType.RESOURCES_MISSING: (
        "Look in Cronofy's dashboard for the transcript and the recording; they may still be in the making.",
    ),
    IncidentType.NO_CONFERENCE: (_NO_LINK,),
    IncidentType.CONFLICTING: (
        "Check in Cronofy's dashboard whether what the agent left is whole. The record keeps all of it.",
    ),
    IncidentType.MISMATCHED: (_WRONG_ADDRESS,),
    IncidentType.RECOVERED: ("Nothing: the earlier alert is over.",),
}


def next_steps(told: AnnouncementData, at: datetime) -> tuple[str, ...]:
    """What a person can do at that time, first things first."""
    is_over = told.meeting.end is not None and told.meeting.end <= at
    match told.cause:
        case IncidentType.FAILED | IncidentType.NEVER_ACTIVATED if is_over:
            return _DASHBOARD, _TOO_LATE
        case IncidentType.FAILED:
            return f"Open the meeting and see whether something keeps the agent out. {_doors(told)}", _AGAIN, _NOTES
        case IncidentType.NEVER_ACTIVATED:
            look = "Open the meeting and look for the agent: if it is there, only a callback was lost."
            return f"{look} If it is not, see whether something keeps it out. {_doors(told)}", _AGAIN, _NOTES
        case IncidentType.REAUTHORISATION:
            account = f"account {sanitize(told.account)}" if told.account else "account"
            again = f"Have the owner of the {account} authorise the application again, and register the new token."
            return again, "Until then nothing can be asked of Cronofy in that name."
        case IncidentType.NOT_CANCELLED if told.meeting.start is None or told.meeting.start > at:
            return *_ADVICE[told.cause], f"If the meeting begins first, {_UNWANTED}"
        case IncidentType.NOT_CANCELLED:
            return f"Now that the meeting has begun, {_UNWANTED}", *_ADVICE[told.cause]
        case IncidentType():
            return _ADVICE[told.cause]
        case None:
            return ()


def _doors(told: AnnouncementData) -> str:
    """What may keep the agent out of this conference; of all kinds, where it is not known which one it is."""
    calendar_event = told.notification.get("event") if isinstance(told.notification, dict) else None
    conferencing = calendar_event.get("conferencing") if isinstance(calendar_event, dict) else None
    known = conferencing if isinstance(conferencing, dict) else {}
    words = f"{known.get('provider_name')} {known.get('join_url')}".lower()
    return " ".join([advice for word, advice in _DOORS.items() if word in words] or _DOORS.values())
