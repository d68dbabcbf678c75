"""The archive of an agent: the resources that are copied, and those that are not yet. Pure.

A resource is known by its category, its type and its address, since two agents of an attempt may each leave one.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from meeting_agents.domain.attempts import with_attempt
from meeting_agents.domain.grace_periods import DASHBOARD, GracePeriods
from meeting_agents.domain.model import ArchiveScope, DeadlineType, Entry, EntryType, Resource, Verdict
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import ArchivedFile, Attempt, Record

TRANSCRIPT = "transcript"
"""The category of transcripts: https://docs.cronofy.com/developers/api/meeting-agents/transcripts/."""


def resource_id(resource: Resource) -> str:
    """Return the id of a resource within its attempt: sixteen hexadecimal digits."""
    return sha256(f"{resource.category}\n{resource.type}\n{resource.url}".encode()).hexdigest()[:16]


def owed_resources(attempt: Attempt, scope: ArchiveScope) -> tuple[Resource, ...]:
    """Return the resources of a complete attempt that are to be archived, and are neither archived nor expired."""
    if attempt.complete_at is None or scope is ArchiveScope.OFF:
        return ()
    done = {file.resource for file in attempt.archived} | attempt.expired
    return tuple(each for each in attempt.resources if _is_in_scope(each, scope) and each not in done)


def is_archive_owed(record: Record, scope: ArchiveScope) -> bool:
    """Return True if a resource of any attempt is still to be archived."""
    return any(owed_resources(attempt, scope) for attempt in record.attempts)


def archive_deadline(attempt: Attempt, grace_periods: GracePeriods) -> datetime | None:
    """Return the time by which the resources of an attempt must be archived; None if they are, or it was missed."""
    if attempt.complete_at is None or DeadlineType.ARCHIVE in attempt.missed:
        return None
    since = max(attempt.complete_at, attempt.resources_at or attempt.complete_at)
    return since + grace_periods.archive if owed_resources(attempt, grace_periods.archive_scope) else None


def owed_categories(attempt: Attempt, grace_periods: GracePeriods) -> frozenset[str]:
    """Return the categories of the resources that are still to be archived."""
    return frozenset(each.category for each in owed_resources(attempt, grace_periods.archive_scope))


def is_lacking(attempt: Attempt) -> bool:
    """Return True if a resource that was not archived in time, or failed, is still not archived."""
    files = {file.resource for file in attempt.archived}
    return any(each.category in attempt.not_archived and each not in files for each in attempt.resources)


def with_resources(attempt: Attempt, resources: tuple[Resource, ...], at: datetime) -> Attempt:
    """Return the attempt with these resources. New ones have a deadline of their own in the archive."""
    if resources == attempt.resources:
        return attempt
    missed = tuple(phase for phase in attempt.missed if phase is not DeadlineType.ARCHIVE)
    return replace(attempt, resources=resources, resources_at=at, missed=missed)


def without_archive(attempt: Attempt, categories: Collection[str], at: datetime, reason: Reason | None) -> Attempt:
    """Return the attempt after resources of these categories were not archived."""
    return replace(
        attempt,
        not_archived=attempt.not_archived | {*categories},
        not_archived_at=attempt.not_archived_at if is_lacking(attempt) else at,
        not_archived_because=reason,
    )


def apply_archive(record: Record, entry: Entry) -> tuple[Record, Verdict]:
    """Return the record after a resource was archived, or could not be, and the verdict on the entry."""
    attempt = record.attempt(entry.attempt) or record.current
    if not entry.resources or entry.reason is None:
        return record, Verdict.UNRECOGNISED
    [resource, *_], reason = entry.resources, entry.reason
    is_expired = reason.code is ReasonCode.RESOURCE_EXPIRED
    if resource in {file.resource for file in attempt.archived} or (is_expired and resource in attempt.expired):
        return record, Verdict.DUPLICATE
    if entry.kind is EntryType.ARCHIVED:
        file = ArchivedFile(
            resource=resource,
            bucket=reason["bucket"],
            key=reason["key"],
            size=int(reason["size"] or 0),
            sha256=reason["sha256"],
            at=entry.at,
        )
        files = sorted((*attempt.archived, file), key=lambda each: each.key)
        changed = replace(attempt, archived=tuple(files), expired=attempt.expired - {resource})
    else:
        failed = without_archive(attempt, (resource.category,), entry.at, reason)
        changed = replace(failed, expired=failed.expired | {resource}) if is_expired else failed
    return with_attempt(record, changed), Verdict.APPLIED


def _is_in_scope(resource: Resource, scope: ArchiveScope) -> bool:
    if scope is ArchiveScope.TRANSCRIPTS:
        return resource.category == TRANSCRIPT
    return scope is ArchiveScope.ALL and resource.category != DASHBOARD
