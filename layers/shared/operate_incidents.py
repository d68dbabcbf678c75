"""The commands about incidents: `make agents`, `make agent`, `make acknowledge`, `make retry`, all through the API."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from textwrap import fill
from typing import Any

from meeting_agents.alerting.text import (
    format_duration,
    format_labels,
    format_meeting,
    format_size,
    format_time,
    relative_to_meeting,
    sanitize,
    timezone,
    title_of,
    truncate,
)
from meeting_agents.aws.keys import timestamp
from meeting_agents.domain.model import Meeting, Severity
from operate_stack import WIDTH, OperatorError, Stack, finish

INDENT = " " * 10
LISTED = 200
"""The incidents or agents that one command lists; the others are counted by the API's own pages."""
AGENTS, INCIDENTS = "/v1/meeting_agents", "/v1/incidents"


def list_incidents(stack: Stack, account: str, labels: list[str], start: datetime | None) -> int:
    """Print the open incidents, the critical ones first, then the latest meeting. Return 0: it is no error."""
    query = {"account": account, "label": labels, "from_": timestamp(start) if start else ""}
    rows, has_more = _pages(stack, INCIDENTS, "incidents", query)
    now = datetime.now(UTC)
    rows.sort(key=lambda row: row["severity"] != Severity.CRITICAL)
    for row in rows:
        print("\n".join([*_incident(row, now), ""]))  # noqa: T201 - a command prints
    severities = Counter(row["severity"] for row in rows)
    parts = ", ".join(f"{count} {severity}" for severity, count in sorted(severities.items()))
    more = f"; the first {len(rows)} are shown" if has_more else ""
    steps = ["make acknowledge ID=… NOTE=…, make retry ID=…, make agent ID=…"] if rows else []
    finish(steps, f"{len(rows)} open incident{'' if len(rows) == 1 else 's'}{f': {parts}' if parts else ''}{more}")
    return 0


def list_agents(stack: Stack, states: list[str], account: str, labels: list[str], start: datetime | None) -> int:
    """Print the agents in these states, in the order of their meetings. Return 0."""
    query = {"state": states, "account": account, "label": labels, "from_": timestamp(start) if start else ""}
    rows, has_more = _pages(stack, AGENTS, "agents", query)
    for row in rows:
        meeting = Meeting.of(row["meeting"])
        at = format_time(meeting.start, timezone(meeting.tzid), "%d %b %H:%M") if meeting.start else "no time"
        title = truncate(_title(meeting, row), 34)
        print(f"{row['state']:<9}  {at:<18}  {title:<34}  {row['id']}")  # noqa: T201 - a command prints
    more = f", the first {len(rows)} of more" if has_more else ""
    finish([], f"{len(rows)} agent{'' if len(rows) == 1 else 's'} {' or '.join(states)}{more}")
    return 0


def show_agent(stack: Stack, agent_id: str) -> int:
    """Print an agent with its incidents and its timeline. Return 0."""
    print("\n".join(_agent(stack.call("GET", f"{AGENTS}/{agent_id}"), datetime.now(UTC))))  # noqa: T201 - a command prints
    return 0


def find_agent(stack: Stack, calendar_id: str, event_id: str, data_center: str) -> str:
    """Return the id of the agent of a calendar event. Raises `OperatorError`."""
    query = {"calendar_id": calendar_id, "event_id": event_id, "data_center": data_center}
    agents = stack.call("GET", AGENTS, **query)["agents"]
    if not agents:
        raise OperatorError(
            f"no agent of event {event_id} in calendar {calendar_id} is known; an account of another data center than"
            " the deployment's default needs DATA_CENTER=…"
        )
    agent_id: str = agents[0]["id"]
    return agent_id


def acknowledge(stack: Stack, name: str, note: str) -> int:
    """Acknowledge the incident of an agent, or of a group by its `dedup_key`. Return 0."""
    base = INCIDENTS if "/" in name else AGENTS
    answer = stack.call("POST", f"{base}/{name}/acknowledgement", {"note": note})
    incidents = [answer["type"]] if "/" in name else [incident["type"] for incident in answer["incidents"]]
    about = f"acknowledged: {', '.join(incidents)}" if incidents else "noted; no incident is open"
    finish([], f"{name}: {about}")
    return 0


def retry(stack: Stack, agent_id: str) -> int:
    """Have Cronofy asked again now. Return 0."""
    agent = stack.call("POST", f"{AGENTS}/{agent_id}/retry")["agent"]
    then = f"; sent again at {agent['retry_at']}" if agent["retry_at"] else ""
    finish([], f"{agent_id}: {agent['state']}: {agent['reason']['text']}{then}")
    return 0


def _pages(stack: Stack, path: str, name: str, query: dict[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Return the rows of all pages, and if there are more than `LISTED`."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = stack.call("GET", path, **query, limit=100, cursor=cursor)
        rows += page[name]
        cursor = page["next_cursor"]
        if not cursor or len(rows) >= LISTED:
            return rows, bool(cursor)


# ---------------------------------------------------------------------------------------------------------------- lines


def _incident(row: dict[str, Any], now: datetime) -> Iterator[str]:
    """Iterate over the lines about an incident."""
    agent, opened_at = row["agent"], datetime.fromisoformat(row["opened_at"])
    mark = f"{row['severity'].upper():<10}"
    if agent:
        meeting = Meeting.of(agent["meeting"])
        yield f"{mark}{truncate(sanitize(agent['title']), WIDTH - 10)}"
        yield f"{INDENT}{format_meeting(meeting)}"
        yield _filled(f"{row['summary']}, {_ago(now - opened_at)}. {_known(row)}")
    else:
        yield f"{mark}{row['dedup_key']}"
        yield _filled(f"{row['summary']}. Open since {_ago(now - opened_at)}. {_known(row)}")
    if agent and agent["labels"]:
        yield _filled(format_labels(agent["labels"]))
    if row["next_steps"]:
        yield _filled(f"Next: {row['next_steps'][0]}")
    if agent:
        yield f"{INDENT}{agent['id']}"


def _known(row: dict[str, Any]) -> str:
    """Return what people were alerted of, and who has it in hand."""
    alert, acknowledgement, silenced = row["last_alert"], row["acknowledgement"], row["silenced"]
    if silenced:
        until = datetime.fromisoformat(silenced["until"])
        return f"Silenced by {silenced['name']} until {until:%Y-%m-%d %H:%M} UTC."
    if acknowledgement:
        by = acknowledgement["by"].rpartition("/")[2]
        return f"Acknowledged{f' by {by}' if by else ''}: {sanitize(acknowledgement['note'], 200)}"
    if alert is None:
        return "No alert yet."
    count = f"{alert['count']} alert{'' if alert['count'] == 1 else 's'}"
    return f"{count}, not acknowledged."


def _ago(time: Any) -> str:
    return f"{format_duration(time)} ago"


def _filled(text: str) -> str:
    return fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)


def _agent(agent: dict[str, Any], now: datetime) -> Iterator[str]:
    """Iterate over the lines about an agent."""
    meeting = Meeting.of(agent["meeting"])
    zone = timezone(meeting.tzid)
    yield _title(meeting, agent)
    since = datetime.fromisoformat(agent["since"])
    at = format_time(since, zone, "%d %b %H:%M")
    rows = {
        "meeting": format_meeting(meeting),
        "state": f"{agent['state']} since {at}{relative_to_meeting(since, meeting)}",
        "reason": sanitize(agent["reason"]["text"]),
        "agent": f"{agent['id']}, attempt {len(agent['attempts'])}{_origin(agent)}",
        "event": f"{agent['event_id']} in {agent['calendar_id']}" if agent["calendar_id"] else agent["scheduling_key"],
        "account": agent["account"],
        "cronofy": f"data center {agent['data_center']}" if agent["data_center"] else "",
        "labels": format_labels(agent["labels"]),
        "archive": _archived(agent["attempts"]),
        "next": f"{agent['next_deadline']['phase']} by {_at(agent['next_deadline']['at'], zone)}"
        if agent["next_deadline"]
        else "",
    }
    for name, value in rows.items():
        if value:
            yield fill(f"{name:<10}{value}", WIDTH, subsequent_indent=INDENT, break_on_hyphens=False)
    for incident in agent["incidents"]:
        opened_at, acknowledged_at = datetime.fromisoformat(incident["opened_at"]), incident["acknowledged_at"]
        word = f"acknowledged at {_at(acknowledged_at, zone)}" if acknowledged_at else "not acknowledged"
        yield f"{incident['severity'].upper():<10}{incident['type']}, {_ago(now - opened_at)}, {word}"
    yield ""
    for entry in agent["timeline"]:
        yield from _entry(entry, zone)


def _archived(attempts: list[dict[str, Any]]) -> str:
    """Return the resources that are in the archive, of all attempts, with their sizes."""
    files = [file for attempt in attempts for file in attempt["archived"]]
    return ", ".join(f"{sanitize(file['resource']['category'], 40)} {format_size(file['size'])}" for file in files)


def _origin(agent: dict[str, Any]) -> str:
    """Return a remark on an attempt that is a second agent's. A deployment of an earlier version says no origin."""
    return " (origin: rescue, a second agent)" if agent["attempts"][-1].get("origin") == "rescue" else ""


def _entry(entry: dict[str, Any], zone: Any) -> Iterator[str]:
    verdict = "" if entry["verdict"] == "applied" else f" ({entry['verdict']})"
    text = sanitize((entry["ignored_because"] or entry["reason"] or {}).get("text", ""), 300)
    start = f"{_at(entry['at'], zone, '%d %b %H:%M:%S'):<21}{entry['kind']}{verdict}"
    yield fill(f"{start}{': ' if text else ''}{text}", WIDTH, subsequent_indent=" " * 21, break_on_hyphens=False)


def _at(text: str, zone: Any, form: str = "%d %b %H:%M") -> str:
    return format_time(datetime.fromisoformat(text), zone, form)


def _title(meeting: Meeting, agent: dict[str, Any]) -> str:
    names = {name: agent[name] for name in ("event_id", "scheduling_key")}
    return title_of(meeting.summary, agent["id"], **names)
