"""The words for each type of incident, and the next steps for a person. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.text import sanitize
from meeting_agents.domain.model import IncidentType, State


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for an incident of one agent, of many, and when it is resolved; each follows `meeting agent`."""

    one: str
    many: str
    resolved: str = ""
    """Empty for a notice, which is never resolved."""


WORDINGS: Mapping[IncidentType, Wording] = {
    IncidentType.UNWANTED: Wording(
        "may join although it was cancelled", "may join although they were cancelled", "is settled"
    ),
    IncidentType.NOT_ARRANGED: Wording("is still not arranged", "are still not arranged", "is arranged"),
    IncidentType.REJECTED: Wording("was refused", "were refused", "is arranged"),
    IncidentType.FAILED: Wording("failed", "failed", "recovered"),
    IncidentType.NEVER_ACTIVATED: Wording("never became active", "never became active", "recovered"),
    IncidentType.NO_CONFERENCE: Wording("has no conference to join", "have no conference to join", "has a conference"),
    IncidentType.NOT_FINISHED: Wording(
        "went silent before its end", "went silent before their end", "reported its end"
    ),
    IncidentType.RESOURCES_MISSING: Wording(
        "is done, but left less than expected", "are done, but left less than expected", "left the missing resources"
    ),
    IncidentType.ACCOUNT_DISCONNECTED: Wording(
        "waits for its disconnected account", "wait for their disconnected accounts", "is arranged"
    ),
    IncidentType.CONFLICTING: Wording("was reported complete and failed", "were reported complete and failed"),
    IncidentType.MISMATCHED: Wording(
        "received a callback for a different event", "received callbacks for different events"
    ),
}
_RECOVERED = {State.ACTIVATED: "is on its way", State.COMPLETE: "is complete"}
_ACTIVE = "is active although it was cancelled"


def summary(agent: AgentAlert, *, is_many: bool = False) -> str:
    """Return the words for an agent's incident, or for that of many agents."""
    words = WORDINGS[agent.type]
    if agent.is_resolved:
        is_recovery = agent.type in (IncidentType.FAILED, IncidentType.NEVER_ACTIVATED) and not is_many
        return _RECOVERED.get(agent.record.state, words.resolved) if is_recovery else words.resolved
    if agent.type is IncidentType.UNWANTED and agent.attempt.is_unwanted and not is_many:
        return _ACTIVE
    return words.many if is_many else words.one


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
    "If Cronofy refused the request, correct what it named. 401 or 403: a person must authorise the application again."
    " 402: the Cronofy plan lacks the feature. 404: check the calendar and the data center. 422: correct the fields."
)
_UNWANTED = "do not admit the agent, or remove it, and tell the participants that they may be recorded."
_CANCEL_AGAIN = "Send the same cancellation again."
_NO_LINK = (
    "Add a conference link to the calendar event before the meeting begins, or ask the organiser to check the"
    " conferencing connection: without a link the agent has nothing to join."
)
_WRONG_ADDRESS = (
    "Find out which application sends notifications to this address: the signature is valid. The notification was kept"
    " and changed nothing."
)

_CHECK_REASON = (
    "Check the reason. A request that Cronofy did not answer, or limited, is sent again until the meeting ends. 401 or"
    " 403: a person must authorise the application again. 423: the account is locked."
)
_ELSEWHERE = (
    "Check the calendar first: Cronofy calls before each meeting, and did not call before this one, so it may have been"
    " moved or deleted in the calendar."
)
_LOBBY = (
    "The agent is preparing to join, and may wait in the lobby: admit it. If it fails to get in, another alert follows."
)
_NEXT_STEPS: Mapping[IncidentType, tuple[str, ...]] = {
    IncidentType.NOT_ARRANGED: (
        _CHECK_REASON,
        "If only the caller can send the request again, send it again.",
        _NOTES,
    ),
    IncidentType.REJECTED: (_REFUSED, _AGAIN),
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


def next_steps(agent: AgentAlert) -> tuple[str, ...]:
    """Return the next steps when the alert is sent, the most urgent first."""
    meeting = agent.meeting
    is_over = meeting.end is not None and meeting.end <= agent.at
    has_begun = meeting.start is not None and meeting.start <= agent.at
    match agent.type:
        case _ if agent.is_resolved:
            is_joining = agent.record.state is State.ACTIVATED and agent.type is not IncidentType.UNWANTED
            return (_LOBBY,) if is_joining else ("Nothing to do: the earlier alert is resolved.",)
        case IncidentType.FAILED | IncidentType.NEVER_ACTIVATED | IncidentType.NOT_ARRANGED if is_over:
            return _DASHBOARD, _TOO_LATE
        case IncidentType.FAILED:
            return f"Open the meeting and check what keeps the agent out. {_obstacles(agent)}", _AGAIN, _NOTES
        case IncidentType.NEVER_ACTIVATED:
            look = "Open the meeting and look for the agent, also in the lobby: if it is there, a callback was lost."
            steps = f"{look} If it is not, check what keeps it out. {_obstacles(agent)}", _AGAIN, _NOTES
            return (_ELSEWHERE, *steps) if agent.lacks_call else steps
        case IncidentType.ACCOUNT_DISCONNECTED:
            name = agent.names["account"]
            account = f"account {sanitize(name)}" if name else "account"
            again = f"Ask the owner of the {account} to authorise the application again, and register the new token."
            return again, "Until then no request of that account can be sent."
        case IncidentType.UNWANTED if has_begun:
            return f"Now that the meeting has begun, {_UNWANTED}", _CANCEL_AGAIN
        case IncidentType.UNWANTED:
            return _REFUSED, _CANCEL_AGAIN, f"If the meeting begins first, {_UNWANTED}"
        case _:
            return _NEXT_STEPS[agent.type]


def _obstacles(agent: AgentAlert) -> str:
    """Return the obstacles of the conference's provider; those of all providers if it is unknown."""
    obstacles = [obstacle for word, obstacle in _OBSTACLES.items() if word in agent.provider]
    return " ".join(obstacles or _OBSTACLES.values())


# --------------------------------------------------------------------------------------------------------------- groups


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWording:
    """The words for the incident of a group; `{name}`: account or data center; `{meetings}`, `{agents}`: so many."""

    firing: str
    waiting: str
    """Follows `firing` in a subject."""
    resolved: str
    still_waiting: str
    """Follows `resolved` in a subject."""
    list_heading: str
    next_steps: tuple[str, ...]
    """`{api}` is the address of the API."""
    next_steps_resolved: tuple[str, ...]
    """While agents still wait; if there are none, there is nothing to do."""


_AUTHORISE_AGAIN = (
    "Ask the owner of account {name} to authorise the application again, and register the new refresh token with"
    " PUT {api}/v1/accounts/{name}."
)
CONNECT_PROFILE_AGAIN = "Ask the owner of account {name} to open {url} and connect the conferencing profile again."
CONNECT_A_PROFILE_AGAIN = (
    "Ask the owner of account {name} to connect the conferencing profile again: Cronofy gave no address for that."
)
_LINK_OF_YOUR_OWN = (
    "Until then these meetings have no conference, and their agents have nothing to join. If time is short, send the"
    " request again with a join link of your own, as conferencing with the profile_id explicit."
)
_RESOLVED_THEN = (
    "A resolved alert follows within a quarter of an hour after that. A meeting that still has no conference near its"
    " start has an alert of its own."
)
CONNECTED_THEN = (_LINK_OF_YOUR_OWN, _RESOLVED_THEN)
_SENT_THEN = (
    "The requests that wait are sent within a quarter of an hour after that, unless their meeting is over. One that is"
    " three days old is given up, and another alert says so."
)
_SENT_NOW = (
    "Nothing to do: the requests that wait are sent within a quarter of an hour. One that fails again has an alert of"
    " its own."
)
_LOOK_FOR_THEM = (
    "Look for the agents in the meetings that are under way, also in the lobby: perhaps only their callbacks are"
    " missing. Where an agent is missing, ask a participant to take notes."
)
_CHECK_CRONOFY = "Check Cronofy's status page for an outage of this data center."
_CHECK_ADDRESS = (
    "Check that callbacks reach {api}/webhooks/cronofy: each is in the access log of the API. A response of 401 means"
    " that no client secret that is stored for {name} matches Cronofy's."
)
_CHECK_SYSTEM = (
    "Check the alarms of this system and the messages in TrackDeadLetterQueue: callbacks may have arrived and be stuck"
    " there."
)
_CHECK_DASHBOARD = (
    "Check the meetings below in Cronofy's dashboard: their callbacks are still missing. An alert about them follows"
    " while they stay silent."
)
GROUP_WORDINGS: Mapping[IncidentType, GroupWording] = {
    IncidentType.ACCOUNT_DISCONNECTED: GroupWording(
        firing="Account {name} is disconnected",
        waiting="{meetings} waiting",
        resolved="Account {name} is connected again",
        still_waiting="{meetings} still waiting",
        list_heading="Meetings whose agent waits for the account, the earliest first",
        next_steps=(_AUTHORISE_AGAIN, _SENT_THEN, _NOTES),
        next_steps_resolved=(_SENT_NOW,),
    ),
    IncidentType.CALLBACKS_MISSING: GroupWording(
        firing="No callbacks from Cronofy's data center {name}",
        waiting="{agents} silent",
        resolved="Callbacks from Cronofy's data center {name} arrive again",
        still_waiting="{agents} still silent",
        list_heading="Meetings whose agent is silent past its deadline, the earliest first",
        next_steps=(_LOOK_FOR_THEM, _CHECK_CRONOFY, _CHECK_ADDRESS, _CHECK_SYSTEM),
        next_steps_resolved=(_CHECK_DASHBOARD,),
    ),
}
