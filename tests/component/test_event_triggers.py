"""Event triggers of ours: Cronofy may refuse them, and calls at the current time of a meeting that moves."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents import wording
from meeting_agents.alerting.message import Links
from meeting_agents.aws.event_triggers import CACHE_SECONDS, CALL_SECONDS, CALL_WRITE_SECONDS, REFUSAL_SECONDS
from meeting_agents.aws.notifications import append_notification
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import EntryType, State
from meeting_agents.domain.overdue import find_missed
from meeting_agents.errors import StoreUnavailable
from meeting_agents.publishing import Publisher
from tests.desk import CALENDAR, Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.stand_in import Request

EVENTS = f"/v1/calendars/{CALENDAR}/events"
KEY = ("us", CALENDAR, "event_1")


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[Desk]:
    with Desk(aws) as desk:
        desk.trigger_lead_time = timedelta(minutes=15)
        yield desk


@pytest.fixture(params=["own token", "account"])
def caller(desk: Desk, request: pytest.FixtureRequest) -> CallerCredentials:
    if request.param == "account":
        account = desk.register()
        desk.tokens().access_token("alice")
        return account
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


def upserts(desk: Desk) -> list[Request]:
    return [request for request in desk.cronofy.requests if (request.method, request.path) == ("POST", EVENTS)]


def triggers(request: Request) -> int:
    return sum("transitions" in subscription for subscription in request.json["subscriptions"])


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (422, {"errors": {"subscriptions": [{"key": "errors.invalid"}]}}),
        (422, {"errors": {"subscriptions[1].transitions": [{"key": "errors.invalid"}]}}),
        (422, {"errors": {"transitions": [{"key": "errors.unknown"}]}}),
        (422, {"errors": {"start": [{"key": "errors.invalid"}], "subscriptions": [{"key": "errors.invalid"}]}}),
        (422, {"errors": ["something"]}),
        (422, {}),
        (422, "<p>Unprocessable</p>"),
        (402, {}),
    ],
    ids=str,
)
def test_a_request_that_cronofy_refuses_for_event_triggers_goes_once_more_without_them(
    desk: Desk, caller: CallerCredentials, status: int, answer: Any
) -> None:
    """The caller gets the second response, there is one agent, and the journal says so."""
    desk.cronofy.faults.add("POST", EVENTS, status=status, body=answer)
    request = desk.upsert(caller)
    result = desk.provisioning().submit(request)
    assert result.response
    assert (result.response.status, result.record.state) == (202, State.SCHEDULED)
    assert [triggers(sent) for sent in upserts(desk)] == [2, 0]
    assert len(desk.cronofy.meeting(KEY).agents) == 1
    assert desk.kinds(request.agent_id) == [EntryType.REQUESTED, EntryType.ACCEPTED]
    reason = desk.steps(request.agent_id)[-1].entry.reason
    assert wording.of(reason) == "Cronofy accepted the request (202) after it refused our event triggers"
    assert desk.event_triggers().are_refused("us")
    assert not desk.event_triggers().are_refused("de")


@pytest.mark.parametrize("fields", [("start",), ("start", "end"), ("meeting_agent.profile_id",)], ids=str)
def test_a_refusal_that_names_only_other_fields_is_the_callers(
    desk: Desk, caller: CallerCredentials, fields: tuple[str, ...]
) -> None:
    answer = {"errors": {name: [{"key": "errors.invalid"}] for name in fields}}
    desk.cronofy.faults.add("POST", EVENTS, status=422, body=answer)
    result = desk.provisioning().submit(desk.upsert(caller))
    assert result.response
    assert (result.response.status, result.response.content) == (422, answer)
    assert len(upserts(desk)) == 1
    assert not desk.event_triggers().are_refused("us")


@pytest.mark.parametrize("status", [402, 422])
def test_a_refusal_without_event_triggers_too_is_the_callers_and_marks_nothing(
    desk: Desk, caller: CallerCredentials, status: int
) -> None:
    """The caller gets the second response, which cannot be about what the caller did not write."""
    desk.cronofy.faults.add(
        "POST", EVENTS, status=status, body={"errors": {"subscriptions": [{"key": "errors.invalid"}]}}
    )
    desk.cronofy.faults.add("POST", EVENTS, status=status, body={"errors": {"summary": [{"key": "errors.invalid"}]}})
    result = desk.provisioning().submit(desk.upsert(caller))
    assert result.response
    assert (result.response.status, result.response.wrong_fields) == (status, {"summary"})
    assert len(upserts(desk)) == 2
    assert desk.steps(desk.upsert(caller).agent_id)[-1].after.state is State.REJECTED
    assert not desk.event_triggers().are_refused("us")


def test_a_data_center_that_refused_gets_no_event_triggers_until_that_is_forgotten(desk: Desk) -> None:
    """A request that was journalled with them is sent without them, too."""
    caller = desk.register()
    desk.cronofy.behaviour.refuse_transitions = ["us"]
    desk.provisioning().submit(desk.upsert(caller))
    desk.provisioning().submit(desk.upsert(caller, event_id="event_2"))
    assert [triggers(sent) for sent in upserts(desk)] == [2, 0, 0]
    desk.cronofy.behaviour.refuse_transitions = []
    desk.now += timedelta(seconds=REFUSAL_SECONDS + 1)
    desk.provisioning().submit(desk.upsert(caller, event_id="event_3"))
    assert [triggers(sent) for sent in upserts(desk)] == [2, 0, 0, 2]


def test_a_retry_of_the_sweep_goes_without_refused_event_triggers(desk: Desk) -> None:
    """Cronofy was down when the request came, and refuses them when it is back."""
    caller = desk.register()
    desk.cronofy.behaviour.refuse_transitions = ["us"]
    desk.cronofy.faults.add("POST", EVENTS, status=503, times=2)
    request = desk.upsert(caller)
    desk.provisioning().submit(request)
    desk.now += timedelta(hours=1)
    (result,) = desk.sweep()
    assert result.response
    assert result.response.has_refused_triggers
    assert result.record.state is State.SCHEDULED
    assert [triggers(sent) for sent in upserts(desk)] == [2, 2, 2, 0]


def test_the_second_request_is_not_sent_after_a_newer_one(desk: Desk, caller: CallerCredentials) -> None:
    """The newest request is what Cronofy gets last."""
    desk.cronofy.behaviour.refuse_transitions = ["us"]
    newer = desk.upsert(caller, summary="Newer")

    def submit(_: object) -> None:
        desk.http.event_hooks["response"] = []
        desk.provisioning().submit(newer)

    desk.http.event_hooks["response"] = [submit]
    desk.provisioning().submit(desk.upsert(caller))
    assert [(sent.json["summary"], triggers(sent)) for sent in upserts(desk)] == [
        ("Weekly sync", 2),
        ("Newer", 2),
        ("Newer", 0),
    ]
    assert desk.cronofy.meeting(KEY).request["summary"] == "Newer"


def test_a_second_request_without_a_response_leaves_the_outcome_open(desk: Desk) -> None:
    """It may have taken effect; the sweep sends it again, and there is one agent."""
    caller = desk.register()
    desk.cronofy.behaviour.refuse_transitions = ["us"]
    request = desk.upsert(caller)
    desk.cronofy.faults.add("POST", EVENTS, status=422, body={})
    desk.cronofy.faults.add("POST", EVENTS, close="unanswered", times=2)
    result = desk.provisioning().submit(request)
    assert result.record.state is State.REQUESTED
    assert not desk.event_triggers().are_refused("us")
    desk.now += timedelta(hours=1)
    (result,) = desk.sweep()
    assert result.record.state is State.SCHEDULED
    assert len(desk.cronofy.agents) == 1


def test_what_is_known_is_read_once_in_some_minutes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known = desk.event_triggers()
    reads: list[object] = []
    get = known._table.get

    def count(key: Any) -> Any:
        reads.append(key)
        return get(key)

    monkeypatch.setattr(known._table, "get", count)
    for _ in range(3):
        assert not known.are_refused("us")
    assert len(reads) == 1
    desk.event_triggers().record_refusal("us")
    assert not known.are_refused("us")
    desk.now += timedelta(seconds=CACHE_SECONDS)
    assert known.are_refused("us")
    assert len(reads) == 2


def test_a_table_that_does_not_answer_fails_no_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    known = desk.event_triggers()

    def fail(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(known._table, "get", fail)
    monkeypatch.setattr(known._table, "update", fail)
    assert not known.are_refused("us")
    known.record_refusal("us")
    assert known.are_refused("us")


def test_cronofy_calls_at_the_current_time_of_the_meeting(desk: Desk) -> None:
    """The stand-in follows a meeting that a person moves, and each trigger comes once, within its minute."""
    caller = desk.register()
    desk.provisioning().submit(desk.upsert(caller))
    start = desk.now + timedelta(days=1)
    desk.now = start - timedelta(minutes=16)
    assert desk.cronofy.fire_triggers() == []
    desk.cronofy.drag(KEY, start=f"{start + timedelta(hours=2):%FT%TZ}", end=f"{start + timedelta(hours=3):%FT%TZ}")
    desk.now = start - timedelta(minutes=15)
    assert desk.cronofy.fire_triggers() == []
    desk.now = start + timedelta(minutes=105, seconds=59)
    (fired,) = desk.cronofy.fire_triggers()
    assert fired.uris[0].endswith("?trigger=before")
    assert json.loads(fired.body)["event"]["start"] == f"{start + timedelta(hours=2):%FT%TZ}"
    assert "interactions" not in json.loads(fired.body)["notification"]
    assert desk.cronofy.fire_triggers() == []
    desk.now = start + timedelta(minutes=185)
    (fired,) = desk.cronofy.fire_triggers()
    assert fired.uris[0].endswith("?trigger=after")


def test_cronofy_does_not_call_for_a_deleted_meeting(desk: Desk) -> None:
    desk.provisioning().submit(desk.upsert(desk.register()))
    desk.cronofy.delete_in_calendar(KEY)
    desk.now += timedelta(days=1) - timedelta(minutes=15)
    assert desk.cronofy.fire_triggers() == []


# ----------------------------------------------------------------------------------------- a call that does not come

LINKS = Links("https://api.example.com", "")


class Topic:
    """An alerts topic that keeps the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def publish(self, subject: str, message: str, attributes: Any) -> None:
        self.texts.append(json.loads(message)["email"])

    def subscribers(self) -> int:
        return 1


def silenced(desk: Desk, caller: CallerCredentials, *, hours_before: float = 3) -> str:
    """An agent that is silent eleven minutes after the start of its meeting; its id."""
    start = desk.now + timedelta(hours=hours_before)
    times = {"start": f"{start:%FT%TZ}", "end": f"{start + timedelta(hours=1):%FT%TZ}"}
    request = desk.upsert(caller, **times)
    desk.provisioning().submit(request)
    desk.now = start + timedelta(minutes=11)
    (finding,) = find_missed(fold(s.entry for s in desk.journal().read(request.agent_id, desk.now)), GRACE, desk.now)
    desk.journal().append(request.agent_id, finding.entry)
    return request.agent_id


def alert_text(desk: Desk, agent: str) -> str:
    topic: Any = Topic()
    Publisher(
        desk.journal(), desk.groups(), topic, LINKS, desk.event_triggers(), desk.silences(), lambda: desk.now
    ).publish({agent})
    (text,) = topic.texts
    return " ".join(text.split())


ELSEWHERE = "may have been moved or deleted in the calendar"
GRACE = GracePeriods()


def own_token(desk: Desk) -> CallerCredentials:
    return CallerCredentials(token=desk.cronofy.grant("us", calendars=(CALENDAR,)).access_token)


def test_an_alert_has_the_call_that_did_not_come_although_others_do(desk: Desk) -> None:
    desk.event_triggers().record_call("us")
    assert ELSEWHERE in alert_text(desk, silenced(desk, own_token(desk)))


@pytest.mark.parametrize("why", ["no calls", "another data center", "old calls", "refused", "too late", "account"])
def test_an_alert_has_no_call_that_cannot_be_missed(desk: Desk, why: str) -> None:
    if why != "no calls":
        desk.event_triggers().record_call("de" if why == "another data center" else "us")
    if why == "old calls":
        desk.now += timedelta(seconds=CALL_SECONDS)
    if why == "refused":
        desk.cronofy.behaviour.refuse_transitions = ["us"]
    caller = desk.register() if why == "account" else own_token(desk)
    text = alert_text(desk, silenced(desk, caller, hours_before=0.2 if why == "too late" else 3))
    assert "never became active" in text
    assert ELSEWHERE not in text


def test_a_call_that_came_is_not_missed(desk: Desk) -> None:
    """The meeting is at its time, and the agent is silent."""
    desk.event_triggers().record_call("us")
    agent = silenced(desk, own_token(desk))
    raw = json.dumps({"notification": {"type": "event_subscription"}, "event": {"event_id": "event_1"}}).encode()
    at = desk.now - timedelta(minutes=26)
    append_notification(desk._table(), agent, raw, at=at, attempt=None, signed_with="us:current", trigger="before")
    assert ELSEWHERE not in alert_text(desk, agent)


def test_calls_are_recorded_once_in_an_hour(desk: Desk) -> None:
    known = desk.event_triggers()
    known.record_call("us")
    recorded_at = desk.now
    desk.now += timedelta(seconds=CALL_WRITE_SECONDS - 1)
    known.record_call("us")
    desk.now = recorded_at + timedelta(seconds=CALL_SECONDS)
    assert not desk.event_triggers().have_come("us")
    known.record_call("us")
    assert desk.event_triggers().have_come("us")
