"""The words for a second agent: in the alert about the first, in its own, in the digest."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from meeting_agents.alerting.agent_alert import AgentAlert
from meeting_agents.alerting.change import change_of_agent
from meeting_agents.alerting.digest import ATTRIBUTES, SECOND_AGENTS, Digest
from meeting_agents.alerting.message import Alert
from meeting_agents.alerting.runbook import next_steps
from meeting_agents.domain.model import ChangeType, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.rescue import Outcome
from tests.unit.alerting.test_message import LINKS, START, failed

DUE = Reason.of(ReasonCode.RESCUE_DUE, at=START.isoformat())
WITHHELD = Reason.of(ReasonCode.RESCUE_WITHHELD, obstacle="incurable")


def sent(state: State) -> Reason:
    return Reason.of(ReasonCode.RESCUE_SENT, at=START.isoformat(), outcome=state)


def alert(second: Reason | None) -> AgentAlert:
    (found,) = failed().alerts()
    return replace(found, second_agent=second)


def of_second() -> AgentAlert:
    """The second agent failed as well."""
    found = alert(sent(State.FAILED))
    attempt = replace(found.record.current, is_rescue=True)
    return replace(found, record=replace(found.record, attempts=(attempt,)))


def test_an_alert_without_a_second_agent_says_nothing_of_one() -> None:
    message = Alert((alert(None),), LINKS)
    assert "second" not in f"{message.message}{next_steps(alert(None))}".lower()


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (DUE, "one is sent at Wed 29 Apr 2026, 17:30 CEST (15:30 UTC), unless the first is heard of"),
        (sent(State.ACTIVATED), "sent at Wed 29 Apr 2026, 17:30 CEST (15:30 UTC); it is preparing to join"),
        (WITHHELD, "none is sent: it would be kept out as the first was"),
    ],
)
def test_the_alert_about_the_first_says_what_is_known_of_a_second(second: Reason, words: str) -> None:
    message = Alert((alert(second),), LINKS)
    assert f"Second agent {words}" in " ".join(message.text.split())
    assert f"second agent: {words}" in message.chat.replace("\\n", " ")
    shown = json.loads(message.machine)["agents"][0]["second_agent"]
    assert (shown["code"], shown["values"]) == (second.code, dict(second.values))
    change = change_of_agent(ChangeType.TRIGGER, alert(second), LINKS, None)
    assert change.detail == f"unknown, Cronofy gave none; second agent: {words}"


def test_many_alerts_name_the_second_agent_of_each() -> None:
    one, other = alert(DUE), replace(alert(WITHHELD), agent_id="ma_other")
    text = Alert((one, other), LINKS).text
    assert text.count("second agent: one is sent") == text.count("second agent: none is sent") == 1


@pytest.mark.parametrize(
    ("second", "is_repeated"),
    [
        (DUE, False),
        (sent(State.REQUESTED), False),
        (sent(State.SCHEDULED), False),
        (sent(State.ACTIVATED), False),
        (sent(State.FAILED), True),
        (WITHHELD, True),
        (None, True),
    ],
)
def test_no_person_is_to_bring_a_third_agent_while_a_second_may_come(second: Reason | None, is_repeated: bool) -> None:
    steps = " ".join(next_steps(alert(second)))
    assert ("Then send the same request again" in steps) is is_repeated
    assert ("Do not send the request again: a second agent" in steps) is not is_repeated


def test_the_alert_about_a_second_agent_says_that_it_is_one() -> None:
    message = Alert((of_second(),), LINKS)
    assert message.subject.startswith("[critical] prod: Second meeting agent failed: ")
    assert message.text.startswith('The second meeting agent for "Quarterly review" failed')
    assert "Then send the same request again" in message.text


def digest(*outcomes: str) -> Digest:
    begins = datetime(2026, 4, 29, tzinfo=UTC)

    def row(number: int, **more: Any) -> dict[str, Any]:
        meeting = {"start": START.isoformat(), "summary": "x"}
        return {"pk": f"ma_{number}", "state": "failed", "since": START.isoformat(), "meeting": meeting} | more

    rows = [row(0), *(row(number, second_agent=outcome) for number, outcome in enumerate(outcomes, 1))]
    made = Digest(date(2026, 4, 29), "UTC", LINKS, begins=begins, now=START)
    for each in rows:
        made.add(each)
    return made


def test_the_digest_counts_the_outcomes_of_second_agents() -> None:
    made = digest("reported", "reported", "not_needed")
    texts = json.loads(made.message)
    assert "Second agents\n     2  would have been sent; no agent came without it\n     1  not needed" in texts["email"]
    assert json.loads(texts["default"])["second_agents"] == {"reported": 2, "not_needed": 1}


def test_the_digest_without_second_agents_says_nothing_of_them() -> None:
    assert "econd agents" not in digest().message
    assert SECOND_AGENTS.keys() == set(Outcome)
    assert "second_agent" in ATTRIBUTES
