"""Announcements: one for each entry, with attributes to filter on, in a size that SNS accepts."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from meeting_agents.announcement import AlertView, as_replay, build_announcements, to_message
from meeting_agents.aws.keys import PROBE_PREFIX
from meeting_agents.aws.topic_message import MAX_TEXT_BYTES
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.lifecycle import steps
from meeting_agents.domain.model import AlertStatus, EntryType, IncidentType, Severity
from tests.unit.alerting.test_message import START, History, failed, reminded, silent


def attributes(history: History) -> dict[str, str | Sequence[str]]:
    return dict(to_message(history.announced()).attributes)


def test_only_the_entries_with_these_keys_are_announced() -> None:
    history = failed()
    timeline = list(steps(history.entries))
    first, *_, last = history.entries
    built = build_announcements(history.agent, timeline, history.bodies, GracePeriods(), {last.key, "unknown"})
    assert [announcement.data.entry.key for announcement in built] == [last.key]
    assert built[0].data.notification == json.loads(history.bodies[last.key])
    (requested,) = build_announcements(history.agent, timeline, history.bodies, GracePeriods(), {first.key})
    assert requested.data.next_deadline
    assert requested.data.notification is None


def test_a_subscriber_can_filter_on_what_an_entry_is_and_did() -> None:
    assert attributes(failed()) == {
        "kind": "failed",
        "verdict": "applied",
        "state": "failed",
        "data_center": "de",
        "account": "acc_567236000909002",
        "alert": "owed",
    }
    assert "alert" not in attributes(History().ask())
    assert "account" not in attributes(History(account="").ask())


def test_a_replay_and_a_probe_are_marked() -> None:
    replayed = to_message(as_replay(failed().announced()))
    assert (replayed.attributes["replayed"], "probe" in replayed.attributes) == ("true", False)
    probe = replace(failed().announced(), subject=f"{PROBE_PREFIX}1")
    assert (to_message(probe).attributes["probe"], "replayed" in to_message(probe).attributes) == ("true", False)


def test_an_alert_has_its_severity_and_the_number_of_the_reminder() -> None:
    (first,) = failed().announced().data.alerts
    assert first == AlertView(
        status=AlertStatus.FIRING, type=IncidentType.FAILED, severity=Severity.CRITICAL, reminder=0
    )
    due = reminded().add(EntryType.ALERT_DUE, START + timedelta(minutes=17))
    (reminder,) = due.announced().data.alerts
    assert (reminder.type, reminder.reminder) == (IncidentType.FAILED, 1)
    assert History().ask().accepted().announced().data.alerts == ()
    recovered = silent().published().hear("meeting_agent_complete", START + timedelta(minutes=12))
    (resolved,) = recovered.announced().data.alerts
    assert resolved.status is AlertStatus.RESOLVED


def test_a_body_that_is_too_long_is_a_reference_to_the_notification() -> None:
    history = failed(note="x" * MAX_TEXT_BYTES)
    text = to_message(history.announced()).text
    data = json.loads(text)["data"]
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert data["notification"] == {
        "too_large": True,
        "read": f"/v1/meeting_agents/{history.agent}/notifications/notification%230002",
    }
    assert (data["resources"], data["failures"], data["state"]) == ([], [], "failed")


def test_a_body_that_just_fits_is_whole() -> None:
    announcement = History().ask().announced()
    padded = replace(announcement, data=replace(announcement.data, notification=""))
    left = MAX_TEXT_BYTES - len(to_message(padded).text.encode())
    exact = replace(padded, data=replace(padded.data, notification="x" * left))
    assert len(to_message(exact).text.encode()) == MAX_TEXT_BYTES
    longer = replace(padded, data=replace(padded.data, notification="x" * (left + 1)))
    assert "too_large" in to_message(longer).text


def test_an_overdue_entry_is_announced_without_a_body() -> None:
    history = History().ask().accepted().add(EntryType.OVERDUE, START + timedelta(minutes=10), phase=None)
    assert history.announced().data.notification is None


def test_of_many_undocumented_fields_ten_are_quoted() -> None:
    """One notification can have thousands."""
    fields = {f"field_{number:02}": "x" for number in range(12)}
    reason = failed(**fields).announced().data.entry.reason
    assert reason
    assert reason.text.count(": x") == 10


def test_labels_are_in_every_announcement_and_are_one_attribute() -> None:
    """One list for all: SNS delivers at most ten attributes to a queue that gets the raw message."""
    labels = {"team": "sales", "at": "12:30"}
    history = History().ask(labels=labels).accepted().hear("meeting_agent_failed", START)
    announcement = history.announced()
    assert announcement.data.labels == labels
    assert attributes(history)["labels"] == ("at:12:30", "team:sales")
    full = replace(as_replay(announcement), subject=PROBE_PREFIX + "1")
    assert len(to_message(full).attributes) <= 10


def test_an_entry_that_comes_late_before_an_alert_reaches_those_who_were_alerted() -> None:
    """A channel may be owed a change by it."""
    history = reminded()
    timeline = list(steps(history.entries))
    accepted, *_ = [entry for entry in history.entries if entry.kind is EntryType.ACCEPTED]
    (built,) = build_announcements(history.agent, timeline, history.bodies, GracePeriods(), {accepted.key})
    assert to_message(built).attributes["incident"] == "alerted"
    before = list(steps(failed().entries))
    (built,) = build_announcements(history.agent, before, history.bodies, GracePeriods(), {accepted.key})
    assert "incident" not in to_message(built).attributes
