"""Conferencing profiles: the meetings that wait for one, the times to look at them, and the effect of a look. Pure.

An agent has nothing to join if Cronofy cannot make the conference, and it cannot with a profile that is disconnected.
https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from meeting_agents.domain.attempts import with_attempt
from meeting_agents.domain.grace_periods import GracePeriods, start_of
from meeting_agents.domain.model import Conference, DeadlineType, Entry, EntryType, Verdict
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.domain.state_machine import EXPECTED, TERMINAL_STATES

DEFAULT = "default"
"""The profile of a request that leaves the choice to Cronofy."""
LOOK_AFTER = timedelta(minutes=2)
"""After Cronofy accepted a request, or could not make its conference: a conference takes moments to make."""
LOOK_BEFORE = timedelta(minutes=2)
"""Before the time at which a missing conference is critical."""
LOOK_WINDOW = timedelta(hours=1)
"""After the time of a look, until it is left out."""
FRESH = timedelta(hours=23)
"""The time for which profiles that keep no meeting from its conference are not read again: looks are a day apart."""
READ_AGAIN_AFTER = timedelta(minutes=15)
"""The least time between two readings of an account's profiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A conferencing profile of an account, as Cronofy shows it."""

    id: str
    is_connected: bool = True
    """False only if Cronofy says so."""
    relink_url: str = ""
    """The address at which the user connects it again; empty: Cronofy gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownProfiles:
    """The conferencing profiles of an account, as far as they are known."""

    profiles: tuple[Profile, ...] = ()
    read_at: datetime | None = None
    """The time of the last reading that was understood."""
    next_at: datetime | None = None
    """The time before which they are not read again."""
    reported: tuple[Profile, ...] = ()
    """The disconnected ones that keep a meeting from its conference: the alert about the account is about them."""


# ------------------------------------------------------------------------------------------------------ what is missing


def needed_profile(attempt: Attempt) -> str:
    """Return the profile that is to make the conference which a meeting still lacks; empty: it waits for none."""
    request = attempt.latest_request
    is_open = EXPECTED.get(attempt.state) is DeadlineType.ACTIVATION
    if request is None or not is_open or attempt.conference is Conference.ASSIGNED:
        return ""
    return request.conference_profile if request.account and request.conference_expected else ""


def blocking(needed: str, profiles: Sequence[Profile]) -> tuple[Profile, ...]:
    """Return the disconnected profiles that keep a meeting from its conference; empty if that is not certain.

    Cronofy does not document which profile `default` picks, so for it all of them must be disconnected.
    """
    if needed == DEFAULT:
        return () if any(profile.is_connected for profile in profiles) else tuple(profiles)
    return tuple(profile for profile in profiles if profile.id == needed and not profile.is_connected)


def disconnected_since(attempt: Attempt) -> datetime | None:
    """Return the time since which a meeting waits for a profile that is disconnected, or None."""
    name, at = attempt.disconnected_profile or ("", None)
    return at if name and name == needed_profile(attempt) else None


# --------------------------------------------------------------------------------------------------------------- a look


def next_own_look(record: Record, grace_periods: GracePeriods, after: datetime) -> datetime | None:
    """Return the next time to look at the profile of a meeting that is near or new; the daily reading looks, too.

    Near: a little before an alert about the missing conference would be critical, so that it can say the cause.
    """
    attempt = record.current
    if attempt.accepted_at is None or attempt.unanswered or not needed_profile(attempt):
        return None
    start = start_of(attempt)
    newest = max(attempt.accepted_at, attempt.conference_at or attempt.accepted_at)  # accepted, or reported as failing
    times = (newest + LOOK_AFTER, start - grace_periods.arrangement - LOOK_BEFORE)
    return min((at for at in times if after < at < start), default=None)


def is_own_look_due(record: Record, grace_periods: GracePeriods, now: datetime) -> bool:
    """Return True if the time of such a look has just come, and nothing was heard since."""
    at = next_own_look(record, grace_periods, max(record.updated_at, now - LOOK_WINDOW))
    return at is not None and at <= now


def is_outdated(known: KnownProfiles, records: Collection[Record], now: datetime) -> bool:
    """Return True if the profiles must be read again to decide on these agents.

    Once a day, unless one of the agents waits: because Cronofy could not make its conference, or for a profile that was
    disconnected then.
    """
    if known.read_at is None or known.read_at + FRESH <= now:
        return True
    attempts = [record.current for record in records]
    failed_at = (at.conference_at for at in attempts if needed_profile(at))  # it is not assigned
    if any(at is not None and at > known.read_at for at in failed_at):
        return True
    is_waiting = any(_waits(attempt, known.profiles) for attempt in attempts)
    return is_waiting and known.read_at + READ_AGAIN_AFTER <= now


def _waits(attempt: Attempt, profiles: Sequence[Profile]) -> bool:
    needed = needed_profile(attempt)
    is_failing = bool(needed) and attempt.conference is Conference.FAILING
    return is_failing or disconnected_since(attempt) is not None or bool(blocking(needed, profiles))


def reported_after(known: KnownProfiles, records: Collection[Record]) -> tuple[Profile, ...]:
    """Return the disconnected profiles that the alert about the account is about, after a look for these agents.

    One that was reported stays until it is connected, though no meeting waits for it any more.
    """
    found = (profile for record in records for profile in blocking(needed_profile(record.current), known.profiles))
    ids = {profile.id for profile in (*known.reported, *found)}
    return tuple(profile for profile in known.profiles if profile.id in ids and not profile.is_connected)


# ----------------------------------------------------------------------------------------------------------- its effect


def profile_entry(record: Record, known: KnownProfiles, at: datetime) -> Entry | None:
    """Return the entry of a look; None if it says nothing new. Sweeps that know the same make the same key."""
    attempt = record.current
    needed, is_known = needed_profile(attempt), disconnected_since(attempt) is not None
    if known.read_at is None or bool(blocking(needed, known.profiles)) is is_known:
        return None
    code = ReasonCode.PROFILE_CONNECTED if is_known else ReasonCode.PROFILE_DISCONNECTED
    return Entry(
        key=f"profile_read#{attempt.number}#{needed}#{known.read_at.isoformat()}",
        kind=EntryType.PROFILE_READ,
        at=at,
        attempt=attempt.number,
        reason=Reason.of(code, profile=needed),
    )


def apply_profile(record: Record, entry: Entry, reason: Reason) -> tuple[Record, Verdict]:
    """Return the record after a look at the profile of its meeting."""
    attempt, name = record.current, reason["profile"]
    if entry.attempt != attempt.number or attempt.state in TERMINAL_STATES:
        return record, Verdict.STALE
    known, _ = attempt.disconnected_profile or ("", None)
    if reason.code is ReasonCode.PROFILE_DISCONNECTED:
        changed = replace(attempt, disconnected_profile=(name, entry.at))
        return (record, Verdict.DUPLICATE) if known == name else (with_attempt(record, changed), Verdict.APPLIED)
    if not known:
        return record, Verdict.DUPLICATE
    return with_attempt(record, replace(attempt, disconnected_profile=None)), Verdict.APPLIED
