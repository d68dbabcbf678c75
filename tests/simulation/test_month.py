"""A simulated month in small: the judge finds nothing in it, and finds what is put back on purpose.

`make simulate` lives whole months. What was once found there is here in its shortest form.
"""

import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from tests.simulation import deployed, months, put_back
from tests.simulation.chance import month
from tests.simulation.findings import BY_HAND, LOST
from tests.simulation.histories import EXPIRED_CANCELLATION, HISTORIES, NINE
from tests.simulation.judge import judge
from tests.simulation.months import Found, Part, all_of, part_with, pasteable, shrink, story, tried
from tests.simulation.once_found import ONCE_FOUND
from tests.simulation.scheduler import Scheduler
from tests.simulation.scripts import Act, MonthScript, Script, everything
from tests.simulation.virtual_time import virtual_time
from tests.simulation.world import live


@pytest.mark.parametrize("script", [script for script, _ in HISTORIES.values()], ids=HISTORIES)
def test_the_alerts_are_true(script: MonthScript) -> None:
    total = tried(script)
    assert total.found == []
    assert not [name for name in total.happened if name.startswith("error: ")]


@pytest.mark.parametrize("script", ONCE_FOUND.values(), ids=ONCE_FOUND)
def test_what_was_once_found_is_found_no_more(script: MonthScript) -> None:
    total = tried(script)
    assert total.found == []
    assert not [name for name in total.happened if name.startswith("error: ")]


@pytest.mark.parametrize(("script", "fault"), HISTORIES.values(), ids=HISTORIES)
def test_the_judge_finds_a_fault_that_is_put_back(script: MonthScript, fault: str) -> None:
    with put_back.put_back(fault):
        assert tried(script).found


@pytest.mark.parametrize("fault", put_back.FAULTS)
def test_each_fault_can_be_put_back(fault: str) -> None:
    """The function that it changes still exists."""
    with put_back.put_back(fault):
        pass


def test_a_request_that_waits_is_not_sent_again_after_its_cancellation_failed() -> None:
    """Cronofy would take it now, and an agent would be in a meeting from which it was switched off."""
    with put_back.put_back("a request that waits is sent again after its cancellation failed"):
        (meeting,) = live(EXPIRED_CANCELLATION).meetings
        assert [agent.joined_at is not None for agent in meeting.event.agents] == [True]
    (meeting,) = live(EXPIRED_CANCELLATION).meetings
    assert meeting.event.agents == []


def test_a_month_of_many_meetings_is_without_fault() -> None:
    """With outages, retries, moves and faults of AWS."""
    total = tried(month(5, 120))
    assert total.found == []
    assert total.obligations > 10
    assert total.dead_letters == 0


def test_each_behaviour_and_each_fault_occurs_in_a_quick_month() -> None:
    """The figures say nothing about what never occurs."""
    happened = live(month(108, 300, is_rough=True)).happened
    assert {name for name in everything() if not happened[name]} == set()


def test_the_same_seed_gives_the_same_month() -> None:
    script = month(2, 20)
    first, second = (live(script) for _ in range(2))
    assert [(alert.at, alert.content["subject"]) for alert in first.alerts] == [
        (alert.at, alert.content["subject"]) for alert in second.alerts
    ]
    assert first.happened == second.happened


@pytest.mark.parametrize("environment", [{"TZ": "Asia/Kolkata", "LC_ALL": "C"}, {"TZ": "America/St_Johns"}], ids=str)
def test_neither_time_zone_nor_locale_nor_hash_seed_changes_a_month(environment: dict[str, str]) -> None:
    program = (
        "import json; from tests.simulation.chance import month; from tests.simulation.world import live;"
        " print(json.dumps([(alert.at, alert.content) for alert in live(month(2, 20)).alerts]))"
    )
    hash_seed = {"PYTHONHASHSEED": str(len(environment))}
    paths = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, env=environment | hash_seed | paths, check=True, capture_output=True, text=True)
    expected = [[alert.at, alert.content] for alert in live(month(2, 20)).alerts]
    assert json.loads(printed.stdout) == json.loads(json.dumps(expected))


def test_every_part_of_the_product_has_the_clock_the_threads_and_the_chance_of_the_month() -> None:
    """Their real ones are in no module, except for what only holds a value or is held for a moment."""
    real = [time, random, datetime, Thread, ThreadPoolExecutor, uuid4]
    with virtual_time(Scheduler(NINE), random.Random(1)):
        loaded = [m for name, m in sys.modules.items() if name.startswith(("meeting_agents", "functions."))]
        kept = [(m.__name__, n) for m in loaded for n, value in vars(m).items() if any(value is r for r in real)]
    assert len(loaded) > 50
    assert kept == []


def test_what_nobody_could_know_is_no_fault() -> None:
    erased = Script(1, NINE, caller="own token", acts=(Act(-60.0, "erases"),))
    assert [fault.excuse for fault in judge(live(MonthScript(1, (erased,)))).faults] == [BY_HAND]
    unheard = Script(1, NINE, conference="none", callbacks=((2, "lost"),))
    assert [fault.excuse for fault in judge(live(MonthScript(1, (unheard,)))).faults] == [LOST]


def test_a_failing_month_is_shrunk_to_its_shortest_history() -> None:
    """It is printed as one that can be pasted into a test."""
    script = replace(month(4, 6), meetings=(*month(4, 6).meetings, Script(6, NINE, agents=("never comes",), tries=3)))
    with put_back.put_back("an agent that does not come is no incident"):
        (found,) = [f for f in tried(script).found if f.meeting == 6]
        shortest = shrink(script, found)
    assert (
        pasteable(shortest)
        == f"MonthScript(seed=4, meetings=(Script(number=6, start={NINE}, agents=('never comes',)),))"
    )
    assert found == Found("missed", 4, 6, "no agent was in the meeting")


def test_a_month_is_printed_as_a_story() -> None:
    lines = list(story(MonthScript(1, (Script(1, NINE, agents=("fails at once",)),)), lambda _: True))
    assert any("an alert is sent: [critical] meeting-agents: Meeting agent failed" in line for line in lines)


def test_what_is_remembered_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Journals that are read and folded anew each time give the same month."""
    script = month(3, 40, is_rough=True)
    with_memory = live(script)
    monkeypatch.setattr(deployed, "remembered", nullcontext)
    without = live(script)
    assert [(alert.at, alert.content) for alert in with_memory.alerts] == [
        (alert.at, alert.content) for alert in without.alerts
    ]
    assert with_memory.verdicts == without.verdicts
    assert len(without.alerts) > 5


def test_a_month_is_lived_in_parts_of_a_size_that_no_machine_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is a stack of its own, in the same weather."""
    script = month(3, 70)
    assert [part_with(3, 70, number).meetings for number in (0, 69)] == [script.meetings, script.meetings]
    monkeypatch.setattr(months, "PART", 25)
    assert [len(part) for part in months.parts(70)] == [25, 25, 20]
    assert part_with(3, 70, 60).meetings == script.meetings[50:]
    assert part_with(3, 70, 60).windows == script.windows
    (total,) = all_of([3], 70, 1)
    assert total.meetings == 70
    assert total.seeds == [3]


def test_many_months_that_were_interrupted_go_on_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was found is read, and is the same; other parameters are other months."""
    (lived,) = all_of([3], 40, 1, kept=tmp_path)
    assert lived.sent
    part = Part(3, range(40), kept=tmp_path)
    monkeypatch.setattr(months, "tried", lambda script: pytest.fail("it was tried again"))
    assert replace(months.found_in(part), seeds=[3]) == lived
    for other in (replace(part, parameters=(("RESCUE", "once"),)), replace(part, seed=4), replace(part, kept=None)):
        with pytest.raises(pytest.fail.Exception, match="tried again"):
            months.found_in(other)


def test_what_was_found_counts_only_for_the_same_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(months, "ROOT", tmp_path)
    (tmp_path / "layers/shared").mkdir(parents=True)
    code, template = tmp_path / "layers/shared/rule.py", tmp_path / "template.yaml"
    folders = []
    for path, text in ((template, "a"), (code, "a"), (code, "b"), (template, "b")):
        path.write_text(text)
        folders.append(months.kept_folder())
    assert len({*folders}) == 4
    assert months.kept_folder() == folders[-1]
