"""The answer of a button says what was done, or what was wrong and what to do."""

from datetime import UTC, timedelta
from html import unescape

import pytest

from meeting_agents.domain.lifecycle import fold
from meeting_agents.domain.model import EntryType
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.errors import MeetingAgentsError, NothingToRetry, RetryLeftToCaller, StoreUnavailable
from meeting_agents.widget import answers
from meeting_agents.widget.facts import Viewer
from tests.unit.alerting.test_message import MINUTE, START, History

VIEWER = Viewer(zone=UTC)
AGAIN = START - 5 * MINUTE


def refused() -> History:
    history = History().ask()
    reason = Reason.of(ReasonCode.REQUEST_REFUSED, status=404)
    return history.add(EntryType.REJECTED, history.entries[-1].at, reason=reason)


def retried(history: History) -> str:
    return unescape(answers.retried(fold(history.entries), VIEWER))


def test_a_request_that_cronofy_accepts_is_done() -> None:
    answer = retried(refused().ask(AGAIN).accepted())
    assert "Cronofy was asked again" in answer
    assert "Cronofy accepted the request. The agent is on its way." in answer


def test_a_request_that_cronofy_refuses_again_is_not_done_and_says_why() -> None:
    history = refused().ask(AGAIN)
    reason = Reason.of(ReasonCode.REQUEST_REFUSED, status=422, complaint="start (errors.invalid)")
    answer = retried(history.add(EntryType.REJECTED, AGAIN, revision=2, reason=reason))
    assert "Not accepted" in answer
    assert "Cronofy refused the request (422): start (errors.invalid)." in answer
    assert "Correct what is named, then ask again." in answer


def test_a_request_that_cronofy_does_not_answer_says_when_it_is_sent_again() -> None:
    history = refused().ask(AGAIN)
    reason = Reason.of(ReasonCode.RETRY_PLANNED, failure=503)
    history.add(EntryType.UNCONFIRMED, AGAIN, revision=2, reason=reason, retry_at=AGAIN + timedelta(seconds=30))
    answer = retried(history)
    assert "Cronofy answered 503; the request is sent again." in answer
    assert "It is sent again by itself at 15:25:30 UTC." in answer


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        (NothingToRetry("nothing to retry: the meeting is over"), "Nothing was changed."),
        (RetryLeftToCaller("only the caller can send it again"), "Nothing was changed."),
        (StoreUnavailable("DynamoDB did not answer; try again"), "Nothing is lost: try again in a moment."),
    ],
)
def test_an_error_has_its_next_step(error: MeetingAgentsError, next_step: str) -> None:
    answer = unescape(answers.refused(error, VIEWER))
    assert "Not done" in answer
    assert f"{error.detail[:1].upper()}{error.detail[1:]}." in answer
    assert next_step in answer


def test_a_replay_counts_what_it_published() -> None:
    assert "1 announcement was published again" in answers.replayed(1, VIEWER)
    assert "7 announcements were published again" in answers.replayed(7, VIEWER)
