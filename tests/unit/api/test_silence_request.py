"""The body of a silence: its end is a time or a duration."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from meeting_agents.api.silence_request import SilenceRequest
from meeting_agents.errors import InvalidRequest

NOW = datetime(2026, 4, 29, 15, 30, 0, 123456, tzinfo=UTC)
MILLISECOND = datetime(2026, 4, 29, 15, 30, 0, 123000, tzinfo=UTC)


def request(until: Any, **fields: Any) -> SilenceRequest:
    return SilenceRequest.model_validate({"until": until, "why": "x", "agent": ["ma_1"]} | fields)


@pytest.mark.parametrize(
    ("until", "end"),
    [
        ("PT2H", MILLISECOND + timedelta(hours=2)),
        ("P3D", MILLISECOND + timedelta(days=3)),
        ("P1DT2H30M", MILLISECOND + timedelta(days=1, hours=2, minutes=30)),
        ("PT90M", MILLISECOND + timedelta(minutes=90)),
        ("2026-04-29T23:00:00Z", datetime(2026, 4, 29, 23, tzinfo=UTC)),
        ("2026-04-29T23:00:00.123999+02:00", datetime(2026, 4, 29, 21, 0, 0, 123000, tzinfo=UTC)),
    ],
)
def test_the_end_is_a_time_or_a_duration_after_the_start(until: str, end: datetime) -> None:
    silence = request(until).silence("name", "ann", NOW)
    assert (silence.start, silence.end, silence.by) == (MILLISECOND, end, "ann")


def test_a_duration_counts_from_a_start_that_is_named() -> None:
    silence = request("PT1H", **{"from": "2026-05-01T10:00:00+02:00"}).silence("name", "", NOW)
    assert silence.start == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert silence.end == datetime(2026, 5, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "until", ["", "P", "PT", "2H", "P1Y", "PT1H ", "2026-04-29T23:00:00", "2026-04-29", 7200, None, ["PT2H"], "soon"]
)
def test_another_end_is_refused_in_words(until: object) -> None:
    with pytest.raises(ValidationError) as refused:
        request(until)
    (error,) = refused.value.errors()
    assert error["loc"] == ("until",)
    assert "or a duration like" in error["msg"]


@pytest.mark.parametrize("until", ["PT0M", "P31D", "P30DT1M", "2026-04-29T15:30:00Z"])
def test_an_end_out_of_bounds_is_refused(until: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(until).silence("name", "", NOW)
    assert [wrong.field for wrong in refused.value.fields] == ["until"]


@pytest.mark.parametrize("start", ["9999-12-31T00:00:00Z", "2026-07-29T00:00:00Z"])
@pytest.mark.parametrize("until", ["P30D", "9999-12-31T23:59:59Z"])
def test_a_start_far_ahead_is_refused(start: str, until: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request(until, **{"from": start}).silence("name", "", NOW)
    assert [wrong.field for wrong in refused.value.fields] == ["from"]


@pytest.mark.parametrize("name", ["from", "until"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-12:00"])
def test_a_time_that_has_no_year_in_utc_is_a_wrong_field(name: str, at: str) -> None:
    with pytest.raises(ValidationError) as refused:
        request(**{"until": "PT1H", name: at})
    (error,) = refused.value.errors()
    assert error["loc"] == (name,)
    assert "a time with its zone" in error["msg"]


def test_thirty_days_are_the_longest_silence() -> None:
    assert request("P30D").silence("name", "", NOW).end == MILLISECOND + timedelta(days=30)
