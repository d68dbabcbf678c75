"""Our event triggers in the caller's text. The subscription itself is tested with the bodies of the API."""

import json
from datetime import timedelta

import pytest

from meeting_agents.cronofy.subscriptions import (
    MINUTES_AFTER_END,
    for_attempt,
    has_event_triggers,
    is_about_event_triggers,
    subscription,
    with_subscription,
    without_event_triggers,
)

BASE = "https://agents.example.com/webhooks/cronofy/"
LEAD_TIME = timedelta(minutes=15)
THEIRS = '{ "uri":"https://example.com?trigger=before", "transitions":[{"before" : "event_start"}] }'


@pytest.mark.parametrize(
    ("address", "before"),
    [(f"{BASE}ma_1", f"{BASE}ma_1?trigger="), (f"{BASE}ma_1?attempt=2", f"{BASE}ma_1?attempt=2&trigger=")],
)
def test_each_event_trigger_is_a_subscription_with_an_address_of_its_own(address: str, before: str) -> None:
    text = with_subscription('{"event_id":"1"}', address, BASE, LEAD_TIME)
    assert json.loads(text)["subscriptions"] == [
        subscription(address),
        {
            "type": "webhook",
            "uri": f"{before}before",
            "transitions": [{"before": "event_start", "offset": {"minutes": 15}}],
        },
        {
            "type": "webhook",
            "uri": f"{before}after",
            "transitions": [{"after": "event_end", "offset": {"minutes": MINUTES_AFTER_END}}],
        },
    ]


def test_a_lead_time_of_less_than_a_minute_is_one_minute() -> None:
    text = with_subscription("{}", f"{BASE}ma_1", BASE, timedelta())
    assert json.loads(text)["subscriptions"][1]["transitions"][0]["offset"] == {"minutes": 1}


@pytest.mark.parametrize(
    "body", ["{}", '{"event_id":"1", "subscriptions":[]}', f'{{"subscriptions" : [{THEIRS}] , "a":1}}']
)
@pytest.mark.parametrize("address", [f"{BASE}ma_1", f"{BASE}ma_1?attempt=2"])
def test_a_text_without_our_event_triggers_is_as_if_they_had_been_switched_off(body: str, address: str) -> None:
    """The triggers of the caller stay."""
    with_triggers = with_subscription(body, address, BASE, LEAD_TIME)
    without = with_subscription(body, address, BASE)
    assert has_event_triggers(with_triggers)
    assert not has_event_triggers(without)
    assert without_event_triggers(with_triggers) == without


def test_event_triggers_that_a_caller_sends_back_are_replaced() -> None:
    sent = with_subscription("{}", f"{BASE}ma_1", BASE, LEAD_TIME)
    assert with_subscription(sent, f"{BASE}ma_1", BASE, LEAD_TIME) == sent


@pytest.mark.parametrize("body", ["{}", '{"subscriptions":[7]}', '{"event_id":"1"}'])
def test_a_text_without_event_triggers_stays_unchanged(body: str) -> None:
    assert without_event_triggers(body.replace("7", "{}")) == body.replace("7", "{}")


def test_the_second_trigger_comes_five_minutes_after_the_end() -> None:
    """As the parameter's description says."""
    assert MINUTES_AFTER_END == 5


def test_a_text_without_our_triggers_is_returned_character_for_character() -> None:
    theirs = '{"type" : "webhook", "uri":"https://example.com?trigger=after"}'
    text = f'{{"subscriptions": [ {theirs} , {{"uri": "https://example.org"}} ]}}'
    assert without_event_triggers(text) == text


@pytest.mark.parametrize(
    ("fields", "is_ours"),
    [
        ((), True),
        (("subscriptions",), True),
        (("subscriptions[1].transitions",), True),
        (("subscriptions.transitions",), True),
        (("transitions",), True),
        (("base",), True),
        (("event_id", "subscriptions"), True),
        (("event_id",), False),
        (("meeting_agent.profile_id",), False),
        (("attendees[0].email",), False),
        (("event_id", "meeting_agent.profile_id"), False),
    ],
)
def test_a_refusal_is_about_event_triggers_unless_it_names_only_other_members(
    fields: tuple[str, ...], is_ours: bool
) -> None:
    """The spelling of a field of a subscription is not documented."""
    body = '{"event_id":"1","meeting_agent":{"profile_id":"cronofy"},"attendees":[]}'
    assert is_about_event_triggers(with_subscription(body, f"{BASE}ma_1", BASE, LEAD_TIME), fields) is is_ours
    assert not is_about_event_triggers(with_subscription(body, f"{BASE}ma_1", BASE), fields)


@pytest.mark.parametrize("before", [1, 2, 10])
@pytest.mark.parametrize("after", [1, 2, 11])
@pytest.mark.parametrize("lead_time", [None, LEAD_TIME])
def test_our_addresses_name_another_attempt_as_if_they_had_from_the_start(
    before: int, after: int, lead_time: timedelta | None
) -> None:
    """The caller's text stays, character for character, also an address that only looks like ours."""
    own = '{"type": "webhook", "uri": "https://example.com/webhooks/cronofy/ma_10"}'
    body = f'{{"event_id":"1", "summary" : "/webhooks/cronofy/ma_1?attempt=2\\"", "subscriptions" : [{own}]}}'

    def text(attempt: int) -> str:
        address = f"{BASE}ma_1" + (f"?attempt={attempt}" if attempt > 1 else "")
        return with_subscription(body, address, BASE, lead_time)

    assert for_attempt(text(before), "ma_1", after) == text(after)


def test_a_text_without_subscriptions_names_no_attempt() -> None:
    """A cancellation has none of ours."""
    assert for_attempt('{"event_id": "1"}', "ma_1", 2) == '{"event_id": "1"}'
