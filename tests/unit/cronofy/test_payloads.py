"""Callbacks are read into our words, and no body is rejected."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meeting_agents.cronofy.payloads import (
    EVENT_TRIGGERS,
    HOSTS,
    INTERACTIONS,
    join_link_of,
    next_page,
    parse_time,
    read_calendar,
    read_notification,
    read_resources,
)
from meeting_agents.domain.model import EntryType, Meeting, Notification, Reading, Resource
from tests.callback import example

# https://docs.cronofy.com/developers/api/meeting-agents/
ACTIVATED = example(
    meeting_agent={
        "sub": "agt_692702a100ccd07000000000",
        "state": "created",
        "resources": [{"category": "cronofy", "type": "dashboard", "url": "https://app.example.com/1"}],
    }
)


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
        has_join_link=True,
    )


@pytest.mark.parametrize(
    ("conferencing", "link"),
    [
        ({"provider_name": "zoom", "join_url": "https://zoom.us/1?pwd=x"}, "https://zoom.us/1?pwd=x"),
        ({"pending": True}, ""),
        ({"join_url": "tel:+4930"}, ""),
        ({"join_url": "ftp://zoom.us/1"}, ""),
        ({"join_url": "see https://zoom.us/1"}, ""),
        ({"join_url": "https://zoom.us/" + "1" * 2040}, ""),
        ({"join_url": 7}, ""),
        (None, ""),
    ],
)
def test_the_join_link_is_read_if_it_is_one_and_is_kept_out_of_the_notification(conferencing: Any, link: str) -> None:
    raw = changed(event={"event_id": "evt_1", "conferencing": conferencing})
    assert join_link_of(raw) == link
    assert read_notification(raw).has_join_link is bool(link)
    assert "zoom.us" not in repr(read_notification(raw))


def test_bytes_that_are_no_callback_have_no_join_link() -> None:
    assert [join_link_of(raw) for raw in (b"", b"[]", b"{", b'{"event": 1}', b"[" * 100_000)] == [""] * 5


@pytest.mark.parametrize(("name", "kind"), INTERACTIONS.items())
def test_each_known_interaction_is_one_entry_type(name: str, kind: EntryType) -> None:
    notification = read_notification(changed(notification=interactions(name)))
    assert (notification.kinds, notification.interactions) == ((kind,), (name,))


@pytest.mark.parametrize(("trigger", "kind"), EVENT_TRIGGERS.items())
def test_an_event_trigger_is_known_by_its_address_and_by_the_absence_of_a_known_interaction(
    trigger: str, kind: EntryType
) -> None:
    """The field that names the trigger in its body is not documented."""
    for notification in ({"type": "event_subscription"}, interactions("event_start"), {"transitions": [{"x": 1}]}):
        read = read_notification(changed(notification=notification, meeting_agent=None), trigger)
        assert read.kinds == (kind,)
        assert read.meeting.start == datetime(2026, 4, 25, 15, 30, tzinfo=UTC)
    assert read_notification(changed(), trigger).kinds == (EntryType.ACTIVATED,)
    assert read_notification(b"{}", "other").kinds == ()


def test_the_resources_of_a_complete_agent_are_all_read() -> None:
    kinds = [("cronofy", "dashboard"), ("transcript", "cronofy"), ("audio", "voice"), ("video", "conference")]
    listed = [{"category": category, "type": type_, "url": f"https://{type_}"} for category, type_ in kinds]
    notification = read_notification(changed(meeting_agent={"sub": "agt_1", "state": "complete", "resources": listed}))
    assert [(resource.category, resource.type) for resource in notification.resources] == kinds


def test_a_resource_without_an_address_is_left_out() -> None:
    listed = [{"category": "a", "type": "b"}, {"url": ""}, {"url": 7}, "https://x", None, {"url": "https://x"}]
    assert list(read_resources({"resources": listed})) == [Resource("", "", "https://x")]


def test_several_interactions_are_all_read_and_each_type_once() -> None:
    notification = read_notification(
        changed(notification=interactions("meeting_agent_complete", "new", "conferencing_assigned", "new"))
    )
    assert notification.kinds == (EntryType.CONFERENCING_ASSIGNED, EntryType.COMPLETE)
    assert notification.interactions == ("meeting_agent_complete", "new", "conferencing_assigned", "new")


def test_the_interaction_decides_and_never_the_state() -> None:
    """The state is still `created` when the agent is active, and Cronofy may add states."""
    for state in ("created", "complete", "anything", 7, None):
        assert read_notification(changed(meeting_agent={"state": state})).kinds == (EntryType.ACTIVATED,)


@pytest.mark.parametrize("missing", ["event", "meeting_agent"])
def test_a_callback_without_an_event_or_without_an_agent_is_read(missing: str) -> None:
    notification = read_notification(changed(**{missing: None}))
    assert notification.kinds == (EntryType.ACTIVATED,)
    assert "" in (notification.event_id, notification.sub)


def test_undocumented_fields_are_remarks() -> None:
    """Only they can hold a reason for a failure."""
    notification = read_notification(
        changed(
            notification={"type": "event_subscription", "interactions": [{"type": "x", "why": "kicked"}], "z": 1},
            meeting_agent={"sub": "agt_1", "state": "failed", "failure": {"code": "denied", "t": "ü"}, "a": None},
            extra="x" * 1000,
        )
    )
    remarks = ['meeting_agent.failure: {"code": "denied", "t": "ü"}', "notification.z: 1", "interaction.why: kicked"]
    assert set(notification.remarks) >= {*remarks, "meeting_agent.a: null"}
    assert max(map(len, notification.remarks)) == 300
    assert len(notification.remarks) == 5


@pytest.mark.parametrize(
    "value",
    ["https://zoom.us/j/1?pwd=x", {"join_url": "https://zoom.us/j/1?pwd=x"}, "go to msteams://l/meet?pwd=x now"],
)
def test_a_remark_has_no_link(value: object) -> None:
    """It may be a join link, and alerts quote remarks."""
    notification = read_notification(json.dumps({"meeting_agent": {"where": value}}).encode())
    (remark,) = notification.remarks
    assert "[link removed]" in remark
    assert "pwd" not in remark


def test_the_same_body_gives_the_same_remarks_in_every_process() -> None:
    """The order of a set differs between processes; the record must not."""
    agent = {f"{letter}": letter for letter in "zyxwabcd"}
    notification = read_notification(changed(meeting_agent=agent))
    assert notification.remarks == tuple(f"meeting_agent.{letter}: {letter}" for letter in "abcdwxyz")


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
def test_a_body_without_a_known_interaction_is_an_empty_notification(raw: bytes) -> None:
    notification = read_notification(raw)
    assert (notification.kinds, notification.interactions, notification.sub, notification.event_id) == ((), (), "", "")


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
def test_a_known_interaction_is_read_beside_invalid_fields(raw: bytes) -> None:
    notification = read_notification(raw)
    assert notification.kinds == (EntryType.ACTIVATED,)
    assert (notification.meeting.start, notification.meeting.end) in (
        (None, None),
        (datetime(2026, 4, 25, 15, 30, tzinfo=UTC), notification.meeting.end),
    )


@pytest.mark.parametrize("tzid", ["Mars/Olympus", "../../etc/passwd", "Europe", "\x00", "x" * 5000, 7, "", "\ud800"])
def test_an_unknown_time_zone_is_read_as_utc(tzid: Any) -> None:
    """Alerts show times in it, and must not fail."""
    assert read_notification(changed(event={"event_id": "e", "tzid": tzid})).meeting.tzid == "Etc/UTC"


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    notification = read_notification(
        changed(event={"summary": "a\ud800b"}, meeting_agent={"sub": "\udfff", "x": "\ud800"})
    )
    assert (notification.meeting.summary, notification.sub, notification.remarks) == (
        "a?b",
        "?",
        ("meeting_agent.x: ?",),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
NAMES = ["notification", "interactions", "type", "event", "event_id", "start", "end", "time", "tzid", "summary"]
NAMES += ["meeting_agent", "sub", "resources", "category", "url", *INTERACTIONS]
NEARLY_A_CALLBACK = st.recursive(
    JSON | st.sampled_from([*NAMES, "2026-04-25T15:30:00Z", "2026-04-25", "Europe/Berlin"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=30,
)


def sendable(notification: Notification) -> None:
    """Assert that every text can be stored and published."""
    for text in (
        *notification.interactions,
        *notification.remarks,
        notification.sub,
        notification.event_id,
        notification.meeting.summary,
        notification.meeting.tzid,
    ):
        text.encode()
    for resource in notification.resources:
        f"{resource.category}{resource.type}{resource.url}".encode()


@given(
    JSON
    | NEARLY_A_CALLBACK
    | st.fixed_dictionaries(
        {"notification": NEARLY_A_CALLBACK, "event": NEARLY_A_CALLBACK, "meeting_agent": NEARLY_A_CALLBACK}
    )
)
def test_any_json_is_read(body: Any) -> None:
    sendable(read_notification(json.dumps(body).encode()))


@given(st.binary(max_size=300))
def test_any_bytes_are_read(raw: bytes) -> None:
    sendable(read_notification(raw))


@pytest.mark.parametrize("nested", [lambda n: "[" * n + "]" * n, lambda n: '{"a":' * n + "1" + "}" * n])
@pytest.mark.parametrize("depth", [100, 900, 1500, 5000, 50_000])
def test_any_depth_is_read(nested: Callable[[int], str], depth: int) -> None:
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
def test_an_invalid_time_is_none(value: Any) -> None:
    assert parse_time(value) is None


def test_the_six_data_centers_have_their_documented_hosts() -> None:
    assert list(HOSTS) == ["us", "au", "ca", "de", "sg", "uk"]
    assert HOSTS["us"] == "api.cronofy.com"
    assert all(host == f"api-{name}.cronofy.com" for name, host in HOSTS.items() if name != "us")


# ------------------------------------------------------------------------------------------------------------ calendars

SHOWN: dict[str, Any] = {
    "calendar_id": "cal_1",
    "event_id": "evt_1",
    "event_uid": "evt_external_1",
    "summary": "Standup",
    "start": "2026-04-29T10:00:00Z",
    "end": "2026-04-29T11:00:00Z",
    "deleted": False,
    "updated": "2026-04-28T10:00:00Z",
    "recurring": False,
}
TZIDS = {"evt_1": "Europe/Berlin"}
AT_TEN = datetime(2026, 4, 29, 10, tzinfo=UTC)


def shown(*changes: dict[str, Any]) -> Any:
    """The reading of a calendar that shows the meeting as often as there are changes of it."""
    items = [{name: value for name, value in (SHOWN | change).items() if value is not None} for change in changes]
    return read_calendar([{"pages": {"current": 1, "total": 1}, "events": items}], "cal_1", TZIDS).get("evt_1")


def test_a_calendar_shows_when_a_meeting_is_and_if_it_is_deleted() -> None:
    at_ten = Reading(meeting=Meeting(start=AT_TEN, end=AT_TEN + timedelta(hours=1), summary="Standup"))
    assert shown({}) == at_ten
    assert shown({"deleted": True}) == Reading(is_deleted=True)
    assert shown({"deleted": None}) == at_ten
    assert shown({"calendar_id": None}) == at_ten


def test_an_all_day_meeting_is_in_its_own_time_zone() -> None:
    reading = shown({"start": "2026-04-29", "end": "2026-04-30"})
    assert reading.meeting.start == datetime(2026, 4, 28, 22, tzinfo=UTC)


def test_a_meeting_that_was_deleted_and_written_again_exists() -> None:
    assert shown({"deleted": True}, {}).meeting.start == AT_TEN
    assert shown({}, {"deleted": True}).meeting.start == AT_TEN


@pytest.mark.parametrize(
    "changes",
    [
        ({}, {"start": "2026-05-06T10:00:00Z"}),
        ({"recurring": True},),
        ({"recurring": True, "deleted": True},),
        ({"start": None},),
        ({"start": "soon"},),
        ({"start": 7},),
        ({"calendar_id": "cal_2"},),
        ({"event_id": "evt_2"},),
        ({"event_id": None},),
        ({"event_id": 7},),
        ({"calendar_id": "cal_2", "deleted": True},),
        (),
    ],
    ids=str,
)
def test_a_meeting_whose_time_is_not_certain_is_left_out(changes: tuple[dict[str, Any], ...]) -> None:
    assert shown(*changes) is None


@pytest.mark.parametrize(
    "page", [None, [], "x", {}, {"events": None}, {"events": [1, None, []]}, {"events": {}}], ids=str
)
def test_a_page_of_a_calendar_of_any_shape_is_read(page: object) -> None:
    assert read_calendar([page], "cal_1", TZIDS) == {}


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("https://api.cronofy.com/v1/events/pages/08a07b034306679e", "/v1/events/pages/08a07b034306679e"),
        ("https://proxy.example.com/api.cronofy.com/v1/events/pages/1?a=b", "/v1/events/pages/1?a=b"),
        ("https://evil.example.com/v1/accounts", ""),
        ("https://evil.example.com/v1/events", ""),
        ("/v1/events/pages/1", ""),
        ("https://api.cronofy.com/v1/events/pages/1 x", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_only_the_path_of_the_next_page_is_followed(address: object, path: str) -> None:
    """So the token of the account goes to no host but Cronofy's."""
    assert next_page({"pages": {"current": 1, "total": 2, "next_page": address}}) == path
    assert next_page({"pages": address}) == next_page(address) == ""
