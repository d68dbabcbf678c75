"""Bodies of requests are validated, and sent on as they are written, with our subscription added."""

import json
import re
import timeit
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

from meeting_agents.announcement import Announcement, DeadlineView, as_replay, is_link, to_message
from meeting_agents.api.bodies import (
    FIRST_OCCURRENCE_ONLY,
    NO_NEW_CONFERENCE,
    AccountRegistration,
    Acknowledgement,
    AgentRequest,
    BodyWarning,
    CalendarEventRequest,
    Time,
    ZonedTime,
    digest,
)
from meeting_agents.api.strict_json import MAX_BODY_BYTES, strict_json
from meeting_agents.api.views import AgentRow, AgentSummary, AgentView, Links
from meeting_agents.cronofy.json_text import MAX_DEPTH, readable
from meeting_agents.cronofy.payloads import INTERACTIONS
from meeting_agents.cronofy.subscriptions import subscription, with_subscription
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import (
    Action,
    DeadlineType,
    Entry,
    EntryType,
    Meeting,
    Notification,
)
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.silences import Quiet
from meeting_agents.errors import InvalidRequest, TooLarge

OURS = "https://api.example.com/webhooks/cronofy/"
ADDRESS = OURS + "ma_abc"
NOON = datetime(2026, 4, 29, 12, tzinfo=UTC)
# https://docs.cronofy.com/developers/api/meeting-agents/
DOCUMENTED: dict[str, Any] = {
    "event_id": "qTtZdczOccgaPncGJaCiLg",
    "summary": "Meeting agent enhanced",
    "start": "2026-04-29T15:30:00Z",
    "end": "2026-04-29T17:00:00Z",
    "tzid": "Europe/Berlin",
    "conferencing": {"profile_id": "default"},
    "meeting_agent": {"profile_id": "cronofy"},
    "subscriptions": [
        {
            "type": "webhook",
            "uri": "https://example.com/notification",
            "interactions": [{"type": "meeting_agent_activated"}],
        }
    ],
}


# ----------------------------------------------------------------------------------------------------- our subscription


def test_our_subscription_lists_every_interaction_that_the_lifecycle_knows() -> None:
    assert subscription(ADDRESS) == {
        "type": "webhook",
        "uri": ADDRESS,
        "interactions": [{"type": name} for name in INTERACTIONS],
    }


@pytest.mark.parametrize(
    ("body", "before", "after"),
    [
        ("{}", "{", "}"),
        (" { } \n", " {", "}"),
        ('{"a":1}', '{"a":1,', "}"),
        ('{"a" : 1.0e+5 ,\t"ü":"\\u00fc\\/"\n}', '{"a" : 1.0e+5 ,\t"ü":"\\u00fc\\/",', "}"),
        ('{"subscriptions2":[],"x":{"subscriptions":[]}}', '{"subscriptions2":[],"x":{"subscriptions":[]},', "}"),
    ],
)
def test_our_subscription_is_added_to_a_body_without_subscriptions(body: str, before: str, after: str) -> None:
    """Every other character stays: not every parser reads 1.0e+5 as 100000.0."""
    ours = json.dumps(subscription(ADDRESS))
    assert with_subscription(body, ADDRESS, OURS) == f'{before}"subscriptions":[{ours}]{after}'


def test_our_subscription_is_added_to_the_callers_own_which_stay_unchanged() -> None:
    theirs = '{ "type":"webhook", "uri":"https:\\/\\/example.com", "transitions":[{"before":"event_start"}],"n":1.50 }'
    body = f'{{"subscriptions" : [ {theirs} ,{{"uri":1}} ] , "event_id":"1"}}'
    ours = json.dumps(subscription(ADDRESS))
    sent = with_subscription(body, ADDRESS, OURS)
    assert sent == f'{{"subscriptions" : [{theirs},{{"uri":1}},{ours}] , "event_id":"1"}}'


@pytest.mark.parametrize("uri", [ADDRESS, ADDRESS + "?attempt=2", OURS + "ma_other"])
def test_a_subscription_of_ours_that_a_caller_sends_back_is_replaced(uri: str) -> None:
    body = json.dumps({"subscriptions": [subscription(uri), {"type": "webhook", "uri": "https://example.com"}]})
    uris = [each["uri"] for each in json.loads(with_subscription(body, ADDRESS, OURS))["subscriptions"]]
    assert uris == ["https://example.com", ADDRESS]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
SUBSCRIPTIONS = st.lists(st.dictionaries(st.sampled_from(["uri", "type", "x"]), JSON, max_size=3), max_size=3)


@given(
    st.dictionaries(st.text(max_size=8) | st.just("event_id"), JSON, max_size=5),
    st.none() | SUBSCRIPTIONS,
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)
def test_the_text_sent_parses_to_the_callers_body_with_our_subscription(
    body: dict[str, Any], subscriptions: list[Any] | None, indent: int | str | None, ascii_only: bool
) -> None:
    body.pop("subscriptions", None)
    theirs = body if subscriptions is None else {**body, "subscriptions": subscriptions, "later": 1}
    text = json.dumps(theirs, indent=indent, ensure_ascii=ascii_only)
    sent = json.loads(with_subscription(text, ADDRESS, OURS))
    assert sent == theirs | {"subscriptions": [*(subscriptions or []), subscription(ADDRESS)]}
    assert with_subscription(with_subscription(text, ADDRESS, OURS), ADDRESS, OURS) == with_subscription(
        text, ADDRESS, OURS
    )


# ---------------------------------------------------------------------------------------------------------- strict JSON


def wrong(body: str) -> str:
    with pytest.raises(InvalidRequest) as refused:
        strict_json(body)
    [field] = refused.value.fields
    assert field.field == "body"
    return field.expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", "JSON; it breaks off, or goes wrong, at line 1 column 1"),
        ('{"a":1,}', "JSON; it breaks off, or goes wrong, at line 1 column 7"),
        ("[]", "a JSON object"),
        ("7", "a JSON object"),
        ("null", "a JSON object"),
        ('{"a":NaN}', "JSON, which has no NaN"),
        ('{"a":-Infinity}', "JSON, which has no -Infinity"),
        ('{"a":{"b":1,"c":2,"b":3}}', "each name once in an object; 'b' occurs twice"),
        ('{"a":"\\ud800"}', "text that can be encoded as UTF-8"),
        ('{"\\udfff":1}', "text that can be encoded as UTF-8"),
        ('{"a":"\ud800"}', "text that can be encoded as UTF-8"),
        ("\ufeff{}", "JSON; it breaks off, or goes wrong, at line 1 column 1"),
    ],
)
def test_text_that_two_parsers_may_read_differently_is_refused_with_a_reason(body: str, expected: str) -> None:
    assert wrong(body) == expected


def nested(depth: int) -> Iterator[str]:
    yield '{"a":' * depth + "1" + "}" * depth
    yield '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 990, 1200, 3000, 20_000])
def test_any_depth_of_nesting_beyond_the_limit_is_refused(depth: int) -> None:
    for body in nested(depth):
        assert wrong(body) == f"at most {MAX_DEPTH} levels"
    for body in nested(MAX_DEPTH):
        assert strict_json(body)


def test_the_deepest_value_counts_wherever_it_is() -> None:
    """Before and after shallow values."""
    for body in nested(MAX_DEPTH):
        for beside in (f'{{"a":{body},"b":[]}}', f'{{"a":[],"b":{body}}}'):
            assert wrong(beside) == f"at most {MAX_DEPTH} levels"


def test_the_limits_of_a_body_do_not_shrink() -> None:
    """A body that was accepted stays acceptable."""
    assert (MAX_DEPTH, MAX_BODY_BYTES) == (32, 262_144)


def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    """Bytes, not characters."""
    assert strict_json('{"a":"' + "x" * (MAX_BODY_BYTES - 8) + '"}')
    for letter in ("x" * (MAX_BODY_BYTES - 7), "ü" * (MAX_BODY_BYTES // 2)):
        with pytest.raises(TooLarge):
            strict_json(f'{{"a":"{letter}"}}')


def test_a_duplicate_after_many_names_is_found_in_linear_time() -> None:
    """Comparing each name with each would take a thousand times as long."""
    body = "{" + ",".join(f'"{number}":1' for number in range(25_000)) + ',"24999":1}'
    assert "'24999' occurs twice" in wrong(body)
    reading, refusing = (min(timeit.repeat(partial(do, body), number=1)) for do in (json.loads, wrong))
    assert refusing < 50 * reading


@given(st.text(st.characters(), max_size=50) | JSON.map(json.dumps))
def test_any_text_is_parsed_or_refused(body: str) -> None:
    try:
        value = strict_json(body)
    except InvalidRequest:
        return
    assert value == json.loads(body)


# ------------------------------------------------------------------------------------------------------------- requests


def changed(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in (DOCUMENTED | fields).items() if value is not None}


def problems(body: Any, model: type[BaseModel] = CalendarEventRequest) -> set[str]:
    with pytest.raises(ValidationError) as refused:
        model.model_validate(body)
    return {".".join(str(part) for part in problem["loc"]) for problem in refused.value.errors()}


def test_the_documented_request_becomes_the_lifecycles_own() -> None:
    body = json.dumps(DOCUMENTED)
    request = CalendarEventRequest.model_validate_json(body).request(
        "de", "cal_1", "acc_1", body, earlier=None, now=NOON
    )
    assert (request.action, request.data_center, request.calendar_id) == (Action.PROVISION, "de", "cal_1")
    assert (request.event_id, request.account) == ("qTtZdczOccgaPncGJaCiLg", "acc_1")
    assert (request.meeting.start, request.meeting.end) == (
        datetime(2026, 4, 29, 15, 30, tzinfo=UTC),
        datetime(2026, 4, 29, 17, tzinfo=UTC),
    )
    assert (request.meeting.tzid, request.meeting.summary) == ("Europe/Berlin", "Meeting agent enhanced")
    assert (request.digest, request.conference_expected) == (digest(body), True)


@pytest.mark.parametrize(
    ("profile", "action"), [("cronofy", Action.PROVISION), ("none", Action.CANCEL), (None, Action.PROVISION)]
)
def test_the_profile_none_cancels_an_agent(profile: str | None, action: Action) -> None:
    body = changed(meeting_agent=profile and {"profile_id": profile})
    request = CalendarEventRequest.model_validate(body).request("us", "cal_1", "", "", earlier=None, now=NOON)
    assert request.action is action


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("default", True), ("integrated", True), ("pro_1", True), ("explicit", False), ("none", False), (None, False)],
)
def test_a_conference_is_expected_if_cronofy_is_to_create_it(profile: str | None, expected: bool) -> None:
    body = changed(conferencing=profile and {"profile_id": profile})
    request = CalendarEventRequest.model_validate(body).request("us", "cal_1", "", "", earlier=None, now=NOON)
    assert request.conference_expected is expected


@pytest.mark.parametrize(
    ("profile", "expected"),
    [("default", "default"), ("pro_1", "pro_1"), ("integrated", ""), ("explicit", ""), ("none", ""), (None, "")],
)
def test_the_profile_of_the_account_that_is_to_create_the_conference_is_known(
    profile: str | None, expected: str
) -> None:
    body = changed(conferencing=profile and {"profile_id": profile})
    request = CalendarEventRequest.model_validate(body).request("us", "cal_1", "", "", earlier=None, now=NOON)
    assert request.conference_profile == expected
    bare = CalendarEventRequest.model_validate({"event_id": "e"})
    assert bare.request("us", "cal_1", "", "", earlier=request, now=NOON).conference_profile == expected
    other = CalendarEventRequest.model_validate(changed(conferencing={"profile_id": "integrated"}))
    assert other.request("us", "cal_1", "", "", earlier=request, now=NOON).conference_profile == ""


def test_no_profile_is_to_create_a_conference_for_a_meeting_that_has_begun() -> None:
    late = datetime(2026, 4, 29, 16, tzinfo=UTC)
    request = CalendarEventRequest.model_validate(DOCUMENTED).request("us", "cal_1", "", "", earlier=None, now=late)
    assert request.conference_profile == ""


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event_id": None}, "event_id"),
        ({"event_id": ""}, "event_id"),
        ({"event_id": "a\nb"}, "event_id"),
        ({"event_id": "x" * 1025}, "event_id"),
        ({"event_id": 7}, "event_id"),
        ({"summary": "x" * 1025}, "summary"),
        ({"description": "x" * 4097}, "description"),
        ({"tzid": "Mars/Olympus"}, "tzid"),
        ({"meeting_agent": {}}, "meeting_agent.profile_id"),
        ({"meeting_agent": {"profile_id": "other"}}, "meeting_agent.profile_id"),
        (
            {"meeting_agent": {"profile_id": "cronofy", "image_url": "http://example.com/a.png"}},
            "meeting_agent.image_url",
        ),
        ({"subscriptions": {}}, "subscriptions"),
        ({"subscriptions": [{"type": "email", "uri": "https://example.com"}]}, "subscriptions.0.type"),
        ({"subscriptions": [{"type": "webhook"}]}, "subscriptions.0.uri"),
        (
            {"subscriptions": [{"type": "webhook", "uri": "https://a.com", "interactions": [{}]}]},
            "subscriptions.0.interactions.0.type",
        ),
        ({"start": None}, "start"),
        ({"end": None}, "end"),
        ({"end": "2026-04-29T15:30:00Z"}, "end"),
        ({"start": "2026-04-30", "end": {"time": "2026-04-29T23:00:00", "tzid": "America/New_York"}}, None),
        ({"start": "2026-04-30", "end": {"time": "2026-04-29T23:00:00", "tzid": "Asia/Tokyo"}}, "end"),
    ],
)
def test_each_invalid_field_is_named(fields: dict[str, Any], field: str | None) -> None:
    if field is None:
        assert CalendarEventRequest.model_validate(changed(**fields)).meeting.end
    else:
        assert problems(changed(**fields)) == {field}


def test_the_database_of_time_zones_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are listed in each process, not in each request."""
    body = {"event_id": "evt_1", "tzid": "Europe/Berlin"}
    CalendarEventRequest.model_validate(body)
    monkeypatch.setattr("os.walk", lambda *_: pytest.fail("the files of the time zones are listed again"))
    CalendarEventRequest.model_validate(body)


@pytest.mark.parametrize(
    ("fields", "invalid"),
    [
        ({"start": None, "end": None}, {"start", "end"}),
        ({"tzid": "Mars/Olympus", "end": "2026-04-29T15:00:00Z"}, {"tzid", "end"}),
        ({"tzid": "Mars/Olympus", "start": None, "event_id": ""}, {"tzid", "start", "event_id"}),
        ({"summary": "x" * 1025, "start": "2026-04-30", "subscriptions": {}}, {"summary", "end", "subscriptions"}),
        ({"tzid": "Mars/Olympus", "end": "2026-04-29T15:00:00"}, {"tzid"}),  # whether it ends too early is unknown
        ({"start": "tomorrow", "end": None}, {"start", "end"}),
    ],
)
def test_all_invalid_fields_are_named_at_once(fields: dict[str, Any], invalid: set[str]) -> None:
    """Each by its own name, even if it is invalid only in combination with another."""
    assert problems(changed(**fields)) == invalid


@pytest.mark.parametrize("profile", ["none", None])
def test_a_calendar_event_without_an_agent_needs_no_times(profile: str | None) -> None:
    body = changed(meeting_agent=profile and {"profile_id": profile}, start=None, end=None)
    assert CalendarEventRequest.model_validate(body).meeting == Meeting(
        tzid="Europe/Berlin", summary=DOCUMENTED["summary"]
    )


LATER = {"scheduling_key": "weekly", "join_time": "2026-04-29T15:30:00Z"}


@pytest.mark.parametrize(
    ("fields", "invalid"),
    [
        ({}, set()),
        (LATER, set()),
        ({"scheduling_key": None, "join_time": None}, set()),
        (LATER | {"join_time": None}, {"join_time"}),
        ({"scheduling_key": "weekly"}, {"join_time"}),
        ({"join_time": "2026-04-29T15:30:00Z"}, {"scheduling_key"}),
        ({"join_time": "tomorrow", "join_url": "x"}, {"scheduling_key", "join_time", "join_url"}),
        ({"scheduling_key": "", "image_url": "x"}, {"scheduling_key", "join_time", "image_url"}),
    ],
)
def test_scheduling_key_and_join_time_are_required_together(fields: dict[str, Any], invalid: set[str]) -> None:
    """The missing one is named, with all other invalid fields."""
    body = {"join_url": "https://zoom.us/j/1"} | fields
    if invalid:
        assert problems(body, AgentRequest) == invalid
    else:
        assert AgentRequest.model_validate(body).model_dump(include=set(fields)) == fields


def test_a_body_that_is_not_an_object_is_refused() -> None:
    for model in (AgentRequest, CalendarEventRequest):
        assert problems([], model) == {""}


@pytest.mark.parametrize("value", ["tomorrow", 7, [], {}, "2026-13-01", {"time": "x"}, "2026-04-29T15:30:00+99:00"])
def test_a_value_that_is_not_a_time_is_refused(value: Any) -> None:
    assert any(field.startswith("start") for field in problems(changed(start=value)))


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST.", "a.localhost", "printer.local", "db.internal", "intranet", "127.0.0.1", "127.1"),
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.1", "2130706433", "0x7f.1", "100.64.0.1"),
        *("[::1]", "[fd00::1]", "[fe80::1]", "[::ffff:127.0.0.1]", "user@127.0.0.1", ""),
    ],
)
def test_an_address_with_a_host_that_is_not_public_is_refused(host: str) -> None:
    body = changed(subscriptions=[{"type": "webhook", "uri": f"http://{host}/x"}])
    assert "subscriptions.0.uri" in problems(body)


@pytest.mark.parametrize(
    "uri", ["ftp://example.com", "example.com", "https://", "https://a b.com", "https://[/", "//a.com"]
)
def test_an_invalid_address_is_refused(uri: str) -> None:
    assert "subscriptions.0.uri" in problems(changed(subscriptions=[{"type": "webhook", "uri": uri}]))


def test_unknown_fields_are_allowed() -> None:
    body = changed(
        attendees={"invite": [{"email": "a@example.com"}]},
        reminders=[{"minutes": 5}],
        meeting_agent={"profile_id": "cronofy", "x": 1},
    )
    assert CalendarEventRequest.model_validate(body).model_dump()["attendees"] == body["attendees"]


@pytest.mark.parametrize("value", ["2026-04-29", {"time": "2026-04-29T15:30:00", "tzid": "Europe/Berlin"}])
def test_every_documented_form_of_a_time_is_accepted(value: Any) -> None:
    assert CalendarEventRequest.model_validate(changed(start=value)).meeting.start


def test_each_example_of_a_time_in_the_description_is_valid() -> None:
    """A time, a date, and a time in its own time zone; the first and the last are equal."""
    shown = TypeAdapter(Time).json_schema()["examples"]
    starts = [CalendarEventRequest.model_validate(changed(start=value)).meeting.start for value in shown]
    first, day = datetime(2026, 4, 29, 15, 30, tzinfo=UTC), datetime(2026, 4, 28, 22, tzinfo=UTC)
    assert starts == [first, day, first]


def test_a_change_keeps_the_times_and_the_conference_that_it_leaves_out() -> None:
    earlier = CalendarEventRequest.model_validate(DOCUMENTED).request("de", "cal_1", "", "", earlier=None, now=NOON)
    bare = CalendarEventRequest.model_validate({"event_id": "e", "summary": "Moved"})
    request = bare.request("de", "cal_1", "", "", earlier=earlier, now=NOON)
    assert (request.meeting.start, request.meeting.end) == (earlier.meeting.start, earlier.meeting.end)
    assert (request.meeting.summary, request.conference_expected) == ("Moved", True)
    moved = changed(start="2026-04-29T16:00:00Z", end="2026-04-29T16:30:00Z", conferencing={"profile_id": "none"})
    request = CalendarEventRequest.model_validate(moved).request("de", "cal_1", "", "", earlier=earlier, now=NOON)
    assert request.meeting.start == datetime(2026, 4, 29, 16, tzinfo=UTC)
    assert request.meeting.end == datetime(2026, 4, 29, 16, 30, tzinfo=UTC)
    assert not request.conference_expected


def test_a_new_conference_in_a_meeting_that_has_begun_is_a_warning() -> None:
    """From five minutes after the start Cronofy creates none; one that was requested before is not new."""
    request = CalendarEventRequest.model_validate(DOCUMENTED)
    last = datetime(2026, 4, 29, 15, 35, tzinfo=UTC)
    earlier = request.request("de", "cal_1", "", "", earlier=None, now=last)
    late = last + timedelta(seconds=1)
    new = request.request("de", "cal_1", "", "", earlier=None, now=late)
    assert (earlier.conference_expected, request.warnings(earlier)) == (True, ())
    assert (new.conference_expected, request.warnings(new)) == (False, (NO_NEW_CONFERENCE,))
    unchanged = request.request("de", "cal_1", "", "", earlier=earlier, now=late)
    assert (unchanged.conference_expected, request.warnings(unchanged)) == (True, ())
    cancellation = CalendarEventRequest.model_validate(changed(meeting_agent={"profile_id": "none"}))
    cancelled = cancellation.request("de", "cal_1", "", "", earlier=None, now=late)
    assert (cancelled.action, cancellation.warnings(cancelled)) == (Action.CANCEL, ())


@pytest.mark.parametrize(
    ("recurrence", "warnings"), [([{"rrule": "FREQ=DAILY"}], (FIRST_OCCURRENCE_ONLY,)), ([], ()), (None, ())]
)
def test_a_recurring_event_is_a_warning(recurrence: Any, warnings: tuple[BodyWarning, ...]) -> None:
    """Only its first occurrence is followed."""
    request = CalendarEventRequest.model_validate(changed(recurrence=recurrence))
    assert request.warnings(request.request("de", "cal_1", "", "", earlier=None, now=NOON)) == warnings


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        ("2026-10-25T02:45:00", "2026-10-25T02:15:00", ("2026-10-25T00:45", "2026-10-25T01:15")),
        ("2026-10-25T01:30:00", "2026-10-25T02:15:00", ("2026-10-24T23:30", "2026-10-25T00:15")),
        ("2026-03-29T02:30:00", "2026-03-29T03:15:00", ("2026-03-29T00:30", "2026-03-29T01:15")),
        ("2026-03-29T01:30:00", "2026-03-29T03:15:00", ("2026-03-29T00:30", "2026-03-29T01:15")),
    ],
)
def test_local_times_are_accepted_on_the_nights_when_clocks_change(
    start: str, end: str, times: tuple[str, str]
) -> None:
    """A local time that exists twice, or not at all, is read so that the end is after the start."""
    zoned = {name: {"time": time, "tzid": "Europe/Berlin"} for name, time in (("start", start), ("end", end))}
    for body in (changed(start=start, end=end), changed(**zoned)):
        meeting = CalendarEventRequest.model_validate(body).meeting
        assert meeting.start
        assert meeting.end
        assert (f"{meeting.start:%Y-%m-%dT%H:%M}", f"{meeting.end:%Y-%m-%dT%H:%M}") == times


@pytest.mark.parametrize(
    ("start", "end"), [("9999-12-31T20:00:00Z", "9999-12-31T23:59:59Z"), ("0001-01-01", "0001-01-02")]
)
def test_a_time_at_an_end_of_the_calendar_is_rejected(start: str, end: str) -> None:
    """A deadline after it cannot be calculated."""
    with pytest.raises(ValidationError, match="of a year from 1970 to 2999"):
        CalendarEventRequest.model_validate(changed(start=start, end=end, tzid="Etc/UTC"))


def utc(at: datetime | None) -> str:
    assert at
    return f"{at:%Y-%m-%dT%H:%M}"


@pytest.mark.parametrize(
    ("start", "end", "times"),
    [
        ("2026-10-25T02:15:00", "2026-10-25T02:45:00", ("2026-10-25T00:15", "2026-10-25T00:45")),
        ("2026-10-25T02:45:00", "2026-10-25T02:15:00", ("2026-10-25T00:45", "2026-10-25T01:15")),
        ("2026-10-25T02:30:00", "2026-10-25T02:30:00", ("2026-10-25T00:30", "2026-10-25T01:30")),
        ("2026-03-29T02:30:00", "2026-03-29T03:15:00", ("2026-03-29T00:30", "2026-03-29T01:15")),
    ],
)
def test_a_local_time_that_exists_twice_or_not_counts_as_the_reading_that_fits(
    start: str, end: str, times: tuple[str, str]
) -> None:
    """The earlier reading, unless the end would come before the start."""
    meeting = CalendarEventRequest.model_validate(changed(start=start, end=end, tzid="Europe/Berlin")).meeting
    assert (utc(meeting.start), utc(meeting.end)) == times


def test_a_single_local_time_that_exists_twice_is_the_earlier_one() -> None:
    body = {"event_id": "evt_1", "end": "2026-10-25T02:30:00", "tzid": "Europe/Berlin"}
    assert utc(CalendarEventRequest.model_validate(body).meeting.end) == "2026-10-25T00:30"
    zoned = {"time": "2026-10-25T02:30:00", "tzid": "Europe/Berlin"}
    later = AgentRequest.model_validate({"join_url": "https://zoom.us/j/1"} | LATER | {"join_time": zoned})
    assert utc(later.request("de", "{}", NOON).meeting.start) == "2026-10-25T00:30"


def test_a_request_provisions_an_agent_unless_it_has_none_or_takes_it_back() -> None:
    def provisions(agent: dict[str, str] | None) -> bool:
        return CalendarEventRequest.model_validate(changed(meeting_agent=agent)).provisions_agent

    assert provisions({"profile_id": "cronofy"}) is True
    assert provisions({"profile_id": "none"}) is False
    assert provisions(None) is False


def test_an_agent_without_a_calendar_event_starts_at_its_join_time_or_now() -> None:
    later = AgentRequest.model_validate({"join_url": "https://zoom.us/j/1"} | LATER).request("de", "{}", NOON)
    assert (later.scheduling_key, later.meeting.start) == ("weekly", datetime(2026, 4, 29, 15, 30, tzinfo=UTC))
    now = AgentRequest.model_validate({"join_url": "https://zoom.us/j/1"}).request("de", "{}", NOON)
    assert (now.scheduling_key, now.meeting.start, now.data_center) == ("", NOON, "de")
    assert now.digest == later.digest == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


@pytest.mark.parametrize(
    ("field", "shortest", "longest"),
    [
        ("event_id", "x", "x" * 1024),
        ("subscriptions.0.uri", "http://a.b1", "http://a.b1/" + "x" * 2036),
        ("meeting_agent.image_url", "https://a.b1", "https://a.b1/" + "x" * 2035),
    ],
)
def test_a_text_has_at_most_the_documented_length(field: str, shortest: str, longest: str) -> None:
    def body(value: str) -> dict[str, Any]:
        agent = {"profile_id": "cronofy"}
        return {
            "event_id": changed(event_id=value),
            "subscriptions.0.uri": changed(subscriptions=[{"type": "webhook", "uri": value}]),
            "meeting_agent.image_url": changed(meeting_agent=agent | {"image_url": value}),
        }[field]

    for value in (shortest, longest):
        assert value in CalendarEventRequest.model_validate(body(value)).model_dump_json()
    assert problems(body(longest + "x")) == {field}


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (CalendarEventRequest, DOCUMENTED),
        (ZonedTime, {"time": "2026-04-29T15:30:00"}),
        (AccountRegistration, {"refresh_token": "t", "data_center": "de"}),
        (Acknowledgement, {"note": "Anna calls the host"}),
    ],
)
def test_a_request_is_immutable(model: type[BaseModel], body: dict[str, Any]) -> None:
    request = model.model_validate(body)
    name = next(iter(body))
    with pytest.raises(ValidationError):
        setattr(request, name, "other")


# ------------------------------------------------------------------------------------------------------------- identity


def test_the_id_of_an_agent_never_changes() -> None:
    """Cronofy keeps it in the addresses of subscriptions."""
    assert agent_id("us", "cal_n23kjnwrw2_jsdfjksn234", "qTtZdczOccgaPncGJaCiLg") == "ma_rgl3mny2sxodzzijzyytw3a2ig"
    assert re.fullmatch(r"ma_[a-z2-7]{26}", agent_id("de", "weekly-42"))


def test_different_natural_keys_have_different_ids() -> None:
    keys = [
        ("a", "bc"),
        ("ab", "c"),
        ("a", "b", "c"),
        ("abc",),
        ("a", "b,c"),
        ('a","b', "c"),
        ("A", "bc"),
        ("a", "bc", ""),
    ]
    assert len({agent_id(*key) for key in keys}) == len(keys)


# ---------------------------------------------------------------------------------------------------------------- views


LINKS = Links(self="https://api.example.com/v1/meeting_agents/ma_1")
REQUEST = CalendarEventRequest.model_validate(DOCUMENTED).request("de", "cal_1", "acc_1", "{}", earlier=None, now=NOON)
RETRY_AT = NOON + timedelta(minutes=1)
HISTORY = (
    Entry(key="1", kind=EntryType.REQUESTED, at=NOON, attempt=1, revision=1, request=REQUEST, retry_at=RETRY_AT),
    Entry(
        key="2",
        kind=EntryType.ACCEPTED,
        at=NOON + timedelta(minutes=2),
        attempt=1,
        revision=1,
        sub="agt_1",
        reason=Reason.of(ReasonCode.REQUEST_ACCEPTED, status=202),
    ),
    Entry(
        key="3",
        kind=EntryType.FAILED,
        at=NOON + timedelta(minutes=3),
        notification=Notification(
            kinds=(EntryType.FAILED,), interactions=("meeting_agent_failed",), sub="agt_2", remarks=("a: 1", "b: 2")
        ),
    ),
)


def test_a_summary_has_the_time_of_the_next_retry() -> None:
    summaries = [AgentSummary.of("ma_1", step.after, LINKS) for step in steps(HISTORY)]
    assert [summary.retry_at for summary in summaries] == [RETRY_AT, None, None]
    assert [summary.state for summary in summaries] == ["requested", "scheduled", "failed"]
    assert {(summary.id, summary.attempt, summary.links) for summary in summaries} == {("ma_1", 1, LINKS)}
    with pytest.raises(ValidationError):
        summaries[0].id = "ma_2"


def test_the_view_of_an_agent_has_its_record_and_its_timeline() -> None:
    """An entry has its own `sub` and reason, or those of its notification; the view can be parsed again."""
    timeline = [*steps(HISTORY)]
    view = AgentView.of("ma_1", timeline, GracePeriods(), NOON + timedelta(minutes=4), LINKS, Quiet)
    assert (view.id, view.state, view.origin, view.calendar_id) == ("ma_1", "failed", "request", "cal_1")
    assert view.next_deadline == DeadlineView(phase=DeadlineType.ALERT, at=NOON + timedelta(minutes=5))
    assert [(incident.type, incident.severity) for incident in view.incidents] == [("failed", "critical")]
    assert [(entry.sub, entry.reason and entry.reason.text) for entry in view.timeline] == [
        ("", None),
        ("agt_1", "Cronofy accepted the request (202)"),
        ("agt_2", "a: 1; b: 2"),
    ]
    assert [entry.interactions for entry in view.timeline] == [(), (), ("meeting_agent_failed",)]
    assert AgentView.model_validate_json(view.model_dump_json()) == view
    unasked = AgentView.of("ma_1", [*steps(HISTORY[2:])], GracePeriods(), NOON + timedelta(minutes=4), LINKS, Quiet)
    assert (unasked.origin, unasked.calendar_id) == ("notification", "")


def test_a_row_of_a_list_equals_the_view_of_the_agent() -> None:
    *_, last = steps(HISTORY)
    view, row = (
        AgentView.of("ma_1", [last], GracePeriods(), NOON + timedelta(minutes=4), LINKS, Quiet),
        AgentRow.of("ma_1", last.after, GracePeriods(), NOON + timedelta(minutes=4), LINKS, Quiet),
    )
    incident = view.incidents[0].model_dump()
    assert row.model_dump() == view.model_dump(include=set(AgentRow.model_fields)) | {
        "attempt": 1,
        "incident": incident,
    }


# -------------------------------------------------------------------------------------------------------- announcements


@pytest.mark.parametrize(
    ("raw", "notification"),
    [
        (None, None),
        (b'{"a": [1, "\xc3\xbc"]}', {"a": [1, "ü"]}),
        (b"not JSON", {"base64": "bm90IEpTT04="}),
        (b"\xff", {"base64": "/w=="}),
        (b'"\\ud800"', {"base64": "Ilx1ZDgwMCI="}),
        (b"[NaN]", {"base64": "W05hTl0="}),
    ],
)
def test_any_notification_can_be_announced(raw: bytes | None, notification: Any) -> None:
    """As JSON, or in base64 if it is not valid JSON."""
    entry = Entry(key="1", kind=EntryType.UNRECOGNISED, at=NOON, notification=Notification())
    [step] = steps([entry])
    sent = json.loads(to_message(Announcement.of("ma_1", step, raw, GracePeriods(), step.after)).text)
    assert sent["data"]["notification"] == notification
    assert (sent["id"], sent["subject"], sent["specversion"]) == ("ma_1.1", "ma_1", "1.0")
    assert sent["data"]["entry"]["ignored_because"] == {
        "code": "nothing_recognised",
        "values": {},
        "text": "it has no known interaction",
    }


def test_an_announcement_is_no_replay_unless_it_says_so() -> None:
    *_, last = steps(HISTORY)
    data = Announcement.of("ma_1", last, None, GracePeriods(), last.after).data
    assert not data.replayed


@given(st.binary(max_size=100))
def test_no_bytes_stop_an_announcement(raw: bytes) -> None:
    [step] = steps([Entry(key="1", kind=EntryType.UNRECOGNISED, at=NOON, notification=Notification())])
    announcement = Announcement.of("ma_1", step, raw, GracePeriods(), step.after)
    assert json.loads(to_message(announcement).text) == announcement.to_json()


def test_a_notification_is_announced_as_json_up_to_the_depth_of_a_request() -> None:
    """With one level more it is announced in base64."""
    for body, deeper in zip(nested(MAX_DEPTH), nested(MAX_DEPTH + 1), strict=True):
        assert readable(body.encode()) == json.loads(body)
        assert readable(deeper.encode()).keys() == {"base64"}


@pytest.mark.parametrize("depth", [900, 3000])
def test_a_deeply_nested_notification_can_be_announced(depth: int) -> None:
    [step] = steps([Entry(key="1", kind=EntryType.UNRECOGNISED, at=NOON, notification=Notification())])
    raw = b'{"a":' * depth + b"1" + b"}" * depth
    announcement = Announcement.of("ma_1", step, raw, GracePeriods(), step.after)
    assert json.loads(to_message(announcement).text)["data"]["notification"]


def test_a_replay_is_the_same_announcement_marked() -> None:
    *_, last = steps(HISTORY)
    first = Announcement.of("ma_1", last, None, GracePeriods(), last.after)
    replay = as_replay(first)
    assert (first.data.replayed, replay.data.replayed) == (False, True)
    assert replace(replay, data=replace(replay.data, replayed=False)) == first


def test_only_an_http_address_without_spaces_is_a_link() -> None:
    assert is_link("https://app.cronofy.com/x?y=1")
    for url in ("javascript:alert(1)", "https://", "https://a b", "https://a\n", "https://" + "x" * 2001):
        assert not is_link(url)
