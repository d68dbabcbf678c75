"""The words of reasons: a sentence for each code, with any values."""

import re
from pathlib import Path

import pytest

from meeting_agents import errors, wording
from meeting_agents.domain.reasons import Reason, ReasonCode


def test_every_reason_has_a_sentence() -> None:
    assert set(wording.REASONS) == set(ReasonCode)


@pytest.mark.parametrize("code", ReasonCode)
def test_a_sentence_needs_none_of_its_values(code: ReasonCode) -> None:
    """An entry of another version may lack one, and must still be readable."""
    sentence = wording.of(Reason.of(code))
    assert sentence
    assert not {*"[]{}"} & {*sentence}


def test_an_optional_part_is_shown_with_its_value_and_left_out_without() -> None:
    assert wording.of(Reason.of(ReasonCode.REQUEST_REFUSED)) == "Cronofy refused the request"
    refused = Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint="start {x} [y]")
    assert wording.of(refused) == "Cronofy refused the request (422): start {x} [y]"
    assert wording.of(None) == ""


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        ("503", "Cronofy answered 503; the request is sent again"),
        ("cronofy_timed_out", "Cronofy did not answer in time; the request is sent again"),
        ("something_new", "something_new; the request is sent again"),
    ],
)
def test_a_failure_is_a_status_or_the_code_of_an_error(failure: str, sentence: str) -> None:
    assert wording.of(Reason.of(ReasonCode.RETRY_PLANNED, failure=failure)) == sentence


@pytest.mark.parametrize(
    ("subscribers", "words"),
    [("0", "0 subscribers"), ("1", "1 subscriber"), ("unknown", "an unknown number of subscribers")],
)
def test_subscribers_are_counted_in_words(subscribers: str, words: str) -> None:
    published = Reason.of(ReasonCode.ALERT_PUBLISHED, subscribers=subscribers, incident="failed", status="firing")
    assert wording.of(published) == f"alert published to {words}: failed firing"


def test_a_time_is_shown_in_utc() -> None:
    missed = Reason.of(ReasonCode.COMPLETION_MISSED, at="2026-04-29T17:30:00.000Z")
    assert wording.of(missed) == "the agent did not report its end by 2026-04-29 17:30:00 UTC"


def test_a_code_of_another_version_is_shown_as_it_is() -> None:
    assert wording.text("from_the_future", {"x": "y"}) == "from_the_future"


def test_the_failures_with_words_are_errors_of_ours() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {value.code for value in classes if issubclass(value, errors.MeetingAgentsError)}
    assert set(wording.FAILURES) <= codes


def test_the_other_words_are_of_the_codes_of_failed_copies() -> None:
    """Each is raised somewhere, and none is an error's."""
    layer = Path(wording.__file__).parent
    source = "".join((layer / name).read_text(encoding="utf-8") for name in ("archiving.py", "cronofy/downloads.py"))
    raised = set(re.findall(r'\((?:super\(\).__init__\()?"((?:download|key|upload)_[a-z]+)"\)', source))
    assert raised == set(wording.COPIES)
    assert not set(wording.COPIES) & set(wording.FAILURES)
