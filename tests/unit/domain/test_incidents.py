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
from meeting_agents.domain.model import (
    MAX_REMINDERS,
    AlertStatus,
    DeadlineType,
    EntryType,
    IncidentType,
    Record,
    Severity,
    State,
)
from meeting_agents.domain.verdicts import Step
from tests.unit.domain.test_lifecycle import (
    AWAY,
    DASHBOARD,
    MINUTE,
    NOON,
    START,
    TRANSCRIPT,
    History,
    kept,
    moved,
    scheduled,
)

COLUMNS = ("opened_by", "resolved_by", "dropped_by")


def failing() -> History:
    return scheduled().report(EntryType.CONFERENCING_FAILING)


def failed_before() -> History:
    return scheduled().report(EntryType.FAILED).request()


def refused() -> History:
    return History().request().answer(EntryType.REJECTED)


def silent() -> History:
    return scheduled().overdue(DeadlineType.ACTIVATION)


def without_end() -> History:
    return scheduled().report(EntryType.ACTIVATED).overdue(DeadlineType.COMPLETION)


def without_transcript() -> History:
    return scheduled().report(EntryType.COMPLETE).overdue(DeadlineType.RESOURCES, missing=("transcript",))


EXAMPLES: list[tuple[IncidentType, str, int, Callable[[], History]]] = [
    (IncidentType.NOT_CANCELLED, "opened_by", 0, kept),
    (
        IncidentType.NOT_CANCELLED,
        "opened_by",
        0,
        lambda: History().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=NOON).answer(EntryType.REJECTED),
    ),
    (IncidentType.NOT_CANCELLED, "opened_by", 1, lambda: scheduled().request(AWAY).report(EntryType.ACTIVATED)),
    (IncidentType.NOT_CANCELLED, "resolved_by", 0, lambda: kept().cancel()),
    (IncidentType.NOT_CANCELLED, "resolved_by", 1, lambda: kept().request(moved(MINUTE))),
    (IncidentType.NOT_CANCELLED, "dropped_by", 0, lambda: kept().report(EntryType.COMPLETE)),
    (IncidentType.NOT_CANCELLED, "dropped_by", 0, lambda: kept().report(EntryType.FAILED)),
    (IncidentType.NEVER_ACTIVATED, "opened_by", 0, silent),
    (IncidentType.NEVER_ACTIVATED, "resolved_by", 0, lambda: silent().report(EntryType.ACTIVATED)),
    (IncidentType.NEVER_ACTIVATED, "resolved_by", 0, lambda: silent().report(EntryType.COMPLETE)),
    (IncidentType.NOT_FINISHED, "opened_by", 0, without_end),
    (IncidentType.NOT_FINISHED, "resolved_by", 0, lambda: without_end().report(EntryType.COMPLETE)),
    (IncidentType.RESOURCES_MISSING, "opened_by", 0, without_transcript),
    (
        IncidentType.RESOURCES_MISSING,
        "resolved_by",
        0,
        lambda: without_transcript().report(EntryType.COMPLETE, resources=(DASHBOARD, TRANSCRIPT)),
    ),
    (IncidentType.NO_CONFERENCE, "opened_by", 0, lambda: scheduled().overdue(DeadlineType.CONFERENCE)),
    (IncidentType.NO_CONFERENCE, "opened_by", 1, failing),
    (IncidentType.NO_CONFERENCE, "opened_by", 1, lambda: History().report(EntryType.CONFERENCING_FAILING)),
    (IncidentType.NO_CONFERENCE, "resolved_by", 0, lambda: failing().report(EntryType.CONFERENCING_ASSIGNED)),
    (IncidentType.NO_CONFERENCE, "resolved_by", 1, lambda: failing().report(EntryType.ACTIVATED)),
    (IncidentType.NO_CONFERENCE, "resolved_by", 1, lambda: failing().report(EntryType.COMPLETE)),
    (IncidentType.FAILED, "opened_by", 0, lambda: scheduled().report(EntryType.FAILED)),
    (IncidentType.FAILED, "opened_by", 0, lambda: History().report(EntryType.FAILED)),
    (IncidentType.FAILED, "resolved_by", 0, lambda: failed_before().report(EntryType.ACTIVATED)),
    (IncidentType.FAILED, "resolved_by", 0, lambda: failed_before().report(EntryType.COMPLETE)),
    (IncidentType.REJECTED, "opened_by", 0, refused),
    (IncidentType.REJECTED, "resolved_by", 0, lambda: refused().request().answer(EntryType.ACCEPTED)),
    (IncidentType.REJECTED, "resolved_by", 0, lambda: refused().report(EntryType.ACTIVATED)),
    (IncidentType.REJECTED, "resolved_by", 0, lambda: refused().report(EntryType.COMPLETE)),
    (
        IncidentType.REAUTHORISATION,
        "opened_by",
        0,
        lambda: History().request().answer(EntryType.UNCONFIRMED, cause=IncidentType.REAUTHORISATION),
    ),
    (IncidentType.CONFLICTING, "opened_by", 0, lambda: scheduled().report(EntryType.COMPLETE).report(EntryType.FAILED)),
    (IncidentType.MISMATCHED, "opened_by", 0, lambda: scheduled().report(EntryType.FAILED, event_id="evt_2")),
]
"""The type, the column of its row, the condition's index in the column, and a history that ends with it."""


def conditions(cause: IncidentType, column: str) -> tuple[Condition, ...]:
    found: tuple[Condition, ...] = getattr(RULES[cause], column)
    return found


def test_every_type_has_a_row_and_only_an_incident_ends() -> None:
    assert [*RULES] == [*INCIDENTS, *NOTICES]
    assert RULES.keys() == SEVERITIES.keys() == set(IncidentType)
    assert all(rule.resolved_by for rule in INCIDENTS.values())
    assert not any(rule.resolved_by or rule.dropped_by or rule.reminded_in for rule in NOTICES.values())


def test_every_condition_of_the_table_has_an_example() -> None:
    every = {
        (cause, column, index)
        for cause, column in product(RULES, COLUMNS)
        for index in range(len(conditions(cause, column)))
    }
    assert {(cause, column, index) for cause, column, index, _ in EXAMPLES} == every


@pytest.mark.parametrize(("cause", "column", "index", "example"), EXAMPLES)
def test_a_row_opens_resolves_and_drops_by_each_of_its_conditions(
    cause: IncidentType, column: str, index: int, example: Callable[[], History]
) -> None:
    last = example().last
    holding = [number for number, one in enumerate(conditions(cause, column)) if one.holds(last)]
    assert holding == [index]
    alert, incident = {
        "opened_by": ((AlertStatus.FIRING, cause), cause if cause in INCIDENTS else None),
        "resolved_by": ((AlertStatus.RESOLVED, cause), None),
        "dropped_by": ((None, None), None),
    }[column]
    assert ((last.status, last.cause), last.after.incident) == (alert, incident)
    assert column == "opened_by" or last.before.incident is cause


@pytest.mark.parametrize("example", [example for *_, example in EXAMPLES])
def test_a_step_opens_one_incident_at_most(example: Callable[[], History]) -> None:
    """Or the order of the rows would be a hidden rule."""
    for step in example().steps:
        assert len(opened_by(step)) <= 1


def opened_by(step: Step) -> list[IncidentType]:
    return [cause for cause, rule in INCIDENTS.items() if any(one.holds(step) for one in rule.opened_by)]


@pytest.mark.parametrize(
    "again",
    [
        lambda: kept().report(EntryType.FAILED),
        lambda: kept().overdue(DeadlineType.ACTIVATION),
        lambda: kept().report(EntryType.ACTIVATED).overdue(DeadlineType.COMPLETION),
        lambda: kept().request(AWAY).answer(EntryType.REJECTED),
    ],
)
def test_an_inhibited_incident_does_not_open(again: Callable[[], History]) -> None:
    history = again()
    assert opened_by(history.last)
    assert history.causes == [IncidentType.NOT_CANCELLED]


def test_a_notice_is_not_inhibited_and_leaves_the_open_incident() -> None:
    history = kept().report(EntryType.FAILED, event_id="evt_2")
    assert history.last.cause is IncidentType.MISMATCHED
    assert history.record.incident is IncidentType.NOT_CANCELLED


REMINDED = {
    IncidentType.NOT_CANCELLED: set(State) - {State.COMPLETE, State.CANCELLED},
    IncidentType.NEVER_ACTIVATED: {State.FAILED, State.REJECTED, State.OVERDUE},
    IncidentType.FAILED: {State.FAILED, State.REJECTED, State.OVERDUE},
    IncidentType.REJECTED: {State.FAILED, State.REJECTED, State.OVERDUE},
}


@pytest.mark.parametrize(("cause", "state"), [*product(INCIDENTS, State)])
def test_a_critical_incident_has_reminders_until_it_is_under_way_or_acknowledged(
    cause: IncidentType, state: State
) -> None:
    record = alerted_record(cause, state)
    assert is_unacknowledged(record) is (state in REMINDED.get(cause, set()))
    assert not is_unacknowledged(replace(record, acknowledged_at=NOON))
    assert not is_unacknowledged(replace(record, alerted_at=None))
    assert not is_unacknowledged(replace(record, escalations=MAX_REMINDERS))
    assert not is_unacknowledged(replace(record, incident=None))


def alerted_record(cause: IncidentType, state: State) -> Record:
    record = scheduled().record
    attempt = replace(record.current, state=state)
    return replace(record, attempts=(attempt,), incident=cause, alerted_at=NOON, escalations=MAX_REMINDERS - 1)


def test_only_a_critical_incident_has_reminders() -> None:
    assert {cause for cause, rule in RULES.items() if rule.severity is Severity.CRITICAL} == REMINDED.keys()


def test_a_cancellation_is_requested_until_the_agent_is_wanted_again() -> None:
    """Also after it failed. A cancellation that is not retried leaves the agent expected: it may not have arrived."""
    assert not is_cancellation_requested(scheduled().record)
    assert not is_cancellation_requested(scheduled().request(AWAY).record)
    assert is_cancellation_requested(scheduled().request(AWAY).answer(EntryType.UNCONFIRMED, retry_at=START).record)
    assert is_cancellation_requested(kept().record)
    assert not is_cancellation_requested(kept().request(moved(MINUTE)).record)


@pytest.mark.parametrize("cause", RULES)
def test_a_condition_is_a_sentence_in_one_cell(cause: IncidentType) -> None:
    """As the README shows it."""
    words = [one.words for column in COLUMNS for one in conditions(cause, column)]
    assert len(set(words)) == len(words)
    assert all(one.endswith(".") and one[0].isupper() and not {*one} & {"|", "\n"} for one in words)


def test_an_incident_has_the_time_at_which_it_opened_until_it_is_resolved() -> None:
    opened = silent()
    assert opened.record.incident_opened_at == opened.last.entry.at
    assert opened.report(EntryType.COMPLETE).record.incident_opened_at is None
