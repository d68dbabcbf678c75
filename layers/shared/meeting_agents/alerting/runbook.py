"""The words for each type of incident, and the next steps for a person. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.text import sanitize
from meeting_agents.domain.model import IncidentType, Severity, State
from meeting_agents.domain.reasons import ReasonCode


@dataclass(frozen=True, slots=True)
class Wording:
    """The words for an incident of one agent, of many, and when either is resolved; each follows `meeting agent`."""

    one: str
    many: str
    resolved: str = ""
    """Empty for a notice, which is never resolved."""
    many_resolved: str = ""


WORDINGS: Mapping[IncidentType, Wording] = {
    IncidentType.UNWANTED: Wording(
        "may join although it was cancelled", "may join although they were cancelled", "is settled", "are settled"
    ),
    IncidentType.NOT_ARRANGED: Wording(
        "is still not arranged", "are still not arranged", "is arranged", "are arranged"
    ),
    IncidentType.REJECTED: Wording("was refused", "were refused", "is arranged", "are arranged"),
    IncidentType.FAILED: Wording("failed", "failed", "recovered", "recovered"),
    IncidentType.NEVER_ACTIVATED: Wording("never became active", "never became active", "recovered", "recovered"),
    IncidentType.NO_CONFERENCE: Wording(
        "has no conference to join", "have no conference to join", "has a conference", "have conferences"
    ),
    IncidentType.NOT_FINISHED: Wording(
        "went silent before its end", "went silent before their end", "reported its end", "reported their end"
    ),
    IncidentType.RESOURCES_MISSING: Wording(
        "is done, but left less than expected",
        "are done, but left less than expected",
        "left the missing resources",
        "left the missing resources",
    ),
    IncidentType.NOT_ARCHIVED: Wording(
        "left resources that are not archived", "left resources that are not archived", "is archived", "are archived"
    ),
    IncidentType.ACCOUNT_DISCONNECTED: Wording(
        "waits for its disconnected account", "wait for their disconnected accounts", "is arranged", "are arranged"
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
    if agent.is_resolved and is_many:
        return words.many_resolved
    if agent.is_resolved:
        is_recovery = agent.type in (IncidentType.FAILED, IncidentType.NEVER_ACTIVATED)
        return _RECOVERED.get(agent.record.state, words.resolved) if is_recovery else words.resolved
    is_active = agent.attempt.is_unwanted and (agent.attempt.activated_at or not agent.attempt.is_rescue)
    if agent.type is IncidentType.UNWANTED and is_active and not is_many:
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
_SECOND = "Do not send the request again: {sent} If that fails as well, another alert follows."
_NOTES = "If time is short, ask a participant to take notes."
_DASHBOARD = "Check in Cronofy's dashboard whether the meeting, or a part of it, was recorded."
_TOO_LATE = "The meeting is over, so a new attempt does not help: inform those who rely on the notes."

_UNWANTED = "do not admit the agent, or remove it, and tell the participants that they may be recorded."
_CANCEL_AGAIN = "Send the same cancellation again."
_NO_LINK = (
    "Add a conference link to the calendar event before the meeting begins, or ask the organiser to check the"
    " conferencing connection: without a link the agent has nothing to join."
)
_WRONG_ADDRESS = (
    "Find out which application sends callbacks to this address: the signature is valid. The callback was kept and"
    " changed nothing."
)

_ELSEWHERE = (
    "Check the calendar first: Cronofy calls before each meeting, and did not call before this one, so it may have been"
    " moved or deleted in the calendar."
)
_LOBBY = (
    "The agent is preparing to join, and may wait in the lobby: admit it. If it fails to get in, another alert follows."
)
_NEXT_STEPS: Mapping[IncidentType, tuple[str, ...]] = {
    IncidentType.NOT_FINISHED: (
        _DASHBOARD,
        "A lost callback cannot be requested again; if it still arrives, a resolved alert follows.",
    ),
    IncidentType.RESOURCES_MISSING: (
        "Check Cronofy's dashboard for the transcript and the recording; they may still be in preparation.",
    ),
    IncidentType.NOT_ARCHIVED: (
        "Download the resources while Cronofy has them: GET …/resources/{category} redirects to each.",
        "Read in the log of ArchiveFunction why the copy failed, correct that, then run make redrive QUEUE=archive.",
    ),
    IncidentType.NO_CONFERENCE: (_NO_LINK,),
    IncidentType.CONFLICTING: (
        "Check in Cronofy's dashboard that the transcript and the recording are there and whole.",
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
            return f"Open the meeting and check what keeps the agent out. {_obstacles(agent)}", _again(agent), _NOTES
        case IncidentType.NEVER_ACTIVATED:
            look = "Open the meeting and look for the agent, also in the lobby: if it is there, a callback was lost."
            steps = f"{look} If it is not, check what keeps it out. {_obstacles(agent)}", _again(agent), _NOTES
            return (_ELSEWHERE, *steps) if agent.lacks_call else steps
        case IncidentType.NOT_ARRANGED:
            return *_cures(agent), _resending(agent), _NOTES
        case IncidentType.REJECTED:
            notes = (_NOTES,) if agent.severity is Severity.CRITICAL else ()
            return *_cures(agent), _SEND_ANEW, *notes
        case IncidentType.ACCOUNT_DISCONNECTED:
            return _connecting(agent)
        case IncidentType.UNWANTED:
            return _against_unwanted(agent, has_begun=has_begun)
        case _:
            return _NEXT_STEPS[agent.type]


def _again(agent: AgentAlert) -> str:
    """Return the step that brings another agent; with a second one on its way, a request would bring a third."""
    second = agent.second_agent
    if second and second.code is ReasonCode.RESCUE_DUE:
        return _SECOND.format(sent="a second agent is sent.")
    is_open = second is not None and second.code is ReasonCode.RESCUE_SENT and second["outcome"] in _OPEN
    return _SECOND.format(sent="a second agent was sent.") if is_open and not agent.attempt.is_rescue else _AGAIN


_OPEN = frozenset({State.REQUESTED, State.SCHEDULED, State.ACTIVATED})
"""The states of a second agent that may still come, or is there."""


def _against_unwanted(agent: AgentAlert, *, has_begun: bool) -> tuple[str, ...]:
    if agent.attempt.is_rescue:
        return (f"A second agent cannot be called off: {_UNWANTED}",)
    if has_begun:
        return f"Now that the meeting has begun, {_UNWANTED}", _CANCEL_AGAIN
    return *_cures(agent), _CANCEL_AGAIN, f"If the meeting begins first, {_UNWANTED}"


_OF_USER = {
    "401": "Cronofy no longer accepts the access token (401): the caller needs a new one; if that is refused, too, a"
    " person must authorise the application again.",
    "403": "A permission is missing (403): a person must authorise the application again.",
    "404": "Cronofy finds no such calendar, or has no access to it (404): check the calendar and the data center.",
    "423": "The account is locked at Cronofy (423): ask its owner, or Cronofy, to unlock it.",
}
"""The next step by Cronofy's status, for a request in the name of a user."""
_OF_APPLICATION = {
    "401": "Cronofy does not accept the API key (401): check the client secret and the data center.",
    "403": "Cronofy does not permit this to the application (403): check its features in Cronofy's dashboard.",
    "404": "Cronofy does not find it (404): check the data center, and the application's features at Cronofy.",
}
"""The same, for a request with the application's API key, without a calendar event."""
_OF_ANY = {
    "402": "The Cronofy plan does not include a feature that this needs (402): change the plan, or the request.",
    "422": "Correct the fields that Cronofy named (422).",
    "429": "Cronofy's limit of requests was reached (429): find what sends so many.",
    "cronofy_timed_out": "Cronofy does not answer: look at its status page.",
    "cronofy_unreachable": "Cronofy cannot be reached: look at its status page.",
    "rate_limited": "Cronofy's limit of requests is used up: find what sends so many.",
    "missing_secret": "Store the secret of the Cronofy application of this data center.",
    "missing_token": "The request has no access token: the caller must send one, or name a registered account.",
    "reauthorisation_required": "The owner of the account must authorise the application again.",
    "store_unavailable": "The deployment's tables did not answer: look at its alarms.",
}
_RESENT = {
    ReasonCode.RETRY_PLANNED: "The request is sent again until the meeting ends.",
    ReasonCode.REQUEST_EXPIRED: "The request is not sent again: if there is time, send it anew.",
}
_LINK_OF_YOUR_OWN = (
    "Until then there is no conference that the agent could join. If time is short, send the request again with a join"
    " link of your own, as conferencing with the profile_id explicit."
)
_SEND_ANEW = "Then send the request again: that starts a new attempt."


def _cures(agent: AgentAlert) -> tuple[str, ...]:
    """Return the step against what Cronofy answered, or against the error; none if nothing is known of it."""
    failure, identity = agent.failed_with, agent.record.identity
    if failure.isdigit() and failure.startswith("5"):
        return (f"The error is Cronofy's ({failure}): look at its status page. There is nothing to correct here.",)
    is_of_user = identity is None or bool(identity.calendar_id)
    cure = (_OF_ANY | (_OF_USER if is_of_user else _OF_APPLICATION)).get(failure)
    if cure is None and agent.detail:
        cure = "Correct what the detail names."
    return (cure,) if cure else ()


def _connecting(agent: AgentAlert) -> tuple[str, ...]:
    name, reason = agent.names["account"], agent.owed.incident.reason
    owner = f"Ask the owner of {f'account {sanitize(name)}' if name else 'the account'}"
    if reason and reason.code is ReasonCode.PROFILE_DISCONNECTED:
        return f"{owner} to connect the conferencing profile again.", _LINK_OF_YOUR_OWN
    return f"{owner} to authorise the application again, and register the new token.", _resending(agent)


def _resending(agent: AgentAlert) -> str:
    reason = agent.owed.incident.reason
    return _RESENT.get(reason.code, _BY_CALLER) if reason else _BY_CALLER


_BY_CALLER = "The request is not sent again by itself: then the caller must send it again."

MANY_AT_ONCE = "So many at once: look at Cronofy's status first, then at the alarms of this system."
_AT_ONCE = 5
"""The agents from which an incident of many is more likely Cronofy's than of each meeting."""
_OUTAGES = frozenset(
    {
        IncidentType.FAILED,
        IncidentType.NEVER_ACTIVATED,
        IncidentType.NOT_ARRANGED,
        IncidentType.NO_CONFERENCE,
        IncidentType.NOT_FINISHED,
    }
)
"""The types that an outage of Cronofy causes in many agents."""


def is_many_at_once(agents: Sequence[AgentAlert]) -> bool:
    """Return True if so many agents have an open incident that one cause for all is likely."""
    return sum(agent.type in _OUTAGES and not agent.is_resolved for agent in agents) >= _AT_ONCE


def _obstacles(agent: AgentAlert) -> str:
    """Return the obstacles of the conference's provider; those of all providers if it is unknown."""
    obstacles = [obstacle for word, obstacle in _OBSTACLES.items() if word in agent.provider]
    return " ".join(obstacles or _OBSTACLES.values())


# --------------------------------------------------------------------------------------------------------------- groups


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWording:
    """The words for the incident of a group; `{name}`: that of the group; `{meetings}`, `{agents}`: so many."""

    firing: str
    resolved: str
    next_steps: tuple[str, ...]
    """`{api}` is the address of the API."""
    next_steps_resolved: tuple[str, ...] = ()
    """While agents still wait; if there are none, there is nothing to do."""
    waiting: str = ""
    """Follows `firing` in a subject, where the group has agents."""
    still_waiting: str = ""
    """Follows `resolved` in a subject."""
    list_heading: str = ""


_AUTHORISE_AGAIN = (
    "Ask the owner of account {name} to authorise the application again, and register the new refresh token with"
    " PUT {api}/v1/accounts/{name}."
)
CONNECT_PROFILE_AGAIN = "Ask the owner of account {name} to open {url} and connect the conferencing profile again."
CONNECT_PROFILES_AGAIN = "Ask the owner of account {name} to open {url} and connect the conferencing profiles again."
PROFILE_DISCONNECTED = "Conferencing of account {name} is disconnected"
CONNECT_A_PROFILE_AGAIN = (
    "Ask the owner of account {name} to connect the conferencing profile again: Cronofy gave no address for that."
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
_TELL_ITS_READERS = "Tell the people who read channel {name}: they get no alerts, and no word of those that are over."
_MEND_CHANNEL = (
    "Correct what the detail names: at the channel, or in the secret of the output ChannelsSecretArn. Then run"
    " make channel-test NAME={name}."
)
_SENT_AFTER = (
    "Nothing is lost for a day: the newest word about each incident is sent within five minutes once the channel"
    " takes it. What is older is in the dead-letter queue: make redrive QUEUE=forward."
)
DRILL_DETAIL = (
    "Once a week this alert goes the way of a critical one, to everyone who gets those. No meeting is affected. If no"
    " one acknowledges it within a day, an alarm says so."
)
DRILL_UNHEARD = "Drill over, and no one acknowledged it: alerts may not be heard"
_ACKNOWLEDGE_DRILL = (
    'Acknowledge it on the overview, or with make acknowledge ID=drill/{name} NOTE="I hear it". That ends the drill.'
)
_NOT_IN_A_PAGER = "An acknowledgement in a pager or a chat does not count: it does not come back to this system."
_ASK_FOR_THE_DRILL = "Ask the people who should have acknowledged it where it reached them, and where it did not."
_CHECK_CHANNELS = (
    "Check who is subscribed to the topic of the output AlertsTopicArn, and send a test to each channel:"
    " make channel-test NAME=…"
)
_NEXT_DRILL = "The next drill begins a week after this one. The alarm DrillUnheardAlarm ends when it is acknowledged."
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
        resolved="Callbacks from data center {name} are back",
        still_waiting="{agents} still silent",
        list_heading="Meetings whose agent is silent past its deadline, the earliest first",
        next_steps=(_LOOK_FOR_THEM, _CHECK_CRONOFY, _CHECK_ADDRESS, _CHECK_SYSTEM),
        next_steps_resolved=(_CHECK_DASHBOARD,),
    ),
    IncidentType.CHANNEL_FAILING: GroupWording(
        firing="Channel {name} takes no alerts",
        resolved="Channel {name} takes alerts again",
        next_steps=(_TELL_ITS_READERS, _MEND_CHANNEL, _SENT_AFTER),
    ),
    IncidentType.DRILL: GroupWording(
        firing="Drill, nothing is wrong: acknowledge it to show that alerts are heard",
        resolved="Drill acknowledged: alerts are heard",
        next_steps=(_ACKNOWLEDGE_DRILL, _NOT_IN_A_PAGER),
        next_steps_resolved=(_ASK_FOR_THE_DRILL, _CHECK_CHANNELS, _NEXT_DRILL),
    ),
}
