"""Marked values go through every path, and everything that was written anywhere is searched for them.

| value | may be in | never in |
|---|---|---|
| access tokens, client secrets | Secrets Manager | table, topics, logs, metrics, answers |
| the caller's calendar event (description, attendees, join link) | table | topics, logs, metrics |
| Cronofy's report (join link, resources) | table, lifecycle topic | logs, metrics; in alerts no join link |
| the address to connect a conferencing profile again | table, alerts | lifecycle topic, logs, metrics, answers |
"""

import pytest

from tests.runtime.everything import Written
from tests.runtime.stories import MARKS, Scene

REQUESTED = ("attendee", "person", "join link requested")
"""Only in the caller's request."""
REPORTED = ("join link reported", "resource")
"""Only in Cronofy's notification."""


def test_no_credential_is_written_anywhere(scene: Scene, written: Written) -> None:
    """Not in the table, in no message, log line, metric or answer, errors included."""
    for sink in ("table", "lifecycle", "alerts", "printed", "answers"):
        for name, value in scene.secrets.items():
            assert value not in getattr(written, sink), f"the {name} is in: {sink}"


@pytest.mark.parametrize("mark", MARKS)
def test_no_meeting_is_described_in_logs_or_metrics(written: Written, mark: str) -> None:
    """A log is read by more people than a calendar is."""
    assert MARKS[mark] not in written.printed


@pytest.mark.parametrize("mark", REQUESTED)
def test_no_subscriber_receives_the_content_of_a_calendar_event(written: Written, mark: str) -> None:
    """Announcements describe the agent, not the calendar event."""
    assert MARKS[mark] not in written.lifecycle
    assert MARKS[mark] not in written.alerts


@pytest.mark.parametrize("mark", ["description", "join link reported"])
def test_no_alert_lets_its_reader_into_the_meeting(written: Written, mark: str) -> None:
    """Alerts go to people's mailboxes and chats."""
    assert MARKS[mark] not in written.alerts


def test_only_an_alert_has_the_address_to_connect_a_profile_again(written: Written) -> None:
    """Its reader passes it on to the account's user."""
    assert MARKS["relink"] in written.alerts
    assert MARKS["relink"] not in written.lifecycle
    assert MARKS["relink"] not in written.answers


def test_the_marks_did_go_through(written: Written) -> None:
    """Otherwise the searches above would find nothing because there was nothing."""
    for mark in REQUESTED:
        assert MARKS[mark] in written.table
    for mark in REPORTED:
        assert MARKS[mark] in written.lifecycle
    assert written.alerts
    assert '"_aws"' in written.printed
    assert '"level":"WARNING"' in written.printed
