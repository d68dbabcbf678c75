"""The table of incidents: each of its conditions has an example, which holds by that condition alone."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from meeting_agents.domain.incidents import (
    INCIDENTS,
    NOTICES,
    RULES,
    SEVERITIES,
    Condition,
    is_cancellation_requested,
    is_unacknowledged,
)
from meeting_agents.domain.verdicts import Step
from meeting_agents.vocabulary import ESCALATIONS, Cause, Kind, Phase, Record, Severity, State
from tests.test_lifecycle import AWAY, DASHBOARD, MINUTE, NOON, TRANSCRIPT, History, kept, moved, scheduled

COLUMNS = ("opened_by", "resolved_by", "dropped_by")


def failing() -> History:
    return scheduled().report(Kind.CONFERENCING_FAILING)


def failed_before() -> History:
    return scheduled().report(Kind.FAILED).request()


def refused() -> History:
    return History().request().answer(Kind.REJECTED)


def silent() -> History:
    return scheduled().overdue(Phase.ACTIVATION)


def without_end() -> History:
    return scheduled().report(Kind.ACTIVATED).overdue(Phase.COMPLETION)


def without_transcript() -> History:
    return scheduled().report(Kind.COMPLETE).overdue(Phase.RESOURCES, missing=("transcript",))


EXAMPLES: list[tuple[Cause, str, int, Callable[[], History]]] = [
    (Cause.NOT_CANCELLED, "opened_by", 0, kept),
    (
        Cause.NOT_CANCELLED,
        "opened_by",
        0,
        lambda: History().request(AWAY).answer(Kind.UNCONFIRMED, retry_at=NOON).answer(Kind.REJECTED),
    ),
    (Cause.NOT_CANCELLED, "opened_by", 1, lambda: scheduled().request(AWAY).report(Kind.ACTIVATED)),
    (Cause.NOT_CANCELLED, "resolved_by", 0, lambda: kept().cancel()),
    (Cause.NOT_CANCELLED, "resolved_by", 1, lambda: kept().request(moved(MINUTE))),
    (Cause.NOT_CANCELLED, "dropped_by", 0, lambda: kept().report(Kind.COMPLETE)),
    (Cause.NOT_CANCELLED, "dropped_by", 0, lambda: kept().report(Kind.FAILED)),
    (Cause.NEVER_ACTIVATED, "opened_by", 0, silent),
    (Cause.NEVER_ACTIVATED, "resolved_by", 0, lambda: silent().report(Kind.ACTIVATED)),
    (Cause.NEVER_ACTIVATED, "resolved_by", 0, lambda: silent().report(Kind.COMPLETE)),
    (Cause.NOT_FINISHED, "opened_by", 0, without_end),
    (Cause.NOT_FINISHED, "resolved_by", 0, lambda: without_end().report(Kind.COMPLETE)),
    (Cause.RESOURCES_MISSING, "opened_by", 0, without_transcript),
    (
        Cause.RESOURCES_MISSING,
        "resolved_by",
        0,
        lambda: without_transcript().report(Kind.COMPLETE, resources=(DASHBOARD, TRANSCRIPT)),
    ),
    (Cause.NO_CONFERENCE, "opened_by", 0, lambda: scheduled().overdue(Phase.CONFERENCE)),
    (Cause.NO_CONFERENCE, "opened_by", 1, failing),
    (Cause.NO_CONFERENCE, "opened_by", 1, lambda: History().report(Kind.CONFERENCING_FAILING)),
    (Cause.NO_CONFERENCE, "resolved_by", 0, lambda: failing().report(Kind.CONFERENCING_ASSIGNED)),
    (Cause.NO_CONFERENCE, "resolved_by", 1, lambda: failing().report(Kind.ACTIVATED)),
    (Cause.NO_CONFERENCE, "resolved_by", 1, lambda: failing().report(Kind.COMPLETE)),
    (Cause.FAILED, "opened_by", 0, lambda: scheduled().report(Kind.FAILED)),
    (Cause.FAILED, "opened_by", 0, lambda: History().report(Kind.FAILED)),
    (Cause.FAILED, "resolved_by", 0, lambda: failed_before().report(Kind.ACTIVATED)),
    (Cause.FAILED, "resolved_by", 0, lambda: failed_before().report(Kind.COMPLETE)),
    (Cause.REJECTED, "opened_by", 0, refused),
    (Cause.REJECTED, "resolved_by", 0, lambda: refused().request().answer(Kind.ACCEPTED)),
    (Cause.REJECTED, "resolved_by", 0, lambda: refused().report(Kind.ACTIVATED)),
    (Cause.REJECTED, "resolved_by", 0, lambda: refused().report(Kind.COMPLETE)),
    (
        Cause.REAUTHORISATION,
        "opened_by",
        0,
        lambda: History().request().answer(Kind.UNCONFIRMED, cause=Cause.REAUTHORISATION),
    ),
    (Cause.CONFLICTING, "opened_by", 0, lambda: scheduled().report(Kind.COMPLETE).report(Kind.FAILED)),
    (Cause.MISMATCHED, "opened_by", 0, lambda: scheduled().report(Kind.FAILED, event_id="evt_2")),
]
"""The type, the column of its row, the condition's place in the column, and a history that ends with it."""


def conditions(cause: Cause, column: str) -> tuple[Condition, ...]:
    found: tuple[Condition, ...] = getattr(RULES[cause], column)
    return found


def test_every_type_has_a_row_and_only_an_incident_ends() -> None:
    assert [*RULES] == [*INCIDENTS, *NOTICES]
    assert RULES.keys() | {Cause.RECOVERED} == SEVERITIES.keys() == set(Cause)
    assert all(rule.resolved_by for rule in INCIDENTS.values())
    assert not any(rule.resolved_by or rule.dropped_by or rule.reminded_in for rule in NOTICES.values())


def test_every_condition_of_the_table_has_an_example() -> None:
    every = {
        (cause, column, place)
        for cause, column in product(RULES, COLUMNS)
        for place in range(len(conditions(cause, column)))
    }
    assert {(cause, column, place) for cause, column, place, _ in EXAMPLES} == every


@pytest.mark.parametrize(("cause", "column", "place", "example"), EXAMPLES)
def test_a_row_opens_resolves_and_drops_by_each_of_its_conditions(
    cause: Cause, column: str, place: int, example: Callable[[], History]
) -> None:
    last = example().last
    holding = [number for number, one in enumerate(conditions(cause, column)) if one.holds(last)]
    assert holding == [place]
    told, opened = {
        "opened_by": (cause, cause if cause in INCIDENTS else None),
        "resolved_by": (Cause.RECOVERED, None),
        "dropped_by": (None, None),
    }[column]
    assert (last.cause, last.after.trouble) == (told, opened)
    assert column == "opened_by" or last.before.trouble is cause


@pytest.mark.parametrize("example", [example for *_, example in EXAMPLES])
def test_a_step_opens_one_incident_at_most(example: Callable[[], History]) -> None:
    """Or the order of the rows would be a rule that nobody sees."""
    for step in example().steps:
        assert len(opened_by(step)) <= 1


def opened_by(step: Step) -> list[Cause]:
    return [cause for cause, rule in INCIDENTS.items() if any(one.holds(step) for one in rule.opened_by)]


@pytest.mark.parametrize(
    "again",
    [
        lambda: kept().report(Kind.FAILED),
        lambda: kept().overdue(Phase.ACTIVATION),
        lambda: kept().report(Kind.ACTIVATED).overdue(Phase.COMPLETION),
        lambda: kept().request(AWAY).answer(Kind.REJECTED),
    ],
)
def test_an_inhibited_incident_does_not_open(again: Callable[[], History]) -> None:
    history = again()
    assert opened_by(history.last)
    assert history.causes == [Cause.NOT_CANCELLED]


def test_a_notice_is_not_inhibited_and_leaves_the_open_incident() -> None:
    history = kept().report(Kind.FAILED, event_id="evt_2")
    assert history.last.cause is Cause.MISMATCHED
    assert history.record.trouble is Cause.NOT_CANCELLED


REMINDED = {
    Cause.NOT_CANCELLED: set(State) - {State.COMPLETE, State.CANCELLED},
    Cause.NEVER_ACTIVATED: {State.FAILED, State.REJECTED, State.OVERDUE},
    Cause.FAILED: {State.FAILED, State.REJECTED, State.OVERDUE},
    Cause.REJECTED: {State.FAILED, State.REJECTED, State.OVERDUE},
}


@pytest.mark.parametrize(("cause", "state"), [*product(INCIDENTS, State)])
def test_people_are_reminded_of_what_is_grave_until_it_is_under_way_or_acknowledged(cause: Cause, state: State) -> None:
    record = told(cause, state)
    assert is_unacknowledged(record) is (state in REMINDED.get(cause, set()))
    assert not is_unacknowledged(replace(record, acknowledged_at=NOON))
    assert not is_unacknowledged(replace(record, told_at=None))
    assert not is_unacknowledged(replace(record, escalations=ESCALATIONS))
    assert not is_unacknowledged(replace(record, trouble=None))


def told(cause: Cause, state: State) -> Record:
    record = scheduled().record
    attempt = replace(record.current, state=state)
    return replace(record, attempts=(attempt,), trouble=cause, told_at=NOON, escalations=ESCALATIONS - 1)


def test_only_what_is_grave_is_reminded_of() -> None:
    assert {cause for cause, rule in RULES.items() if rule.severity is Severity.HIGH} == REMINDED.keys()


def test_a_cancellation_is_requested_until_the_agent_is_wanted_again() -> None:
    """Also after it failed."""
    assert not is_cancellation_requested(scheduled().record)
    assert is_cancellation_requested(scheduled().request(AWAY).record)
    assert is_cancellation_requested(kept().record)
    assert not is_cancellation_requested(kept().request(moved(MINUTE)).record)


@pytest.mark.parametrize("cause", RULES)
def test_a_condition_is_a_sentence_in_one_cell(cause: Cause) -> None:
    """As the README shows it."""
    words = [one.words for column in COLUMNS for one in conditions(cause, column)]
    assert len(set(words)) == len(words)
    assert all(one.endswith(".") and one[0].isupper() and not {*one} & {"|", "\n"} for one in words)
