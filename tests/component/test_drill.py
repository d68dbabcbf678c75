"""The weekly drill from its hour to the last word about it, on real tables and to the receivers of channels."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from functions.alert import app as alert_app
from meeting_agents.alerting.group_alert import GroupAlert
from meeting_agents.domain.drills import DRILL, DrillTime
from meeting_agents.domain.groups import DRILL_PATIENCE, Group
from meeting_agents.domain.model import IncidentType, Severity
from meeting_agents.domain.silences import Silence
from meeting_agents.errors import NotFound
from meeting_agents.incident_list import Filter, IncidentList, IncidentStatus
from meeting_agents.operations import acknowledge_group
from tests.component.test_forwarding import Office
from tests.component.test_publishing import Topic
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws
from tests.sandbox.receivers import Receivers
from tests.unit.alerting.test_message import LINKS

MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)
FIRED = "[critical] prod: Drill, nothing is wrong: acknowledge it to show that alerts are heard"
HEARD = "[resolved] prod: Drill acknowledged: alerts are heard"
UNHEARD = "[resolved] prod: Drill over, and no one acknowledged it: alerts may not be heard"


class DrillOffice(Office):
    """An office with a drill in this hour, and with the minutes in which the sweep, `alert` and `forward` run."""

    escalation: timedelta | None = None

    def __init__(self, desk: Desk, receivers: Receivers, http: httpx.Client) -> None:
        super().__init__(desk, receivers, http)
        desk.now = desk.now.replace(minute=10, second=0)
        self.stored = [receivers.stored["pager"], receivers.stored["desk"]]
        self.time: DrillTime | None = DrillTime(desk.now.weekday(), desk.now.hour, "Etc/UTC")
        self.counted: list[tuple[str, float]] = []

    def minute(self, *, is_alerting: bool = True) -> set[Group]:
        """A minute: the sweep, and what follows of it. The groups that the sweep sent to the queue."""
        self.desk.now += MINUTE
        groups = self.desk.groups()
        groups.begin_drill(self.time, self.desk.now)
        owing = set(groups.owing(groups.firing(), self.escalation, self.desk.now))
        if owing and is_alerting:
            self.desk.now += timedelta(seconds=30)
            self.alert(groups=owing)
            self.forward(*owing)
        return owing

    def acknowledge(self) -> None:
        acknowledge_group(self.desk.groups(), DRILL, "I hear it", "marty", self.desk.now)

    def open(self) -> list[IncidentType]:
        listed = IncidentList(self.desk.journal(), self.desk.groups(), LINKS, lambda: self.desk.now)
        return [incident.type for incident in listed.of_groups(Filter())]

    @property
    def mails(self) -> list[str]:
        assert isinstance(self.topic, Topic)
        return self.topic.subjects

    @property
    def pages(self) -> list[str]:
        return [content["event_action"] for content in self.receivers.pagerduty.alerts[DRILL.key].messages]


@pytest.fixture
def office(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[DrillOffice]:
    with Desk(aws) as desk, Receivers() as receivers, httpx.Client(trust_env=False) as http:
        office = DrillOffice(desk, receivers, http)

        def count(name: str, unit: Any, value: float) -> None:
            office.counted += [(name, value)] if name == "DrillsUnheard" else []

        monkeypatch.setattr(alert_app.metrics, "add_metric", count)
        yield office


def test_a_drill_goes_the_whole_way_and_is_over_when_a_person_acknowledged_it(office: DrillOffice) -> None:
    assert office.minute() == {DRILL}
    assert office.open() == [IncidentType.DRILL]
    assert [office.minute() for _ in range(5)] == [set()] * 5, "it is sent once"
    office.acknowledge()
    office.forward(DRILL)  # the stream has the write
    assert office.minute() == {DRILL}
    assert [office.minute() for _ in range(400)] == [set()] * 400, "and so is its end, also while its hour lasts"

    assert office.mails == [FIRED, HEARD]
    assert office.pages == ["trigger", "acknowledge", "resolve"]
    assert [alert.status for alert in office.receivers.jira.alerts.values()] == ["resolved"]
    assert office.counted == [("DrillsUnheard", 0)]
    assert office.open() == []


def test_a_drill_that_no_one_acknowledges_is_over_once_and_the_next_one_begins_anew(office: DrillOffice) -> None:
    office.minute()
    office.desk.now += DRILL_PATIENCE - 5 * MINUTE
    assert office.minute() == set()
    office.desk.now += 5 * MINUTE
    assert office.minute() == {DRILL}
    assert [office.minute() for _ in range(5)] == [set()] * 5
    assert (office.mails, office.counted) == ([FIRED, UNHEARD], [("DrillsUnheard", 1)])
    with pytest.raises(NotFound):
        office.acknowledge()

    office.desk.now += WEEK - DRILL_PATIENCE
    assert (office.minute(is_alerting=False), office.open()) == ({DRILL}, []), "no one was alerted of it yet"
    assert office.minute() == {DRILL}
    office.acknowledge()
    office.minute()
    assert office.mails == [FIRED, UNHEARD, FIRED, HEARD]
    assert office.counted[1:] == [("DrillsUnheard", 0)], "which ends the alarm"
    assert office.receivers.pagerduty.opened == 2


def test_reminders_of_a_drill_are_those_of_a_critical_incident(office: DrillOffice) -> None:
    office.escalation = HOUR
    journal = office.desk.journal()
    grace_periods = replace(journal.grace_periods, escalation=HOUR)
    office.desk.journal = lambda: _with(journal, grace_periods)  # type: ignore[method-assign]
    found = [office.minute() for _ in range(600)]
    assert sum(map(bool, found)) == 3
    reminders = [FIRED.replace("critical", f"critical, reminder {number}/2") for number in (1, 2)]
    assert office.mails == [FIRED, *reminders]
    office.acknowledge()
    office.minute()
    assert office.mails[3:] == [HEARD]


def _with(journal: Any, grace_periods: Any) -> Any:
    journal.grace_periods = grace_periods
    return journal


def test_a_silence_holds_a_drill_back_until_its_end(office: DrillOffice) -> None:
    start, end = office.desk.now - HOUR, office.desk.now + timedelta(days=2)
    assert office.desk.silences().put(Silence(name="all", start=start, end=end, why="we move"), office.desk.now)
    assert [office.minute() for _ in range(3)] == [{DRILL}] * 3
    assert (office.mails, office.open()) == ([], [])
    office.desk.now = end
    assert office.minute() == {DRILL}
    assert office.mails == [FIRED]
    assert office.minute() == set(), "its day begins with the alert"


def test_a_drill_whose_alert_was_lost_is_sent_by_a_later_sweep(office: DrillOffice) -> None:
    assert [office.minute(is_alerting=False) for _ in range(3)] == [{DRILL}] * 3
    assert office.minute() == {DRILL}
    assert office.mails == [FIRED]


def test_two_sweeps_begin_one_drill(office: DrillOffice) -> None:
    groups = office.desk.groups()
    assert [groups.begin_drill(office.time, office.desk.now) for _ in range(2)] == [True, False]
    office.minute()
    assert not groups.begin_drill(office.time, office.desk.now + WEEK), "people have not heard of its end"


def test_without_the_parameter_there_is_no_drill(office: DrillOffice) -> None:
    office.time = None
    assert (office.minute(), office.mails) == (set(), [])


def test_an_acknowledged_drill_is_shown_as_over_until_its_resolved_alert(office: DrillOffice) -> None:
    """The answer to the acknowledgement has it."""
    office.minute()
    office.acknowledge()
    listed = IncidentList(office.desk.journal(), office.desk.groups(), LINKS, lambda: office.desk.now)
    incident = listed.of_group(DRILL)
    assert incident
    assert (incident.status, incident.severity) == (IncidentStatus.OVER, Severity.CRITICAL)
    assert (incident.over_at, office.open()) == (office.desk.now, [])
    office.minute()
    assert listed.of_group(DRILL) is None


def test_the_last_word_says_who_acknowledged_it_and_after_how_long(office: DrillOffice) -> None:
    office.minute()
    office.desk.now += 12 * MINUTE
    office.acknowledge()
    state = office.desk.groups().read(DRILL)
    assert state.last
    alert = GroupAlert(
        group=DRILL,
        status=state.last.status.RESOLVED,
        severity=Severity.CRITICAL,
        state=state,
        agents=(),
        at=office.desk.now,
        links=LINKS,
    )
    assert 'Acknowledged by marty, 12 minutes after the alert: "I hear it".' in alert.text
