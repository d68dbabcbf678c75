"""The effect of an outage, as it is printed."""

from datetime import UTC, datetime

import pytest

from tests.simulation import what_if

NINE = datetime(2026, 3, 10, 9, tzinfo=UTC)


def test_the_meetings_without_an_agent_and_the_alerts_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was sent to Cronofy in these ten minutes, and each caller has an error in hand."""
    assert what_if.run("aws:10m", NINE) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "120 meetings around 10 Mar 09:00 to 10 Mar 09:10, without aws"
    assert "1 meeting would be without an agent, 0 would get one late" in lines
    assert "  10 Mar 10:30  without an agent: requested 10 Mar 09:00 by account, answered 503, 503, 503, 503" in lines
    assert "0 alerts" in lines
    assert "the judge: 0 faults of the product's" in lines


def test_the_same_fault_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert what_if.run("callbacks:1h", NINE) == 0
    lines = capsys.readouterr().out.splitlines()
    [of_silence] = [line for line in lines if "false critical" in line and "never_activated" in line]
    assert of_silence.startswith("  25 times false critical, 10 Mar 09:40 to 10 Mar 10:10: never_activated")
    assert any("No callbacks from Cronofy's data center us" in line for line in lines)


@pytest.mark.parametrize("outage", ["cronofy", "cronofy:2", "rain:2h", "cronofy:2h:3"])
def test_another_outage_is_refused(outage: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert what_if.run(outage, NINE) == 2
    assert "cronofy:2h" in capsys.readouterr().out
