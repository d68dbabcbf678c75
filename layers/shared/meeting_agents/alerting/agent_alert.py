"""An alert about one incident of one agent, before it is grouped with others. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from meeting_agents import wording
from meeting_agents.alerting.text import (
    ascii_title_of,
    format_time_with_utc,
    sanitize,
    timezone,
    title_of,
    without_links,
)
from meeting_agents.announcement import ReasonView, is_link
from meeting_agents.cronofy.json_text import readable
from meeting_agents.domain.alerts import OwedAlert, resolving_attempt
from meeting_agents.domain.grace_periods import ANYTHING, missing_of
from meeting_agents.domain.groups import Group, group_of
from meeting_agents.domain.labels import Labels
from meeting_agents.domain.model import AlertStatus, IncidentType, Meeting, Severity
from meeting_agents.domain.reasons import Reason
from meeting_agents.domain.record import Attempt, Record
from meeting_agents.plain_values import plain

MAX_QUOTED = 10
"""The undocumented fields shown; one notification can have thousands."""
_EXPLAINED = frozenset(
    {
        IncidentType.UNWANTED,
        IncidentType.NOT_ARRANGED,
        IncidentType.REJECTED,
        IncidentType.ACCOUNT_DISCONNECTED,
    }
)
"""The types whose detail is a cause that many can share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAlert:
    """An alert that is owed, with the agent as it is when the alert is sent."""

    agent_id: str
    owed: OwedAlert
    record: Record
    at: datetime
    """The time of sending."""
    provider: str = ""
    """The words by which the conference's provider is recognised."""
    second_agent: Reason | None = None
    """The facts about a second agent; None: there are none."""
    lacks_call: bool = False
    """Cronofy calls before the start of other meetings, and did not call before this one."""

    @property
    def status(self) -> AlertStatus:
        return self.owed.status

    @property
    def type(self) -> IncidentType:
        return self.owed.incident.type

    @property
    def severity(self) -> Severity:
        return self.owed.incident.severity

    @property
    def is_included(self) -> bool:
        """The alert about a group said the last word about the incident."""
        last = self.record.alerts.get(self.owed.incident.key)
        return last is not None and last.is_included

    @property
    def group(self) -> Group | None:
        """The group whose alert may say it; None for one about an earlier time of the meeting, which says it alone."""
        is_earlier = self.owed.incident.key in self.record.notices
        return None if is_earlier else group_of(self.record, self.type)

    @property
    def is_resolved(self) -> bool:
        return self.status is AlertStatus.RESOLVED

    @property
    def dedup_key(self) -> str:
        """The same for every alert about the incident."""
        return f"{self.agent_id}/{self.owed.incident.key}"

    @property
    def id(self) -> str:
        return f"{self.dedup_key}#{self.owed.number}"

    @property
    def known_at(self) -> datetime:
        """The time at which the incident opened, or was resolved."""
        return self.record.updated_at if self.is_resolved else self.owed.incident.opened_at

    @property
    def owed_since(self) -> datetime:
        """The time since which it is owed, or since the end of the silence that held it back."""
        incident = self.owed.incident
        held = self.record.held.get(incident.key)
        since = self.known_at if self.is_resolved else incident.owed_at
        return max(since, held.until) if held and held.until <= self.at else since

    @property
    def attempt(self) -> Attempt:
        """The attempt of a firing incident; for a resolved one that which has the good news: it may be a later one."""
        record, incident = self.record, self.owed.incident
        own = record.attempt(incident.attempt)
        return (resolving_attempt(record, incident.key) if self.is_resolved else own) or record.current

    @property
    def noun(self) -> str:
        """The words for the agent of the incident."""
        attempt = self.record.attempt(self.owed.incident.attempt)
        return "Second meeting agent" if attempt and attempt.is_rescue else "Meeting agent"

    @property
    def meeting(self) -> Meeting:
        attempt = self.attempt
        is_current = attempt is self.record.current
        return self.record.meeting if is_current else attempt.meeting

    @property
    def title(self) -> str:
        """The title of the meeting in quotes, or the best name that the agent has."""
        return title_of(self.meeting.summary, self.agent_id, **self._other_names)

    @property
    def ascii_title(self) -> str:
        """The title in ASCII; if that cannot say it, the best other name that the agent has."""
        return ascii_title_of(self.meeting.summary, self.agent_id, **self._other_names)

    @property
    def _other_names(self) -> dict[str, str]:
        return {"event_id": self.record.event_id, "scheduling_key": self.names["scheduling_key"]}

    @property
    def zone(self) -> tzinfo:
        """The time zone of the meeting."""
        return timezone(self.meeting.tzid)

    @property
    def detail(self) -> str:
        """The reason of the incident, where its type alone does not say it."""
        match self.type:
            case _ if self.is_resolved:
                return self._words_of(self.record.current.reason)
            case IncidentType.FAILED:
                return ""
            case IncidentType.MISMATCHED if self.owed.incident.reason:
                return f"a callback came, but {self._words_of(self.owed.incident.reason)}"
            case IncidentType.RESOURCES_MISSING:
                whose = " of the agent that left last" if self.attempt.last_to_leave else ""
                return f"missing{whose}: {self._missing}"
            case IncidentType.CONFLICTING:
                return "Cronofy reported both; complete counts, as it comes with the resources"
            case _:
                return self._words_of(self.owed.incident.reason)

    @property
    def on_second_agent(self) -> str:
        """The words for what is known of a second agent; empty if there is nothing."""
        return wording.of(self.second_agent, lambda at: format_time_with_utc(at, self.zone))

    @property
    def explanation(self) -> str:
        """The detail, or Cronofy's own words for a failure, and what is known of a second agent."""
        parts = (self.detail or self.failure, f"second agent: {self.on_second_agent}" if self.second_agent else "")
        return "; ".join(filter(None, parts))

    @property
    def cause(self) -> str:
        """The detail that an agent may share with others of the same incident; empty: the incident says it all."""
        if self.type is IncidentType.FAILED:
            return self.failure
        return self.detail if self.type in _EXPLAINED and not self.is_resolved else ""

    @property
    def failed_with(self) -> str:
        """Cronofy's status, or the code of an error, with which the request failed; may be empty."""
        reason = self.owed.incident.reason
        return (reason["status"] or reason["failure"]) if reason else ""

    def _words_of(self, reason: Reason | None) -> str:
        """Return the words of a reason, without the time since which the message says that it is known."""
        if reason is None:
            return ""
        known_at = format_time_with_utc(self.known_at, self.zone)
        times = {"at": format_time_with_utc(datetime.fromisoformat(reason["at"]), self.zone)} if reason["at"] else {}
        values = {name: value for name, value in reason.values if times.get(name) != known_at}
        return sanitize(wording.text(reason.code, values, lambda at: format_time_with_utc(at, self.zone)))

    @property
    def _missing(self) -> str:
        missing = sorted(missing_of(self.attempt, self.attempt.missing or frozenset({ANYTHING})))
        names_left = {one.type if one.category == "cronofy" else one.category for one in self.attempt.resources}
        left = ", ".join(sorted(names_left)) or "nothing"
        names = ", ".join("any transcript or recording" if name == ANYTHING else name for name in missing)
        return sanitize(f"{names or 'unknown'}; there is: {left}")

    @property
    def failure(self) -> str:
        """Cronofy's own words for a failure; empty for any other incident."""
        if self.type is not IncidentType.FAILED or self.is_resolved:
            return ""
        return "; ".join(map(sanitize, self.attempt.failures[:MAX_QUOTED])) or "unknown, Cronofy gave none"

    @property
    def dashboard(self) -> str:
        """The address of the agent's page in Cronofy's dashboard."""
        urls = (resource.url for resource in self.attempt.resources if resource.type == "dashboard")
        return next(filter(is_link, urls), "")

    @property
    def names(self) -> dict[str, str]:
        """The names of the agent elsewhere."""
        identity = self.record.identity
        return {
            "account": identity.account if identity else "",
            "calendar_id": identity.calendar_id if identity else "",
            "event_id": self.record.event_id,
            "scheduling_key": identity.scheduling_key if identity else "",
            "data_center": identity.data_center if identity else "",
        }

    @property
    def labels(self) -> Labels:
        """The caller's labels of the agent."""
        return self.record.labels

    def to_json(self) -> dict[str, Any]:
        """Return the fields that a machine reads, without the texts of the runbook."""
        reason = without_links(plain(ReasonView.of(self.attempt.reason)))
        second = {"second_agent": plain(ReasonView.of(self.second_agent))} if self.second_agent else {}
        return {
            "dedup_key": self.dedup_key,
            "agent_id": self.agent_id,
            "type": self.type,
            "at": self.known_at.isoformat(),
            "state": self.record.state,
            "reason": reason,
            "attempt": self.owed.incident.attempt,
            "meeting": without_links(plain(self.meeting)),
            "failures": without_links(list(self.attempt.failures)),
            **self.names,
            "labels": without_links(dict(self.labels)),
            **second,
        }


def provider_of(notifications: Iterable[bytes]) -> str:
    """Return the words by which the provider of the newest conference in these notifications is recognised."""
    words = ""
    for raw in notifications:
        body = readable(raw)
        calendar_event = body.get("event") if isinstance(body, dict) else None
        conferencing = calendar_event.get("conferencing") if isinstance(calendar_event, dict) else None
        if isinstance(conferencing, dict):
            words = f"{conferencing.get('provider_name')} {conferencing.get('join_url')}".lower()
    return words
