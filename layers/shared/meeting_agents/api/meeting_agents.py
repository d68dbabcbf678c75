"""Cronofy's own paths and bodies for meeting agents, and the routes that this API adds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import uuid4

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AwareDatetime

from meeting_agents import operations
from meeting_agents.announcement import is_link
from meeting_agents.api.bodies import Acknowledgement, AgentCancellation, AgentRequest, digest
from meeting_agents.api.context import (
    as_application,
    caller_name,
    collaborators,
    find_record,
    known_data_center,
    labels_of_request,
    links_to,
    may_be_cancelled,
    quiet,
    raw_body,
    read_journal,
    read_record,
    require_client_secret,
    with_our_subscription,
)
from meeting_agents.api.erasure_views import ErasureView
from meeting_agents.api.isolation import binding, covers_record
from meeting_agents.api.labels import wanted_labels
from meeting_agents.api.pagination import list_page, parse_range
from meeting_agents.api.parameters import (
    AgentId,
    CorrelationId,
    DataCenter,
    IdempotencyKey,
    Label,
    OwnToken,
    WantedLabel,
)
from meeting_agents.api.passthrough import forward, respond, submit
from meeting_agents.api.patterns import CATEGORY, NOTIFICATION_KEY
from meeting_agents.api.problems import CRONOFYS, RequestFailed, responses
from meeting_agents.api.views import (
    AgentList,
    AgentRow,
    AgentView,
    PassthroughResponse,
    Replay,
    ResourceAddress,
)
from meeting_agents.aws.keys import open_shards
from meeting_agents.cronofy.messages import CronofyRequest
from meeting_agents.cronofy.payloads import DataCenter as DataCenterName
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.lifecycle import timeline
from meeting_agents.domain.model import Action, Request, Resource, State
from meeting_agents.domain.record import Record
from meeting_agents.errors import FieldError, InvalidRequest, NotFound, Unreachable, UntrustedResourceUrl
from meeting_agents.provisioning import ProvisioningRequest

ADDRESS_SECONDS = 900
"""The life of an address in the archive: time to begin a download."""

router = APIGatewayHttpRouter()
metrics = Metrics()


# -------------------------------------------------------------------------------------------------------- Cronofy's API


@router.post(
    "/v1/meeting_agents",
    tags=["Cronofy's API"],
    responses=responses(
        200, "the agent is sent: `meeting_agent.sub` is Cronofy's id of it", PassthroughResponse, *CRONOFYS
    )
    | responses(202, "Cronofy accepted it, or it is sent again: see `agent.state`", PassthroughResponse),
)
def request_agent(
    body: Annotated[AgentRequest, Body()],
    data_center_name: DataCenter = None,
    own_token: OwnToken = None,
    idempotency_key: IdempotencyKey = None,
    correlation_id: CorrelationId = None,
    _: Label = None,
) -> Response[PassthroughResponse]:
    """Schedule an agent, or send one now, without a calendar event.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    labels = labels_of_request()
    credentials, data_center = as_application(data_center_name, own_token)
    require_client_secret(data_center)
    text, key = raw_body(), body.scheduling_key
    agent = agent_id(data_center, key) if key else agent_id(data_center, "", idempotency_key or str(uuid4()))
    return submit(
        ProvisioningRequest(
            agent,
            body.request(data_center, text, datetime.now(UTC)),
            "POST",
            "/v1/meeting_agents",
            credentials,
            with_our_subscription(agent, text),
            correlation_id or "",
            labels,
            at_most_once=True,
            is_idempotent=key is not None,
        )
    )


@router.delete(
    "/v1/meeting_agents",
    tags=["Cronofy's API"],
    responses=responses(
        202, "Cronofy accepted it, or it is sent again: see `agent.state`", PassthroughResponse, *CRONOFYS
    ),
)
def cancel_agent(
    body: Annotated[AgentCancellation, Body()],
    data_center_name: DataCenter = None,
    own_token: OwnToken = None,
    correlation_id: CorrelationId = None,
    _: Label = None,
) -> Response[PassthroughResponse]:
    """Cancel a scheduled agent.

    https://docs.cronofy.com/developers/api/meeting-agents/schedule/
    """
    labels = labels_of_request()
    credentials, data_center = as_application(data_center_name, own_token)
    agent, path, text = agent_id(data_center, body.scheduling_key), "/v1/meeting_agents", raw_body()
    journal, record = read_journal(agent)
    if record is None or not may_be_cancelled(record):
        return forward(CronofyRequest("DELETE", path, data_center, text), credentials, agent, record)
    request = Request(
        action=Action.CANCEL,
        data_center=data_center,
        scheduling_key=body.scheduling_key,
        meeting=record.meeting,
        digest=digest(text),
    )
    return submit(
        ProvisioningRequest(
            agent, request, "DELETE", path, credentials, lambda _: text, correlation_id or "", labels, journal=journal
        )
    )


# ------------------------------------------------------------------------------------------------------------ additions


@router.get("/v1/meeting_agents", tags=["Additions"], responses=responses(200, "a page of agents", AgentList))
def list_agents(
    state: Annotated[list[State] | None, Query(description="one of these states: `state=failed&state=overdue`")] = None,
    incident: Annotated[Literal["open"] | None, Query(description="only agents with an open incident")] = None,
    start: Annotated[datetime | None, Query(alias="from", description="meetings that start then or later")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="meetings that start before")] = None,
    data_center_name: Annotated[DataCenterName | None, Query(alias="data_center")] = None,
    account: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    calendar_id: Annotated[str | None, Query(min_length=1, max_length=512)] = None,
    event_id: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    scheduling_key: Annotated[str | None, Query(min_length=1, max_length=1024)] = None,
    label: WantedLabel = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=1024)] = None,
) -> AgentList:
    """List agents in the order in which their meetings start, or find the agent with a natural key.

    `from` and `to` are at most 92 days apart; the default is from a day ago to two weeks ahead. A list is updated a
    moment after each change; an agent found by its natural key is up to date. Incidents of any day are in the list of
    incidents.
    """
    if event_id or calendar_id or scheduling_key:
        data_center = known_data_center(data_center_name)
        if bool(event_id) != bool(calendar_id) or bool(event_id) == bool(scheduling_key):
            raise InvalidRequest(
                "the natural key is incomplete or ambiguous",
                FieldError("calendar_id", "calendar_id with event_id, or scheduling_key alone"),
            )
        agent = (
            agent_id(data_center, scheduling_key)
            if scheduling_key
            else agent_id(data_center, calendar_id or "", event_id or "")
        )
        record, grace_periods = find_record(agent), collaborators().journal().grace_periods
        is_own = record is not None and covers_record(binding(), record)
        now, links = datetime.now(UTC), links_to(agent)
        rows = (AgentRow.of(agent, record, grace_periods, now, links, quiet),) if record and is_own else ()
        return AgentList(agents=rows, next_cursor=None)
    now = datetime.now(UTC)
    bounds = parse_range(start, end, cursor, now)
    filters: dict[str, Sequence[str]] = {
        "state": state or (),
        "data_center": (data_center_name,) if data_center_name else (),
        "account": (account,) if account else (),
        "open_shard": open_shards() if incident else (),
        **{f"labels.{name}": values for name, values in wanted_labels(label).items()},
    }
    wanted = binding().narrowed({name: tuple(map(str, values)) for name, values in filters.items() if values})
    if wanted is None:
        return AgentList(agents=(), next_cursor=None)
    return list_page(collaborators().days(), collaborators().journal(), bounds, wanted, limit, now, links_to, quiet)


@router.get("/v1/meeting_agents/<agent_id>", tags=["Additions"], responses=responses(200, "the agent", AgentView, 404))
def read_agent(agent_id: AgentId) -> AgentView:
    """Read an agent's record, its attempts, its timeline with verdicts, and its next deadline."""
    journal = collaborators().journal()
    entries = journal.read(agent_id, datetime.now(UTC))
    if not entries:
        raise NotFound.of_agent(agent_id)
    steps = timeline(entries)
    return AgentView.of(agent_id, steps, journal.grace_periods, datetime.now(UTC), links_to(agent_id), quiet)


@router.post(
    "/v1/meeting_agents/<agent_id>/acknowledgement",
    tags=["Additions"],
    responses=responses(200, "the agent", AgentView, 404, 413),
)
def acknowledge_agent(agent_id: AgentId, body: Annotated[Acknowledgement, Body()]) -> AgentView:
    """Acknowledge the agent's incident, which ends its reminders. The same note again adds nothing."""
    operations.acknowledge(collaborators().journal(), agent_id, body.note, caller_name(), datetime.now(UTC))
    return read_agent(agent_id)


@router.post(
    "/v1/meeting_agents/<agent_id>/retry",
    tags=["Additions"],
    responses=responses(200, "Cronofy accepted it: as for the request itself", PassthroughResponse, *CRONOFYS)
    | responses(202, "Cronofy accepted it, or it is sent again: see `agent.state`", PassthroughResponse),
)
def retry_agent(agent_id: AgentId, correlation_id: CorrelationId = None) -> Response[PassthroughResponse]:
    """Send the agent's newest request to Cronofy again, now, with the account or the API key that it was sent with.

    409 with the code `nothing_to_retry` if Cronofy accepted it and it did not fail, or the meeting is over; with
    `retry_left_to_caller` if it was sent with a token of the caller's own, or the meeting was moved in the calendar
    since.
    """
    if raw_body():
        raise InvalidRequest("a retry has no body", FieldError("body", "none"))
    journal, provisioning, now = collaborators().journal(), collaborators().provisioning(), datetime.now(UTC)
    return respond(agent_id, lambda: operations.retry(journal, provisioning, agent_id, now, correlation_id or ""))


@router.delete(
    "/v1/meeting_agents/<agent_id>/data",
    tags=["Erasures"],
    responses=responses(200, "what remains", ErasureView, 404, 409),
)
def erase_agent(agent_id: AgentId) -> ErasureView:
    """Erase an agent's data: its journal, its record, all notifications. Who, when and how many entries remains.

    409 with the code `agent_expected` for an agent that may still come. The same again finishes an erasure that was
    interrupted, and says the same. What Cronofy sends later about the agent is deleted; a request for it is refused
    with 409 and the code `erased`.
    """
    return ErasureView.of(agent_id, *collaborators().eraser().erase(agent_id, caller_name(), datetime.now(UTC)))


@router.get(
    "/v1/meeting_agents/<agent_id>/data", tags=["Erasures"], responses=responses(200, "what remains", ErasureView, 404)
)
def read_erasure(agent_id: AgentId) -> ErasureView:
    """Read what remains of an agent whose data was erased."""
    return ErasureView.of(agent_id, *collaborators().eraser().find(agent_id, datetime.now(UTC)))


@router.get(
    "/v1/meeting_agents/<agent_id>/resources/<category>",
    tags=["Additions"],
    responses=responses(200, "with `format=json`: the address", ResourceAddress, 401, 404, 429, 502, 504)
    | {302: {"description": "to an address that needs no credentials and expires"}},
)
def read_resource(
    agent_id: AgentId,
    category: Annotated[str, Path(pattern=CATEGORY, description="transcript, audio, video; cronofy: the dashboard")],
    kind: Annotated[
        str | None, Query(alias="type", description="the resource's type, if the category has several")
    ] = None,
    form: Annotated[Literal["json"] | None, Query(alias="format")] = None,
    rendition: Annotated[
        Literal["vtt", "txt"] | None, Query(description="of an archived transcript: as WebVTT, or as text for people")
    ] = None,
) -> Response[ResourceAddress | None]:
    """Redirect to an agent's resource, in the archive if it is there. The address expires, so it is new each time."""
    record = read_record(agent_id)
    resources = [
        resource
        for attempt in reversed(record.attempts)
        for resource in attempt.resources
        if resource.category == category and kind in (None, resource.type)
    ]
    if not resources:
        raise NotFound(f"the agent has no resource {category}; its attempts list the resources that it has")
    resource = resources[0]
    if url := archived_url(record, resource, rendition):
        return address_of(resource, url, "archive", form)
    if rendition:
        raise NotFound(
            f"the archive has no {rendition} of the resource {category}; leave rendition out for Cronofy's own form"
        )
    is_dashboard = resource.category == "cronofy"
    if is_dashboard and not is_link(resource.url):
        raise UntrustedResourceUrl("the resource's address is not an http(s) link, so it is not redirected to")
    url = resource.url if is_dashboard else download_url(record, resource.url)
    return address_of(resource, url, "cronofy", form)


@router.get(
    "/v1/meeting_agents/<agent_id>/notifications/<key>",
    tags=["Additions"],
    responses=responses(200, "the bytes that Cronofy signed", None, 404),
)
def read_notification(
    agent_id: AgentId,
    key: Annotated[str, Path(pattern=NOTIFICATION_KEY, description="the key of its entry in the timeline")],
) -> Response[bytes]:
    """Read a notification's exact bytes, for instance of one that is too large for its announcement."""
    entries = collaborators().journal().read(agent_id, datetime.now(UTC))
    raw = next((stored.raw for stored in entries if stored.entry.key == key), None)
    if raw is None:
        raise NotFound(f"the agent {agent_id} has no notification {key}")
    return Response(200, content_type="application/octet-stream", body=raw)


@router.post(
    "/v1/meeting_agents/<agent_id>/replay",
    tags=["Additions"],
    responses=responses(200, "the ids of the replayed announcements", Replay, 404),
)
def replay_agent(
    agent_id: AgentId,
    start: Annotated[AwareDatetime | None, Query(alias="from", description="entries written then or later")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to", description="entries written before")] = None,
    state: Annotated[State | None, Query(description="entries after which the agent is in this state")] = None,
    dry_run: Annotated[bool, Query(description="list the announcements, but do not publish them")] = False,
) -> Replay:
    """Publish an agent's announcements again, marked `replayed`.

    Their ids do not change, so that subscribers recognise them; alerts are not sent again.
    """
    if raw_body():  # a `dry_run` in it would be overlooked
        expected = "none; from, to, state and dry_run are in the query"
        raise InvalidRequest("a replay has no body", FieldError("body", expected))
    ids = operations.replay(
        collaborators().journal(),
        collaborators().lifecycle_topic,
        agent_id,
        datetime.now(UTC),
        start=start,
        end=end,
        state=state,
        dry_run=dry_run,
    )
    if not dry_run:
        metrics.add_metric("EntriesReplayed", MetricUnit.Count, len(ids))
    return Replay(dry_run=dry_run, announcements=ids)


def address_of(
    resource: Resource, url: str, source: Literal["cronofy", "archive"], form: Literal["json"] | None
) -> Response[ResourceAddress | None]:
    """Return the response with the address of a resource: a redirect, or JSON."""
    if form == "json":
        body = ResourceAddress(category=resource.category, type=resource.type, url=url, source=source)
        return Response(200, content_type="application/json", body=body, headers={"Cache-Control": "no-store"})
    return Response(302, headers={"Location": url, "Cache-Control": "no-store"})


def archived_url(record: Record, resource: Resource, rendition: str | None) -> str:
    """Return the presigned address of a resource in the archive; empty if it is not there, or no longer.

    Raises `ArchiveUnavailable` and `ArchiveRejected`.
    """
    files = (file for attempt in record.attempts for file in attempt.archived if file.resource == resource)
    file, archive = next(files, None), collaborators().archive_bucket()
    if file is None or archive is None or file.bucket != archive.name:
        return ""
    key = f"{file.key.rpartition('.')[0]}.{rendition}" if rendition else file.key
    return archive.presigned(key, ADDRESS_SECONDS) if archive.head(key) else ""


def download_url(record: Record, url: str) -> str:
    """Return the presigned address of a resource, as Cronofy gives it at this moment.

    https://docs.cronofy.com/developers/api/meeting-agents/resource-download/. Raises `RequestFailed`, `Unreachable` and
    what `ResourceAddresses.resolve` raises.
    """
    data_center = (record.identity.data_center if record.identity else "") or collaborators().default_data_center()
    response = collaborators().resource_addresses().resolve(url, data_center)
    if response.download_url:
        return response.download_url
    if 400 <= response.status < 500:
        raise RequestFailed(None, response, None)
    raise Unreachable(f"Cronofy answered {response.status}, without an address of the resource")
