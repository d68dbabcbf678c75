"""The incidents: what is wrong now, of any day, and what was."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents import operations
from meeting_agents.api.bodies import Acknowledgement
from meeting_agents.api.context import caller_name, collaborators, links_to, public_url
from meeting_agents.api.isolation import binding
from meeting_agents.api.labels import wanted_labels
from meeting_agents.api.pagination import open_range, parse_range, read_open_cursor, read_rows, write_cursor
from meeting_agents.api.parameters import DECODED, WantedLabel
from meeting_agents.api.patterns import ACCOUNT_ID
from meeting_agents.api.problems import responses
from meeting_agents.api.views import IncidentAgent, IncidentPageView, IncidentRow
from meeting_agents.aws.keys import timestamp
from meeting_agents.aws.wanted import Wanted
from meeting_agents.cronofy.payloads import DataCenter as DataCenterName
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType, Severity
from meeting_agents.errors import NotFound
from meeting_agents.incident_list import Filter, IncidentList, IncidentStatus, ListedIncident

router = APIGatewayHttpRouter()


@router.get("/v1/incidents", tags=["Incidents"], responses=responses(200, "a page of incidents", IncidentPageView))
def list_incidents(
    status: Annotated[Literal["open", "all"], Query(description="`all`: also those that are over")] = "open",
    type_: Annotated[list[IncidentType] | None, Query(alias="type", description="one of these types")] = None,
    severity: Annotated[list[Severity] | None, Query(description="one of these severities")] = None,
    account: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    data_center: DataCenterName | None = None,
    label: WantedLabel = None,
    start: Annotated[datetime | None, Query(alias="from", description="meetings at that time or later")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="meetings before")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="the agents of one page")] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> IncidentPageView:
    """List the incidents that are open, of meetings of any day, the latest meeting first; or all of a span of time.

    The first page begins with the incidents of groups of agents, those of an account or of a data center. The time of a
    meeting is its start, or its end where that is missing. `status=all` lists the incidents and notices of which an
    alert was sent, or that are open, in the order of the meetings; `from` and `to` are then at most 92 days apart, by
    default from a day ago to two weeks ahead. Of each group it has the incident that is open or was the last one, if it
    was open in that time; one that is over has no meetings: which ones waited is in the journals of their agents.
    """
    first, last = open_range(start, end)
    wanted = Filter(
        types=frozenset(type_ or ()),
        severities=frozenset(severity or ()),
        account=account or "",
        data_center=data_center or "",
        labels=wanted_labels(label),
        binding=binding(),
        start=first,
        end=last,
    )
    return _all(wanted, limit, cursor) if status == "all" else _open(wanted, limit, cursor)


def _open(wanted: Filter, limit: int, cursor: str | None) -> IncidentPageView:
    position, first = read_open_cursor(cursor) if cursor else ("", wanted.start)
    page = _incident_list().open(wanted.since(first), limit, position)
    return IncidentPageView(
        incidents=tuple(map(to_row, page.incidents)),
        next_cursor=write_cursor(page.last, timestamp(first) if first else ""),
    )


def _all(wanted: Filter, limit: int, cursor: str | None) -> IncidentPageView:
    now = datetime.now(UTC)
    bounds = parse_range(wanted.start, wanted.end, cursor, now)
    of_record = wanted.of_record
    if of_record is None:
        return IncidentPageView(incidents=(), next_cursor=None)
    had_incident: Wanted = {**of_record, "had_incident": (True,)}
    rows, position = read_rows(collaborators().days(), bounds, had_incident, limit, now)
    listed = _incident_list()
    of_groups = () if cursor else listed.all_of_groups(wanted, *map(datetime.fromisoformat, bounds))
    incidents = (*of_groups, *listed.of_agents([row["pk"] for row in rows], wanted))
    return IncidentPageView(incidents=tuple(map(to_row, incidents)), next_cursor=write_cursor(position, bounds[1]))


@router.post(
    "/v1/incidents/<group_type>/<name>/acknowledgement",
    tags=["Incidents"],
    responses=responses(200, "the incident", IncidentRow, 404, 413),
)
def acknowledge_group(
    group_type: Annotated[
        Literal["account_disconnected", "callbacks_missing", "channel_failing", "drill"],
        Path(description="the type of the group's incident"),
    ],
    name: Annotated[str, Path(pattern=ACCOUNT_ID, description="the account, data center, channel or drill"), DECODED],
    body: Annotated[Acknowledgement, Body()],
) -> IncidentRow:
    """Acknowledge the incident of a group of agents, which ends its reminders.

    The path has its `dedup_key`. An agent's own incident is acknowledged at the agent.
    """
    group = Group(IncidentType(group_type), name)
    operations.acknowledge_group(collaborators().groups(), group, body.note, caller_name(), datetime.now(UTC))
    incident = _incident_list().of_group(group)
    if incident is None:
        raise NotFound(f"the incident {group.key} is over")
    return to_row(incident)


def _incident_list() -> IncidentList:
    return collaborators().incident_list(public_url())


def to_row(incident: ListedIncident) -> IncidentRow:
    """Return an incident as callers see it."""
    values: dict[str, Any] = {name: getattr(incident, name, None) for name in IncidentRow.model_fields}
    if incident.is_of_group:
        waiting = len(incident.agents) if incident.status is IncidentStatus.OPEN else None
        return IncidentRow(**values | {"agent": None, "waiting": waiting})
    names: dict[str, Any] = {name: getattr(incident, name, None) for name in IncidentAgent.model_fields}
    agent = IncidentAgent(**names | {"id": incident.agent_id, "links": links_to(incident.agent_id)})
    return IncidentRow(**values | {"agent": agent})
