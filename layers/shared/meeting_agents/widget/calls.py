"""A call of the dashboard: its viewer, and the parameters of the button that was pressed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timezone, tzinfo
from typing import Any

from meeting_agents.domain.groups import Group
from meeting_agents.widget.card import ACTION, AGENT, GROUP, MAX_NOTE_LENGTH, note_field
from meeting_agents.widget.facts import MAX_QUERY_LENGTH, Viewer
from meeting_agents.widget.html import is_agent_id
from meeting_agents.widget.page import MAX_WHO_LENGTH, PAGE, QUERY, SEARCH, WHO

DESCRIPTION = """## Overview of the meeting agents
All open incidents of any day, those that can still be saved first; the meetings of today by hour; the last 24 hours;
the last callbacks and the number of subscribers of the alerts. *Today* is the day in the dashboard's time zone.
Its buttons acknowledge, silence, ask Cronofy again and announce again. No parameters.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. An empty value is one that it does not have."""

    viewer: Viewer
    agent_id: str = ""
    group: Group | None = None
    action: str = ""
    query: str = ""
    page: int = 1

    @property
    def by(self) -> str:
        """The name that the viewer gave."""
        return self.viewer.form(WHO)[:MAX_WHO_LENGTH]

    @property
    def note(self) -> str:
        """The note for what the call is about; that of a pop-up counts first."""
        name = self.group.key if self.group else self.agent_id
        return self.viewer.form(note_field(name, is_popup=True), note_field(name))[:MAX_NOTE_LENGTH]


def read_call(payload: Mapping[str, Any], *, reading: str = "", writing: str = "") -> Call:
    """Read a call. What is missing or odd in it is as if it were not there: anyone who may invoke can send anything.

    `reading`, `writing`: the ARNs of the functions for the buttons of the answer.
    """
    context = _mapping(payload.get("widgetContext"))
    fields = _mapping(_mapping(context.get("forms")).get("all"))
    forms = {name: value for name, value in fields.items() if isinstance(value, str)}
    viewer = Viewer(
        zone=_zone(_mapping(context.get("timezone")).get("offsetISO")),
        is_dark=context.get("theme") == "dark",
        forms=forms,
        reading=reading,
        writing=writing,
    )
    page, agent_id = payload.get(PAGE), payload.get(AGENT)
    return Call(
        viewer=viewer,
        agent_id=str(agent_id) if is_agent_id(agent_id) else "",
        group=_group(payload.get(GROUP)),
        action=str(payload.get(ACTION, "")),
        query=str(payload[QUERY] if QUERY in payload else forms.get(SEARCH, "")).strip()[:MAX_QUERY_LENGTH],
        page=page if isinstance(page, int) and page > 0 else 1,
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _group(key: object) -> Group | None:
    try:
        return Group.of_key(str(key)) if key else None
    except ValueError:
        return None


def _zone(offset: object) -> tzinfo:
    """Return the dashboard's time zone, an offset like `+02:00`; UTC if it is missing."""
    try:
        utc_offset = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").utcoffset()
    except ValueError:
        return UTC
    return timezone(utc_offset) if utc_offset else UTC
