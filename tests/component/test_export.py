"""The journals of the running sandbox, exported by the operator's command, and lived again."""

import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.component.test_operate import operate
from tests.component.test_replay import agent, notify
from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION
from tests.sandbox.stage import Stage, wait_until
from tests.simulation import rerun

SPAN = ("--from", "2026-11-22T08:00:00Z", "--to", "2026-11-22T09:00:00Z")


def test_an_export_without_a_file_is_answered_with_an_example() -> None:
    """`make export` without JOURNAL passes an empty text."""
    done = operate("export", *SPAN, "--file", "")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "operate export: error: argument --file: no file is named: set JOURNAL=week.jsonl"
    )


def test_an_exported_journal_can_be_lived_again_with_other_parameters(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has every byte of the agent's notifications, the stack's parameters, and no other agent's entries."""
    agent_id, now = agent(), datetime.now(UTC).replace(microsecond=0)
    times = {"start": (now - timedelta(minutes=5)).isoformat(), "end": (now + timedelta(minutes=40)).isoformat()}
    for name in ("meeting_agent_activated", "meeting_agent_failed"):
        notify(stage, agent_id, name, event=times | {"event_id": agent_id, "summary": "Demo"})
    wait_until(lambda: "alerted" in [entry["kind"] for entry in stage.read(agent_id)["timeline"]], 60)

    file, keys = tmp_path / "week.jsonl", {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret"}
    span = ("--from", times["start"], "--to", (now - timedelta(minutes=4)).isoformat())
    command = [sys.executable, "layers/shared/operate.py", "--stack", stage.stack.name, "export", *span]
    environment = os.environ | keys | {"AWS_ENDPOINT_URL": stage.aws.url, "AWS_DEFAULT_REGION": REGION}
    done = subprocess.run(
        [*command, "--file", str(file)], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    journals = rerun.read(file)
    assert done.stdout == f"{len(journals.items)} entries of 1 agents are in {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {item["pk"]["S"] for item in journals.items} == {agent_id}
    assert sum(isinstance(item.get("zipped", {}).get("B"), bytes) for item in journals.items) == 2
    assert "ActivationGracePeriod" in journals.parameters

    assert rerun.run(file, {"AlertPatience": "0"}) == 0
    assert capsys.readouterr().out.splitlines() == [
        "1 alerts were sent; with the stack's own parameters 1 of them come out as they were",
        "0 of 1 alerts differ",
    ]
