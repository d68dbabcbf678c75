"""Cronofy's words become ours, whatever is sent."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.cronofy.payloads import HOSTS, INTERACTIONS, parse_time, read_notification, read_resources
from meeting_agents.domain.model import EntryType, Meeting, Notification, Resource

# https://docs.cronofy.com/developers/api/meeting-agents/
ACTIVATED: dict[str, Any] = {
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
        "resources": [{"category": "cronofy", "type": "dashboard", "url": "https://app.example.com/1"}],
    },
}


def changed(**parts: Any) -> bytes:
    """The documented callback with some of its parts replaced; None removes one."""
    return json.dumps({name: value for name, value in (ACTIVATED | parts).items() if value is not None}).encode()


def interactions(*names: Any) -> dict[str, Any]:
    return {"type": "event_subscription", "interactions": [{"type": name} for name in names]}


def test_the_documented_callback_is_read_in_full() -> None:
    assert read_notification(changed()) == Notification(
        kinds=(EntryType.ACTIVATED,),
        interactions=("meeting_agent_activated",),
        sub="agt_692702a100ccd07000000000",
        event_id="qTtZdczOccgaPncGJaCiLg",
        meeting=Meeting(
            start=datetime(2026, 4, 25, 15, 30, tzinfo=UTC),
            end=datetime(2026, 4, 25, 17, tzinfo=UTC),
            tzid="Europe/Berlin",
            summary="Meeting agent enhanced",
        ),
        resources=(Resource("cronofy", "dashboard", "https://app.example.com/1"),),
    )


@pytest.mark.parametrize(("name", "kind"), INTERACTIONS.items())
def test_each_known_interaction_is_one_kind(name: str, kind: EntryType) -> None:
    said = read_notification(changed(notification=interactions(name)))
    assert (said.kinds, said.interactions) == ((kind,), (name,))


def test_the_resources_of_a_complete_agent_are_all_read() -> None:
    kinds = [("cronofy", "dashboard"), ("transcript", "cronofy"), ("audio", "voice"), ("video", "conference")]
    listed = [{"category": category, "type": type_, "url": f"https://{type_}"} for category, type_ in kinds]
    said = read_notification(changed(meeting_agent={"sub": "agt_1", "state": "complete", "resources": listed}))
    assert [(resource.category, resource.type) for resource in said.resources] == kinds


def test_a_resource_without_an_address_is_none() -> None:
    listed = [{"category": "a", "type": "b"}, {"url": ""}, {"url": 7}, "https://x", None, {"url": "https://x"}]
    assert list(read_resources({"resources": listed})) == [Resource("", "", "https://x")]


def test_several_interactions_are_all_said_and_each_kind_once() -> None:
    said = read_notification(
        changed(notification=interactions("meeting_agent_complete", "new", "conferencing_assigned", "new"))
    )
    assert said.kinds == (EntryType.CONFERENCING_ASSIGNED, EntryType.COMPLETE)
    assert said.interactions == ("meeting_agent_complete", "new", "conferencing_assigned", "new")


def test_the_interaction_decides_and_never_the_state() -> None:
    """The state is still `created` when the agent is active, and an open set."""
    for state in ("created", "complete", "anything", 7, None):
        assert read_notification(changed(meeting_agent={"state": state})).kinds == (EntryType.ACTIVATED,)


@pytest.mark.parametrize("missing", ["event", "meeting_agent"])
def test_an_agent_without_a_calendar_event_or_without_a_body_of_its_own_is_understood(missing: str) -> None:
    said = read_notification(changed(**{missing: None}))
    assert said.kinds == (EntryType.ACTIVATED,)
    assert "" in (said.event_id, said.sub)


def test_what_nobody_documented_is_kept_for_people() -> None:
    """A reason for a failure can only be there."""
    said = read_notification(
        changed(
            notification={"type": "event_subscription", "interactions": [{"type": "x", "why": "kicked"}], "z": 1},
            meeting_agent={"sub": "agt_1", "state": "failed", "failure": {"code": "denied", "t": "ü"}, "a": None},
            extra="x" * 1000,
        )
    )
    remarks = ['meeting_agent.failure: {"code": "denied", "t": "ü"}', "notification.z: 1", "interaction.why: kicked"]
    assert set(said.remarks) >= {*remarks, "meeting_agent.a: null"}
    assert max(map(len, said.remarks)) == 300
    assert len(said.remarks) == 5


def test_the_same_body_gives_the_same_remarks_in_every_process() -> None:
    """A set of names has another order in each; the record would differ with it."""
    agent = {f"{letter}": letter for letter in "zyxwabcd"}
    said = read_notification(changed(meeting_agent=agent))
    assert said.remarks == tuple(f"meeting_agent.{letter}: {letter}" for letter in "abcdwxyz")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"7",
        b'"meeting_agent_activated"',
        b"[]",
        b"\xff\xfe",
        b"\x00",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"NaN",
        b'{"notification": {"type": "smart_invite", "transition": "changed"}}',
        b'{"notification": {"type": "verification"}}',
        b'{"verification": {}, "real_time_scheduling": {"event": {}}}',
        b'{"notification": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_says_nothing_that_we_know_is_read_as_saying_nothing(raw: bytes) -> None:
    said = read_notification(raw)
    assert (said.kinds, said.interactions, said.sub, said.event_id) == ((), (), "", "")


@pytest.mark.parametrize(
    "raw",
    [
        changed(event={"start": {"time": {"time": {"time": 1}}}, "end": [], "tzid": {}, "summary": 7}),
        changed(
            event={"start": "2026-99-99T00:00:00Z", "end": "9999-12-31T23:59:59-23:59", "tzid": "../../etc/passwd"}
        ),
        changed(event=[1], meeting_agent="agt_1"),
        changed(event={"event_id": float("nan"), "start": float("inf"), "tzid": "Europe"}),
        changed(meeting_agent={"resources": {"url": "https://x"}, "sub": ["agt_1"]}),
        b'{"notification": {"interactions": [{"type": "y"}, {"type": "meeting_agent_activated"}]}, "event": {"tzid":'
        b' "A/B", "start": ' + b'{"time":' * 900 + b"1" + b"}" * 900 + b"}}",
        b'{"notification": {}, "notification": {"interactions": [{"type": "meeting_agent_activated"}, 7, [], null]}}',
        changed().decode().encode("utf-16"),
    ],
)
def test_a_known_interaction_is_read_whatever_stands_around_it(raw: bytes) -> None:
    said = read_notification(raw)
    assert said.kinds == (EntryType.ACTIVATED,)
    assert (said.meeting.start, said.meeting.end) in (
        (None, None),
        (datetime(2026, 4, 25, 15, 30, tzinfo=UTC), said.meeting.end),
    )


@pytest.mark.parametrize("tzid", ["Mars/Olympus", "../../etc/passwd", "Europe", "\x00", "x" * 5000, 7, "", "\ud800"])
def test_a_time_zone_that_does_not_exist_is_taken_as_utc(tzid: Any) -> None:
    """People are told the time in it, which must not fail."""
    assert read_notification(changed(event={"event_id": "e", "tzid": tzid})).meeting.tzid == "Etc/UTC"


def test_a_lone_surrogate_becomes_what_can_be_written() -> None:
    said = read_notification(changed(event={"summary": "a\ud800b"}, meeting_agent={"sub": "\udfff", "x": "\ud800"}))
    assert (said.meeting.summary, said.sub, said.remarks) == ("a?b", "?", ("meeting_agent.x: ?",))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
NAMES = ["notification", "interactions", "type", "event", "event_id", "start", "end", "time", "tzid", "summary"]
NAMES += ["meeting_agent", "sub", "resources", "category", "url", *INTERACTIONS]
NEARLY = st.recursive(
    JSON | st.sampled_from([*NAMES, "2026-04-25T15:30:00Z", "2026-04-25", "Europe/Berlin"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=30,
)


def sendable(said: Notification) -> None:
    """Every word of it can be stored and sent on."""
    for text in (*said.interactions, *said.remarks, said.sub, said.event_id, said.meeting.summary, said.meeting.tzid):
        text.encode()
    for resource in said.resources:
        f"{resource.category}{resource.type}{resource.url}".encode()


@given(JSON | NEARLY | st.fixed_dictionaries({"notification": NEARLY, "event": NEARLY, "meeting_agent": NEARLY}))
def test_no_json_is_refused(body: Any) -> None:
    sendable(read_notification(json.dumps(body).encode()))


@given(st.binary(max_size=300))
def test_no_bytes_are_refused(raw: bytes) -> None:
    sendable(read_notification(raw))


@pytest.mark.parametrize("nested", [lambda n: "[" * n + "]" * n, lambda n: '{"a":' * n + "1" + "}" * n])
@pytest.mark.parametrize("depth", [100, 900, 1500, 5000, 50_000])
def test_no_depth_is_refused(nested: Callable[[int], str], depth: int) -> None:
    for body in (f'{{"x": {nested(depth)}}}', f'{{"event": {{"start": {nested(depth)}}}}}', nested(depth)):
        sendable(read_notification(body.encode()))


@pytest.mark.parametrize(
    ("value", "tzid", "expected"),
    [
        ("2026-04-29T15:30:00Z", "Etc/UTC", "2026-04-29T15:30:00+00:00"),
        ("2026-04-29T15:30:00+02:00", "Etc/UTC", "2026-04-29T13:30:00+00:00"),
        ("2026-04-29T15:30:00", "Europe/Berlin", "2026-04-29T13:30:00+00:00"),
        ("2026-04-29T15:30:00Z", "Europe/Berlin", "2026-04-29T15:30:00+00:00"),
        ("2026-04-29", "Europe/Berlin", "2026-04-28T22:00:00+00:00"),
        ("2026-01-29", "Europe/Berlin", "2026-01-28T23:00:00+00:00"),
        ({"time": "2026-04-29T15:30:00", "tzid": "America/New_York"}, "Etc/UTC", "2026-04-29T19:30:00+00:00"),
        ({"time": "2026-04-29T15:30:00Z"}, "America/New_York", "2026-04-29T15:30:00+00:00"),
        ({"time": "2026-04-29", "tzid": 7}, "America/New_York", "2026-04-29T04:00:00+00:00"),
    ],
)
def test_cronofys_times_are_read_in_their_zone(value: Any, tzid: str, expected: str) -> None:
    at = parse_time(value, tzid)
    assert at
    assert at.isoformat() == expected


@pytest.mark.parametrize(
    "value",
    [
        *(None, 7, True, [], {}, "", "now", "15:30", "2026-04-31", "2026-04-29T25:00:00Z", "0001-01-01T00:00:00+14:00"),
        {"time": None},
        {"time": {"time": "2026-04-29"}},
        {"time": "2026-04-29", "tzid": "Mars/Olympus"},
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert parse_time(value) is None


def test_the_six_data_centers_have_their_documented_hosts() -> None:
    assert list(HOSTS) == ["us", "au", "ca", "de", "sg", "uk"]
    assert HOSTS["us"] == "api.cronofy.com"
    assert all(host == f"api-{name}.cronofy.com" for name, host in HOSTS.items() if name != "us")
