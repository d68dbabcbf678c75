"""Cronofy's own paths and bodies for meeting agents, and what Cronofy lacks."""

import re
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import uuid4

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AwareDatetime

from meeting_agents.announcement import as_replay, build_announcements, is_link, to_message
from meeting_agents.api.bodies import Acknowledgement, AgentCancellation, AgentRequest, digest
from meeting_agents.api.context import (
    as_application,
    collaborators,
    find_record,
    is_active,
    known_data_center,
    links_to,
    raw_body,
    read_record,
    signed_in_as,
    unknown_agent,
    with_our_subscription,
)
from meeting_agents.api.pagination import list_page, parse_range
from meeting_agents.api.parameters import AgentId, CorrelationId, DataCenter, IdempotencyKey, OwnToken
from meeting_agents.api.passthrough import forward, submit
from meeting_agents.api.problems import CRONOFYS, RequestFailed, answers
from meeting_agents.api.views import AgentList, AgentRow, AgentView, PassthroughResponse, Replay, ResourceAddress
from meeting_agents.cronofy.messages import CronofyRequest
from meeting_agents.cronofy.payloads import DataCenter as DataCenterName
from meeting_agents.domain.deadlines import deadline
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import Action, Entry, EntryType, Reason, ReasonCode, Record, Request, State
from meeting_agents.errors import FieldError, InvalidRequest, NotFound, Unreachable, UntrustedResourceUrl
from meeting_agents.provisioning import ProvisioningRequest

router = APIGatewayHttpRouter()
metrics = Metrics()


# -------------------------------------------------------------------------------------------------------- Cronofy's own


@router.post(
    "/v1/meeting_agents",
    tags=["Cronofy's own"],
    responses=answers(
        200, "the agent is sent: `meeting_agent.sub` is Cronofy's name for it", PassthroughResponse, *CRONOFYS, 409
    )
    | answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", PassthroughResponse),
)
def ask_for_agent(
    body: Annotated[AgentRequest, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    idempotency_key: IdempotencyKey = None,
    correlation_id: CorrelationId = None,
) -> Response[PassthroughResponse]:
    """Schedule an agent, or send one now, without a calendar event.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    authority, home = as_application(data_center, own_token)
    text, key = raw_body(), body.scheduling_key
    agent = agent_id(home, key) if key else agent_id(home, "", idempotency_key or str(uuid4()))
    return submit(
        ProvisioningRequest(
            agent,
            body.request(home, text, datetime.now(UTC)),
            "POST",
            "/v1/meeting_agents",
            authority,
            with_our_subscription(agent, text),
            correlation_id or "",
            at_most_once=True,
            is_idempotent=key is not None,
        )
    )


@router.delete(
    "/v1/meeting_agents",
    tags=["Cronofy's own"],
    responses=answers(202, "Cronofy accepted it, or is asked again: see `agent.state`", PassthroughResponse, *CRONOFYS),
)
def cancel_agent(
    body: Annotated[AgentCancellation, Body()],
    data_center: DataCenter = None,
    own_token: OwnToken = None,
    correlation_id: CorrelationId = None,
) -> Response[PassthroughResponse]:
    """Cancel a scheduled agent.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    authority, home = as_application(data_center, own_token)
    agent, path, text = agent_id(home, body.scheduling_key), "/v1/meeting_agents", raw_body()
    record = find_record(agent)
    if record is None or not is_active(record):
        return forward(CronofyRequest("DELETE", path, home, text), authority, agent, record)
    request = Request(
        action=Action.CANCEL,
        data_center=home,
        scheduling_key=body.scheduling_key,
        meeting=record.meeting,
        digest=digest(text),
    )
    return submit(ProvisioningRequest(agent, request, "DELETE", path, authority, lambda _: text, correlation_id or ""))


# --------------------------------------------------------------------------------------------------- what Cronofy lacks


@router.get("/v1/meeting_agents", tags=["What Cronofy lacks"], responses=answers(200, "a page of agents", AgentList))
def list_agents(
    state: Annotated[State | None, Query()] = None,
    start: Annotated[datetime | None, Query(alias="from", description="meetings that start then or later")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="meetings that start before")] = None,
    data_center: Annotated[DataCenterName | None, Query()] = None,
    account: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    calendar_id: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
    event_id: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    scheduling_key: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> AgentList:
    """Agents in the order in which their meetings start; or the one that has this natural key.

    `from` and `to` are at most 92 days apart; without them, from a day ago until in two weeks. A list follows what
    happens after a moment; an agent by its natural key is read as it is now.
    """
    if event_id or calendar_id or scheduling_key:
        home = known_data_center(data_center)
        if bool(event_id) != bool(calendar_id) or bool(event_id) == bool(scheduling_key):
            raise InvalidRequest(
                "this is no natural key",
                FieldError("calendar_id", "calendar_id with event_id, or scheduling_key alone"),
            )
        agent = agent_id(home, scheduling_key) if scheduling_key else agent_id(home, calendar_id or "", event_id or "")
        record = find_record(agent)
        return AgentList(agents=(AgentRow.of(agent, record, links_to(agent)),) if record else (), next_cursor=None)
    now = datetime.now(UTC)
    span = parse_range(start, end, cursor, now)
    filters = {"state": state, "data_center": data_center, "account": account}
    equal = {name: str(value) for name, value in filters.items() if value}
    return list_page(collaborators().journal(), span, equal, limit, now, links_to)


@router.get(
    "/v1/meeting_agents/<agent_id>", tags=["What Cronofy lacks"], responses=answers(200, "the agent", AgentView, 404)
)
def read_agent(agent_id: AgentId) -> AgentView:
    """The record of an agent, its attempts, its timeline with verdicts, and what it waits for until when."""
    journal = collaborators().journal()
    lines = journal.read(agent_id, datetime.now(UTC))
    if not lines:
        raise unknown_agent(agent_id)
    steps = timeline(lines)
    return AgentView.of(agent_id, steps, deadline(steps[-1].after, journal.grace_periods), links_to(agent_id))


@router.post(
    "/v1/meeting_agents/<agent_id>/acknowledgement",
    tags=["What Cronofy lacks"],
    responses=answers(200, "the agent", AgentView, 404, 413),
)
def acknowledge(agent_id: AgentId, body: Annotated[Acknowledgement, Body()]) -> AgentView:
    """Take on what people were told of an agent, so that they are not told again. The same note again adds nothing."""
    record = read_record(agent_id)
    caller = signed_in_as()
    entry = Entry(
        key=f"acknowledged#{record.revision:04d}#{record.incident or 'nothing'}#{digest(body.note)[:32]}",
        kind=EntryType.ACKNOWLEDGED,
        at=datetime.now(UTC),
        attempt=record.current.number,
        revision=record.revision,
        reason=Reason.of(ReasonCode.NOTE, note=body.note, caller=caller),
    )
    collaborators().journal().append(agent_id, entry)
    return read_agent(agent_id)


@router.get(
    "/v1/meeting_agents/<agent_id>/resources/<category>",
    tags=["What Cronofy lacks"],
    responses=answers(200, "with `format=json`: the address", ResourceAddress, 401, 404, 429, 502, 504)
    | {302: {"description": "to where the resource can be had for a while, without credentials"}},
)
def read_resource(
    agent_id: AgentId,
    category: Annotated[
        str, Path(pattern=r"^[a-z_]{1,64}$", description="transcript, audio, video; cronofy: the dashboard")
    ],
    kind: Annotated[str | None, Query(alias="type", description="where a category has several")] = None,
    form: Annotated[Literal["json"] | None, Query(alias="format")] = None,
) -> Response[ResourceAddress | None]:
    """Where a resource of an agent can be had: asked of Cronofy at this moment, for its address does not last."""
    record = read_record(agent_id)
    found = [
        resource
        for attempt in reversed(record.attempts)
        for resource in attempt.resources
        if resource.category == category and kind in (None, resource.type)
    ]
    if not found:
        raise NotFound(f"the agent has no resource {category}; its attempts list what it has")
    resource = found[0]
    is_dashboard = resource.category == "cronofy"
    if is_dashboard and not is_link(resource.url):
        raise UntrustedResourceUrl("the resource's address is none to follow, so nobody is led there")
    url = resource.url if is_dashboard else download_url(record, resource.url)
    if form == "json":
        body = ResourceAddress(category=resource.category, type=resource.type, url=url)
        return Response(200, content_type="application/json", body=body, headers={"Cache-Control": "no-store"})
    return Response(302, headers={"Location": url, "Cache-Control": "no-store"})


@router.get(
    "/v1/meeting_agents/<agent_id>/notifications/<key>",
    tags=["What Cronofy lacks"],
    responses=answers(200, "the bytes that Cronofy signed", None, 404),
)
def read_notification(
    agent_id: AgentId,
    key: Annotated[str, Path(pattern=r"^[0-9a-f]{64}(\.[0-9]{1,6})?$", description="the entry's, as in the timeline")],
) -> Response[bytes]:
    """A notification exactly as it came, for instance one that is too large for its announcement."""
    lines = collaborators().journal().read(agent_id, datetime.now(UTC))
    raw = next((line.raw for line in lines if line.entry.key == key), None)
    if raw is None:
        raise NotFound(f"the agent {agent_id} has no notification {key}")
    return Response(200, content_type="application/octet-stream", body=raw)


@router.post(
    "/v1/meeting_agents/<agent_id>/replay",
    tags=["What Cronofy lacks"],
    responses=answers(200, "what was announced again", Replay, 404),
)
def replay_agent(
    agent_id: AgentId,
    start: Annotated[AwareDatetime | None, Query(alias="from", description="what was noted then or later")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="what was noted before")] = None,
    state: Annotated[State | None, Query(description="what led to this state, or left the agent in it")] = None,
    dry_run: Annotated[bool, Query(description="only say what would be announced")] = False,
) -> Replay:
    """Announce again what happened to an agent, marked `replayed`.

    Ids do not change, so that whoever has had an announcement can tell, and people are not told twice.
    """
    if raw_body():  # a `dry_run` in it would be overlooked
        expected = "none; from, to, state and dry_run are in the query"
        raise InvalidRequest("a replay has no body", FieldError("body", expected))
    journal = collaborators().journal()
    lines = journal.read(agent_id, datetime.now(UTC))
    if not lines:
        raise unknown_agent(agent_id)
    steps = timeline(lines)
    keys = {
        step.entry.key
        for step in steps
        if (start is None or start <= step.entry.at)
        and (end is None or step.entry.at < end)
        and state in (None, step.after.state)
    }
    first = build_announcements(agent_id, steps, lines, journal.grace_periods, keys)
    announcements = [as_replay(announcement) for announcement in first]
    if not dry_run:
        collaborators().lifecycle_topic().publish(map(to_message, announcements))
        metrics.add_metric("EntriesReplayed", MetricUnit.Count, len(announcements))
    return Replay(dry_run=dry_run, announcements=tuple(announcement.id for announcement in announcements))


def download_url(record: Record, url: str) -> str:
    """Ask Cronofy for the presigned address of a resource. Raises `RequestFailed`."""
    home = (record.identity.data_center if record.identity else "") or collaborators().settings().default_data_center
    credentials, cronofy = collaborators().client_secrets(), collaborators().cronofy()
    answer = cronofy.resolve(url, home, credentials.api_key(home))
    if answer.status == 401:
        answer = cronofy.resolve(url, home, credentials.api_key(home, credentials.api_key(home)))
    content = answer.content if isinstance(answer.content, dict) else {}
    resource = content.get("resource")
    address = (resource.get("download_url") if isinstance(resource, dict) else None) or answer.location
    if 200 <= answer.status < 400 and isinstance(address, str) and re.fullmatch(r"https?://[^\s\x00-\x1f]+", address):
        return address
    if 400 <= answer.status < 500:
        raise RequestFailed(None, answer, None)
    raise Unreachable(f"Cronofy answered {answer.status}, without an address of the resource")
