"""The weekly drill on the deployed system: fired, reminded of, seen by each kind of reader, acknowledged, resolved."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from meeting_agents.domain.drills import DRILL
from tests.component.test_drill import FIRED, HEARD
from tests.sandbox.stage import Stage, wait_until

PATIENT = 60.0
"""Seconds to wait at most for what a channel takes after pauses."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A stack of its own, on which a drill is due, with a pager, a chat and reminders after seconds."""
    drill = f"{datetime.now(UTC):%a-%H}".upper()
    with Stage(parameters={"Drill": drill, "TimeZone": "Etc/UTC", "EscalateAfter": "6"}) as stage:
        stage.receivers.store(stage.stack, more=[stage.receivers.stored[name] for name in ("pager", "team")])
        yield stage


def _subjects(stage: Stage) -> list[str]:
    return [mail["subject"].replace("meeting-agents: ", "prod: ") for mail in stage.emails()]


def test_a_drill_reaches_every_reader_and_ends_when_a_person_acknowledges_it(stage: Stage) -> None:
    pager = stage.receivers.pagerduty.alerts
    assert wait_until(lambda: FIRED in _subjects(stage) or None, PATIENT), stage.emails()
    assert wait_until(lambda: DRILL.key in pager or None, PATIENT)
    assert wait_until(lambda: any("reminder 1/2" in subject for subject in _subjects(stage)) or None, PATIENT)
    assert pager[DRILL.key].messages[0]["payload"]["severity"] == "critical"
    [row] = stage.api.get("/v1/incidents", params={"type": "drill"}).json()["incidents"]
    assert (row["dedup_key"], row["status"], row["severity"]) == (DRILL.key, "open", "critical")

    answer = stage.api.post(f"/v1/incidents/{DRILL.key}/acknowledgement", json={"note": "I hear it"})

    assert (answer.status_code, answer.json()["status"]) == (200, "over"), answer.text
    assert wait_until(lambda: pager[DRILL.key].status == "resolved" or None, PATIENT)
    assert wait_until(lambda: HEARD in _subjects(stage) or None, PATIENT)
    [resolved] = [message for message in stage.alerts.messages() if message["status"] == "resolved"]
    assert '"I hear it".' in resolved["group"]["detail"]
    titles = [message["blocks"][0]["text"]["text"] for message in stage.receivers.slack.messages]
    assert titles[0].startswith("Drill, nothing is wrong: ")
    assert titles[-1] == "Over: Drill acknowledged: alerts are heard"
    assert stage.api.get("/v1/incidents", params={"type": "drill"}).json()["incidents"] == []
    assert stage.receivers.pagerduty.opened == 1
    assert _subjects(stage).count(FIRED) == 1
