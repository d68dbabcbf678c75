"""The things that people do about an incident: acknowledge it, have Cronofy asked again, announce entries again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256

from meeting_agents.announcement import (
    Announcement,
    as_replay,
    build_announcements,
    erasure_announcement,
    to_message,
)
from meeting_agents.aws.entry_items import StoredEntry
from meeting_agents.aws.groups import Groups
from meeting_agents.aws.journal import Journal
from meeting_agents.aws.silences import Silences
from meeting_agents.aws.topics import LifecycleTopic
from meeting_agents.cronofy.messages import CallerCredentials
from meeting_agents.cronofy.subscriptions import for_attempt
from meeting_agents.delivery import repeatable_request
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.groups import Group
from meeting_agents.domain.lifecycle import fold, timeline
from meeting_agents.domain.model import Entry, EntryType, State
from meeting_agents.domain.reasons import Reason, ReasonCode
from meeting_agents.domain.silences import Silence, silence_name
from meeting_agents.errors import InProgress, NotFound, NothingToRetry, TooManySilences
from meeting_agents.provisioning import Provisioning, ProvisioningRequest, ProvisioningResult

SILENCED_FOR = timedelta(hours=2)


def read_journal(journal: Journal, agent_id: str, now: datetime) -> list[StoredEntry]:
    """Return the entries of an agent. Raises `NotFound` and `StoreUnavailable`."""
    entries = journal.read(agent_id, now)
    if not entries:
        raise NotFound.of_agent(agent_id)
    return entries


def acknowledge(journal: Journal, agent_id: str, note: str, by: str, now: datetime) -> None:
    """Acknowledge an agent's incident, which ends its reminders. The same note again adds nothing.

    `by`: the name of the person; empty if it is not known. Raises `NotFound` and `StoreUnavailable`.
    """
    record = fold(stored.entry for stored in read_journal(journal, agent_id, now))
    alerts = sum(alert.count for alert in record.alerts.values())
    entry = Entry(
        key=f"acknowledged#{record.revision:04d}#{alerts}#{sha256(note.encode()).hexdigest()[:32]}",
        kind=EntryType.ACKNOWLEDGED,
        at=now,
        attempt=record.current.number,
        revision=record.revision,
        reason=Reason.of(ReasonCode.NOTE, note=note, caller=by),
    )
    journal.append(agent_id, entry)


def acknowledge_group(groups: Groups, group: Group, note: str, by: str, now: datetime) -> None:
    """Acknowledge the incident of a group, which ends its reminders. Raises `NotFound` and `StoreUnavailable`."""
    if not groups.acknowledge(group, Acknowledgement(at=now, by=by, note=note)):
        raise NotFound(f"no alert about {group.key} is firing")


def retry(
    journal: Journal, provisioning: Provisioning, agent_id: str, now: datetime, correlation_id: str = ""
) -> ProvisioningResult:
    """Send the agent's newest request to Cronofy again, now, as if its caller had sent it once more.

    A request that the sweep is to send again is sent at once, under the same claim. Raises `NotFound`,
    `NothingToRetry`, `RetryLeftToCaller`, `InProgress`, `RateLimited` and `StoreUnavailable`.
    """
    entries = read_journal(journal, agent_id, now)
    stored = repeatable_request(entries, journal.grace_periods, now)
    request, sent = stored.entry.request, stored.cronofy_request
    pending = fold(each.entry for each in entries).current.pending
    if request is None or sent is None:
        raise ValueError("the entry is not that of a request")
    if pending is not None and pending.retry_at is not None:
        result = provisioning.retry(agent_id, at_once=True)
        if result is None:
            raise InProgress("the request is being sent at this moment; read the agent again in a minute")
        if result.response is None and result.error is None:
            raise NothingToRetry("nothing to retry: the request is too old, and was given up")
        return result
    return provisioning.submit(
        ProvisioningRequest(
            agent_id,
            request,
            sent.method,
            sent.path,
            CallerCredentials(account=request.account),
            _body_for(sent.body, agent_id),
            correlation_id,
        )
    )


def _body_for(body: str, agent_id: str) -> Callable[[int], str]:
    """Return a function that gives the stored text for an attempt."""
    return lambda attempt: for_attempt(body, agent_id, attempt)


def silence_agent(journal: Journal, silences: Silences, agent_id: str, why: str, by: str, now: datetime) -> Silence:
    """Hold back the alerts about an agent for `SILENCED_FOR`.

    Raises `NotFound`, `TooManySilences` and `StoreUnavailable`.
    """
    read_journal(journal, agent_id, now)
    start = now.replace(microsecond=now.microsecond // 1000 * 1000)
    silence = Silence(
        name=silence_name(agent_id),
        start=start,
        end=start + SILENCED_FOR,
        why=why or "silenced on the overview",
        by=by,
        agents=frozenset({agent_id}),
    )
    if not silences.put(silence, now):
        raise TooManySilences("there are too many silences: delete one, or choose a wider one")
    return silence


def end_silence(silences: Silences, agent_id: str, now: datetime) -> None:
    """End the silence of an agent that `silence_agent` made. Raises `NotFound` and `StoreUnavailable`."""
    if not silences.delete(silence_name(agent_id), now):
        raise NotFound("the silence is over")


def replay(
    journal: Journal,
    topic: Callable[[], LifecycleTopic],
    agent_id: str,
    now: datetime,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    state: State | None = None,
    dry_run: bool = False,
) -> tuple[str, ...]:
    """Publish an agent's announcements again, marked `replayed`, and return their ids, which do not change.

    `start`, `end`: of entries written from then until before then; `state`: after which the agent is in this state;
    `dry_run`: publish nothing. Raises `NotFound`, `StoreUnavailable` and `TopicUnavailable`.
    """
    replays = [
        as_replay(each)
        for each in _announcements(journal, agent_id, now)
        if (start is None or start <= each.time)
        and (end is None or each.time < end)
        and state in (None, each.data.state)
    ]
    if not dry_run:
        topic().publish(map(to_message, replays))
    return tuple(announcement.id for announcement in replays)


def _announcements(journal: Journal, agent_id: str, now: datetime) -> list[Announcement]:
    """Return all announcements of an agent; of one whose data was erased only that."""
    entries, erasure = journal.read_with_erasure(agent_id, now)
    if erasure:
        return [erasure_announcement(agent_id, erasure)]
    if not entries:
        raise NotFound.of_agent(agent_id)
    steps, raw = timeline(entries), {stored.entry.key: stored.raw for stored in entries}
    return build_announcements(agent_id, steps, raw, journal.grace_periods, raw.keys())
