"""The resources that are still to be archived, their deadline, and what an entry of the archive changes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.domain.alerts import alerting_owed
from meeting_agents.domain.archive import is_archive_owed, owed_resources, resource_id
from meeting_agents.domain.deadlines import deadlines
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import open_incidents
from meeting_agents.domain.model import ArchiveScope, DeadlineType, EntryType, IncidentType, Resource, Verdict
from meeting_agents.domain.overdue import find_missed
from meeting_agents.domain.reasons import Reason, ReasonCode
from tests.unit.domain.test_lifecycle import DASHBOARD, END, MINUTE, START, TRANSCRIPT, History, moved, scheduled

AUDIO = Resource("audio", "voice", "https://api.cronofy.com/3")
ALL = GracePeriods(archive_scope=ArchiveScope.ALL, archive=timedelta(hours=2))
TRANSCRIPTS = replace(ALL, archive_scope=ArchiveScope.TRANSCRIPTS)


def complete(*resources: Resource) -> History:
    return scheduled().report(EntryType.COMPLETE, resources=(DASHBOARD, *resources))


def archived(history: History, resource: Resource, attempt: int | None = None, **changes: Any) -> History:
    values = {"bucket": "b", "key": f"k/{resource.category}", "size": 7, "sha256": "ab"} | changes
    reason = Reason.of(ReasonCode.ARCHIVED, category=resource.category, type=resource.type, **values)
    number = attempt or history.record.current.number
    return history.answer(EntryType.ARCHIVED, attempt=number, resources=(resource,), reason=reason)


def lost(history: History, resource: Resource, code: ReasonCode = ReasonCode.RESOURCE_EXPIRED) -> History:
    return history.answer(EntryType.ARCHIVE_FAILED, resources=(resource,), reason=Reason.of(code))


def archive_deadlines(history: History, grace_periods: GracePeriods = ALL) -> list[Any]:
    found = deadlines(history.record, grace_periods)
    return [each.at for each in found if each.phase is DeadlineType.ARCHIVE]


@pytest.mark.parametrize(
    ("scope", "owed"),
    [
        (ArchiveScope.OFF, ()),
        (ArchiveScope.TRANSCRIPTS, (TRANSCRIPT,)),
        (ArchiveScope.ALL, (AUDIO, TRANSCRIPT)),
    ],
)
def test_the_scope_decides_and_the_dashboard_is_never_archived(scope: ArchiveScope, owed: tuple[Resource, ...]) -> None:
    assert owed_resources(complete(AUDIO, TRANSCRIPT).record.current, scope) == owed


def test_nothing_is_owed_before_the_agent_is_complete() -> None:
    history = scheduled().report(EntryType.ACTIVATED, resources=(DASHBOARD, AUDIO))
    assert not is_archive_owed(history.record, ArchiveScope.ALL)


def test_what_is_archived_or_expired_is_not_owed_and_what_failed_is() -> None:
    history = lost(archived(complete(AUDIO, TRANSCRIPT), AUDIO), TRANSCRIPT, ReasonCode.ARCHIVE_GIVEN_UP)
    assert owed_resources(history.record.current, ArchiveScope.ALL) == (TRANSCRIPT,)
    assert owed_resources(lost(history, TRANSCRIPT).record.current, ArchiveScope.ALL) == ()


def test_a_file_is_remembered_with_its_key_size_and_sum() -> None:
    [file] = archived(complete(AUDIO), AUDIO).record.current.archived
    assert (file.resource, file.bucket, file.key, file.size, file.sha256) == (AUDIO, "b", "k/audio", 7, "ab")


def test_the_same_file_again_is_known_already() -> None:
    history = archived(archived(complete(AUDIO), AUDIO), AUDIO, key="another")
    assert history.last.verdict is Verdict.DUPLICATE
    assert [file.key for file in history.record.current.archived] == ["k/audio"]
    assert lost(history, AUDIO).last.verdict is Verdict.DUPLICATE
    assert lost(lost(complete(AUDIO), AUDIO), AUDIO).last.verdict is Verdict.DUPLICATE


def test_an_entry_without_a_resource_or_a_reason_says_nothing() -> None:
    assert complete().answer(EntryType.ARCHIVED).last.verdict is Verdict.UNRECOGNISED
    reason = Reason.of(ReasonCode.ARCHIVED, bucket="b", key="k", size=7, sha256="ab")
    assert complete(AUDIO).answer(EntryType.ARCHIVED, reason=reason).last.verdict is Verdict.UNRECOGNISED
    assert complete(AUDIO).answer(EntryType.ARCHIVED, resources=(AUDIO,)).last.verdict is Verdict.UNRECOGNISED


def test_a_file_of_unknown_size_counts_as_empty() -> None:
    [file] = archived(complete(AUDIO), AUDIO, size=None).record.current.archived
    assert file.size == 0


def test_the_deadline_is_two_hours_after_the_newest_resource() -> None:
    """A resource that comes late has its own time."""
    history = complete(AUDIO)
    assert archive_deadlines(history) == [history.at + ALL.archive]
    history.at += 300 * MINUTE
    history.report(EntryType.COMPLETE, resources=(TRANSCRIPT,))
    assert archive_deadlines(history) == [history.at + ALL.archive]
    assert archive_deadlines(history, GracePeriods()) == []
    assert archive_deadlines(complete(AUDIO), TRANSCRIPTS) == []
    assert archive_deadlines(archived(archived(history, AUDIO), TRANSCRIPT)) == []


def test_a_missed_deadline_is_an_incident_once_and_ends_when_all_is_archived() -> None:
    history = complete(AUDIO, TRANSCRIPT)
    late = history.at + ALL.archive
    [finding] = [each for each in find_missed(history.record, ALL, late) if each.deadline.phase is DeadlineType.ARCHIVE]
    assert finding.entry.missing == ("audio", "transcript")
    history.entries.append(finding.entry)
    history.at = late
    assert [incident.type for incident in open_incidents(history.record, ALL, late)] == [IncidentType.NOT_ARCHIVED]
    assert archive_deadlines(history) == []
    assert open_incidents(history.record, GracePeriods(), late) == ()
    archived(history, AUDIO)
    assert open_incidents(history.record, ALL, late)
    archived(history, TRANSCRIPT)
    assert open_incidents(history.record, ALL, late) == ()


def test_each_late_resource_can_be_missed_again() -> None:
    """The entries have keys of their own, so that none hides another."""
    history, keys = complete(AUDIO), set()
    for resource in (TRANSCRIPT, Resource("video", "conference", "https://api.cronofy.com/4")):
        [finding] = [
            each
            for each in find_missed(history.record, ALL, history.at + ALL.archive)
            if each.deadline.phase is DeadlineType.ARCHIVE
        ]
        keys.add(finding.entry.key)
        history.entries.append(finding.entry)
        history.at += ALL.archive
        history.report(EntryType.COMPLETE, resources=(resource,))
    assert len(keys) == 2


def test_a_lost_resource_is_an_incident_at_once_until_it_is_archived_after_all() -> None:
    history = lost(complete(AUDIO), AUDIO)
    [incident] = open_incidents(history.record, ALL, history.at)
    assert (incident.type, incident.opened_at) == (IncidentType.NOT_ARCHIVED, history.at)
    assert incident.reason == Reason.of(ReasonCode.RESOURCE_EXPIRED)
    opened_at = history.at
    lost(history, AUDIO, ReasonCode.ARCHIVE_GIVEN_UP)
    [incident] = open_incidents(history.record, ALL, history.at)
    assert incident.opened_at == opened_at
    assert open_incidents(archived(history, AUDIO).record, ALL, history.at) == ()


def test_an_alert_about_it_is_resolved() -> None:
    history = lost(complete(AUDIO), AUDIO)
    fields: dict[str, Any] = {"cause": IncidentType.NOT_ARCHIVED, "status": "firing", "severity": "warning"}
    history.answer(EntryType.ALERTED, **fields)
    assert alerting_owed(history.record, ALL, history.at) == ()
    assert alerting_owed(history.record, replace(ALL, archive_scope=ArchiveScope.OFF), history.at) == ()
    [owed] = alerting_owed(archived(history, AUDIO).record, ALL, history.at)
    assert (owed.status, owed.incident.type) == ("resolved", IncidentType.NOT_ARCHIVED)


def test_an_earlier_attempt_is_archived_too_and_its_missed_deadline_is_a_notice() -> None:
    history = complete(AUDIO)
    history.at = END + MINUTE
    history.request(moved(7 * 24 * 60 * MINUTE)).answer(EntryType.ACCEPTED)
    assert history.record.current.number == 2
    assert is_archive_owed(history.record, ArchiveScope.ALL)
    late = START + timedelta(days=1)
    found = [each for each in find_missed(history.record, ALL, late) if each.deadline.phase is DeadlineType.ARCHIVE]
    assert [each.deadline.attempt for each in found] == [1]
    history.entries.append(found[0].entry)
    assert "1/not_archived" in history.record.notices
    archived(history, AUDIO)  # of the current attempt, which has no such resource
    assert history.last.verdict is Verdict.APPLIED
    assert is_archive_owed(history.record, ArchiveScope.ALL)
    archived(history, AUDIO, attempt=1)
    assert [len(attempt.archived) for attempt in history.record.attempts] == [1, 1]
    assert not is_archive_owed(history.record, ArchiveScope.ALL)


def test_two_resources_of_one_category_are_two() -> None:
    other = replace(AUDIO, url="https://api.cronofy.com/5")
    assert resource_id(AUDIO) != resource_id(other)
    assert [len(resource_id(each)) for each in (AUDIO, other)] == [16, 16]
    history = archived(complete(AUDIO, other), AUDIO)
    assert owed_resources(history.record.current, ArchiveScope.ALL) == (other,)


def test_what_was_lost_just_before_the_meeting_moves_on_is_a_notice() -> None:
    """The alert may still be on its way. What was archived after all is none."""
    for is_archived, expected in ((False, {"1/not_archived"}), (True, set())):
        history = lost(complete(AUDIO, TRANSCRIPT), AUDIO)
        archived(history, AUDIO if is_archived else TRANSCRIPT)
        history.at = END + MINUTE
        history.request(moved(7 * 24 * 60 * MINUTE)).answer(EntryType.ACCEPTED)
        assert history.record.current.number == 2
        assert history.record.notices.keys() == expected
        assert {each.incident.key for each in alerting_owed(history.record, ALL, history.at)} == expected
