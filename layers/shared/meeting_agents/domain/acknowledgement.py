"""The acknowledgement of an incident: a person has it in hand. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from meeting_agents.domain.incidents import Incident
from meeting_agents.domain.model import EntryType
from meeting_agents.domain.verdicts import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The newest acknowledgement of an incident. `by`: empty if the caller was not signed in."""

    at: datetime
    by: str = ""
    note: str = ""


def acknowledgement_of(incident: Incident, timeline: Sequence[Step]) -> Acknowledgement | None:
    """Return the newest acknowledgement of an agent's incident, or None."""
    for step in reversed(timeline):
        if step.entry.kind is EntryType.ACKNOWLEDGED and step.entry.at == incident.acknowledged_at:
            reason = step.entry.reason
            by, note = (reason["caller"], reason["note"]) if reason else ("", "")
            return Acknowledgement(at=step.entry.at, by=by, note=note)
    return None
