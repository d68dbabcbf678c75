"""The changes of incidents that a channel has taken, and those that it is still owed. Pure.

Forwarding is level-triggered, as alerting is. The last alert about each incident is compared with the last change of it
that the channel took, and the difference is owed. So a channel that was down gets the newest word of each incident and
no older one, and nothing of an incident that opened and ended meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from meeting_agents.domain.alerts import incident_of, last_alert
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.incidents import NOTICES, Incident, open_incidents
from meeting_agents.domain.model import AlertStatus, ChangeType, Entry, IncidentType
from meeting_agents.domain.record import LastAlert, Receipt, Record, incident_key


@dataclass(frozen=True, slots=True)
class OwedChange:
    """A change of an agent's incident that a channel has not taken yet. `last`: the last alert about the incident."""

    action: ChangeType
    incident: Incident
    last: LastAlert


def owed_changes(
    record: Record,
    channel: str,
    grace_periods: GracePeriods,
    now: datetime,
    gets_group: Callable[[IncidentType], bool] = lambda _: True,
) -> Iterator[OwedChange]:
    """Iterate over the changes that a channel is owed about an agent, in the order in which they are to be sent.

    `gets_group`: False if the channel does not get the incident of the group that covers the agent's incident of a
    type; then it gets the agent's own.

    An incident that is over without good news, of which no alert says so, is resolved in a channel, too: what was
    opened there is closed there. So is one of an earlier time of the meeting: the next alert opens it again.
    """
    opened = {incident.key: incident for incident in open_incidents(record, grace_periods, now)}
    for key, last in record.alerts.items():
        incident = opened.get(key) or incident_of(key, last.at, last.severity, record.current.reason)
        current = last_alert(record, incident) if key in opened else last
        is_current = current is not None and current.status is AlertStatus.FIRING
        is_open = is_current and (key in opened or incident.type in NOTICES)
        is_included = last.is_included and gets_group(incident.type)
        before = record.receipts.get((channel, key))
        is_acknowledged = incident.acknowledged_at is not None
        news = replace(last, is_included=is_included)
        for action in owed_actions(news, before, is_open=is_open, is_acknowledged=is_acknowledged):
            yield OwedChange(action, replace(incident, severity=last.severity), last)


def owed_actions(
    last: LastAlert, before: Receipt | None, *, is_open: bool, is_acknowledged: bool
) -> tuple[ChangeType, ...]:
    """Return the actions by which a channel learns what it does not know. `before`: the last change that it took."""
    known = before if before and before.action is not ChangeType.RESOLVE else None
    if not is_open:
        return (ChangeType.RESOLVE,) if known else ()
    is_news = not last.is_included and (known is None or known.number < last.count)
    if known is None and not is_news:
        return ()  # the alert about a group of agents says it
    if known and is_news and not is_acknowledged and known.action is ChangeType.ACKNOWLEDGE:
        return ChangeType.RESOLVE, ChangeType.TRIGGER  # a pager would page no one of what is acknowledged there
    is_owed = is_acknowledged and (known is None or is_news or known.action is ChangeType.TRIGGER)
    news = (ChangeType.TRIGGER,) if is_news else ()
    return (*news, ChangeType.ACKNOWLEDGE) if is_owed else news


def number_of(action: ChangeType, last: LastAlert, before: Receipt | None) -> int:
    """Return the number by which a channel knows a change again.

    The end of an incident of which no alert says that it is over has the number of the last change before it, as the
    next alert may open it again.
    """
    is_unannounced = action is ChangeType.RESOLVE and last.status is AlertStatus.FIRING
    return before.number if before and is_unannounced else last.count


def with_receipt(record: Record, entry: Entry) -> Record:
    """Return the record after a channel took a change."""
    reason = entry.reason
    if reason is None or entry.cause is None or entry.attempt is None or not reason["channel"]:
        return record
    key = reason["channel"], incident_key(entry.attempt, entry.cause)
    before = record.receipts.get(key)
    receipt = Receipt(
        action=ChangeType(reason["action"]),
        number=int(reason["number"] or 0),
        count=before.count + 1 if before else 1,
        at=entry.at,
        message=reason["message"],
    )
    return replace(record, receipts={**record.receipts, key: receipt})
