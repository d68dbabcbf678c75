"""The journals of a stack, lived again: the same parameters give the same alerts, and others give others."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import rerun
from tests.simulation.chance import month
from tests.simulation.deployed import parameters
from tests.simulation.histories import NINE
from tests.simulation.rerun import Journals, alerts_of
from tests.simulation.scripts import Act, MonthScript, Script
from tests.simulation.world import live


@cache
def journals_of(script: MonthScript) -> Journals:
    """Return the journals of a simulated month, as a stack's own."""
    triggers = dict(script.parameters).get("EVENT_TRIGGERS", "on")
    return Journals({**parameters(), "EventTriggers": triggers}, live(script).entries)


@pytest.mark.parametrize(
    ("script", "allowed"),
    [(month(1, 70), 0), (month(2, 70), 0), (month(3, 50, is_rough=True), 4)],
    ids=["event triggers", "without event triggers", "while AWS fails and accounts are revoked"],
)
def test_the_same_parameters_give_the_same_alerts(script: MonthScript, allowed: int) -> None:
    """All that happened is in the journals, but for functions that failed: an alert of theirs came later."""
    journals = journals_of(script)
    before = alerts_of(journals.items)
    assert len(before) > 15
    *differ, _ = rerun.differences(before, rerun.rerun(journals, journals.parameters), {})
    assert len(differ) <= allowed
    assert all(": would be" in line for line in differ)


def test_more_patience_with_silence_gives_fewer_and_later_alerts() -> None:
    late = Script(1, NINE, agents=("late, after the alert",))
    silent = Script(2, NINE, agents=("never comes",), acts=(Act(-100.0, "retitles"),))
    journals = journals_of(MonthScript(1, (late, silent)))
    before = alerts_of(journals.items)
    after = rerun.rerun(journals, {**journals.parameters, "ActivationGracePeriod": "1200"})
    *lines, count = rerun.differences(before, after, {silent_id(before): "Standup"})
    assert [line.partition("  (")[0] for line in lines] == [
        "  02 Mar 09:10  firing critical never_activated: was sent, and would not be",
        "  02 Mar 09:10  firing critical never_activated: would be 02 Mar 09:20  firing critical never_activated",
        "  02 Mar 09:16  resolved critical never_activated: was sent, and would not be",
    ]
    assert lines[1].endswith("(Standup)")
    assert count == "3 of 3 alerts differ"


def silent_id(alerts: Mapping[tuple[str, str], rerun.Alerted]) -> str:
    """Return the agent whose alert was never resolved."""
    resolved = {alert.agent_id for alert in alerts.values() if alert.status == "resolved"}
    return next(alert.agent_id for alert in alerts.values() if alert.agent_id not in resolved)


def write(file: Path, journals: Journals) -> None:
    """Write journals as `operate.export` does; the test of the command has a real file."""
    lines: Sequence[Any] = [{"parameters": dict(journals.parameters)}, *journals.items]
    file.write_text("\n".join(json.dumps(line, default=rerun.to_base64) for line in lines), encoding="utf-8")


def test_the_report_says_how_far_it_can_be_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, journals = tmp_path / "week.jsonl", journals_of(MonthScript(1, (Script(1, NINE, agents=("never comes",)),)))
    write(file, journals)
    assert rerun.read(file) == journals
    assert rerun.run(file, {"ActivationGracePeriod": "300"}) == 0
    first, line, count = capsys.readouterr().out.splitlines()
    assert first == "1 alerts were sent; with the stack's own parameters 1 of them come out as they were"
    assert line.startswith("  02 Mar 09:10  firing critical never_activated: would be 02 Mar 09:05")
    assert count == "1 of 1 alerts differ"
    assert f"{datetime.fromtimestamp(NINE, UTC):%d %b %H:%M}" == "02 Mar 09:00"


def test_an_unknown_or_wrong_parameter_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "week.jsonl"
    write(file, journals_of(MonthScript(1, (Script(1, NINE),))))
    assert rerun.run(file, {"ActivationGrace": "5"}) == 2
    assert capsys.readouterr().out == "the template has no parameter ActivationGrace\n"
    assert rerun.run(file, {"ActivationGracePeriod": "five"}) == 2
    assert "ACTIVATION_GRACE_PERIOD must be a number, not 'five'" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "", "a page", "{}"], ids=["missing", "empty", "a page", "no head"])
def test_a_file_that_is_no_journal_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    file = tmp_path / "week.jsonl"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    assert rerun.run(file, {}) == 2
    assert capsys.readouterr().out.startswith(f"{file} is no exported journal (")
