"""The incidents of an agent over its whole timeline, those that are over included. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from meeting_agents.domain.alerts import incident_of
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import Incident, open_incidents
from meeting_agents.domain.model import Severity
from meeting_agents.domain.record import Record
from meeting_agents.domain.verdicts import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class PastIncident:
    """An incident as it was when it was last open. `over_at`: None while it is open."""

    incident: Incident
    over_at: datetime | None


def past_incidents(timeline: Sequence[Step], grace_periods: GracePeriods, now: datetime) -> tuple[PastIncident, ...]:
    """Return the incidents that are open or were, and the notices, in the order in which they opened.

    One that was over and opened again is there once, as it opened last.
    """
    found: dict[str, PastIncident] = {}
    for at, incidents in _moments(timeline, grace_periods, now):
        opened = {incident.key: incident for incident in incidents}
        for key, past in found.items():
            if key not in opened and past.over_at is None:
                found[key] = PastIncident(incident=past.incident, over_at=at)
        found |= {key: PastIncident(incident=incident, over_at=None) for key, incident in opened.items()}
    record = timeline[-1].after
    found |= {key: PastIncident(incident=notice, over_at=notice.opened_at) for key, notice in _notices(record)}
    return tuple(sorted(found.values(), key=lambda past: past.incident.opened_at))


def _moments(
    timeline: Sequence[Step], grace_periods: GracePeriods, now: datetime
) -> Iterator[tuple[datetime, tuple[Incident, ...]]]:
    """Iterate over the incidents after each entry and just before the next one: some open by time alone."""
    ends = [*(step.entry.at for step in timeline[1:]), now]
    for number, step in enumerate(timeline):
        for at in (step.entry.at, ends[number]):
            yield at, open_incidents(step.after, grace_periods, at)


def _notices(record: Record) -> Iterator[tuple[str, Incident]]:
    for key, (at, reason) in record.notices.items():
        yield key, incident_of(key, at, Severity.WARNING, reason)
