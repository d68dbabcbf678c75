"""Cronofy's own paths and bodies for a calendar event with a meeting agent."""

from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from meeting_agents.api.bodies import CalendarEventDeletion, CalendarEventRequest, digest
from meeting_agents.api.context import (
    as_user,
    labels_of_request,
    may_be_cancelled,
    raw_body,
    read_journal,
    require_client_secret,
    trigger_lead_time,
    with_our_subscription,
)
from meeting_agents.api.parameters import AccountName, CalendarId, CorrelationId, DataCenter, Label, OwnToken
from meeting_agents.api.passthrough import forward, submit
from meeting_agents.api.problems import CRONOFYS, responses
from meeting_agents.api.views import PassthroughResponse
from meeting_agents.cronofy.messages import CronofyRequest
from meeting_agents.domain.identity import agent_id
from meeting_agents.domain.model import Action, Request, State
from meeting_agents.provisioning import ProvisioningRequest

router = APIGatewayHttpRouter()


@router.post(
    "/v1/calendars/<calendar_id>/events",
    tags=["Cronofy's API"],
    responses=responses(
        202, "Cronofy accepted it, or it is sent again: see `agent.state`", PassthroughResponse, *CRONOFYS
    ),
)
def upsert_calendar_event(
    calendar_id: CalendarId,
    body: Annotated[CalendarEventRequest, Body()],
    data_center_name: DataCenter = None,
    own_token: OwnToken = None,
    account: AccountName = None,
    correlation_id: CorrelationId = None,
    _: Label = None,
) -> Response[PassthroughResponse]:
    """Create or change a calendar event, with its meeting agent.

    https://docs.cronofy.com/developers/api/events/upsert-event/
    """
    labels = labels_of_request()
    credentials, data_center = as_user(data_center_name, own_token, account)
    agent, path, text = agent_id(data_center, calendar_id, body.event_id), _path(calendar_id), raw_body()
    journal, record = read_journal(agent)
    if not body.provisions_agent and not may_be_cancelled(record):
        return forward(CronofyRequest("POST", path, data_center, text), credentials, agent, record)
    earlier = (
        record.current.latest_request if record and record.state not in (State.REJECTED, State.CANCELLED) else None
    )
    request = body.request(data_center, calendar_id, credentials.account, text, earlier=earlier, now=datetime.now(UTC))
    if request.action is Action.PROVISION:
        require_client_secret(data_center)
    return submit(
        ProvisioningRequest(
            agent,
            request,
            "POST",
            path,
            credentials,
            with_our_subscription(agent, text, trigger_lead_time(data_center)),
            correlation_id or "",
            labels,
            journal=journal,
        ),
        body.warnings(request),
    )


@router.delete(
    "/v1/calendars/<calendar_id>/events",
    tags=["Cronofy's API"],
    responses=responses(
        202, "Cronofy accepted it, or it is sent again: see `agent.state`", PassthroughResponse, *CRONOFYS
    ),
)
def delete_calendar_event(
    calendar_id: CalendarId,
    body: Annotated[CalendarEventDeletion, Body()],
    data_center_name: DataCenter = None,
    own_token: OwnToken = None,
    account: AccountName = None,
    correlation_id: CorrelationId = None,
    _: Label = None,
) -> Response[PassthroughResponse]:
    """Delete a calendar event; its agent is cancelled.

    https://docs.cronofy.com/developers/api/events/delete-event/
    """
    labels = labels_of_request()
    credentials, data_center = as_user(data_center_name, own_token, account)
    agent, path, text = agent_id(data_center, calendar_id, body.event_id), _path(calendar_id), raw_body()
    journal, record = read_journal(agent)
    if record is None or not may_be_cancelled(record):
        return forward(CronofyRequest("DELETE", path, data_center, text), credentials, agent, record)
    request = Request(
        action=Action.CANCEL,
        data_center=data_center,
        calendar_id=calendar_id,
        event_id=body.event_id,
        account=credentials.account,
        meeting=record.meeting,
        digest=digest(text),
    )
    return submit(
        ProvisioningRequest(
            agent, request, "DELETE", path, credentials, lambda _: text, correlation_id or "", labels, journal=journal
        )
    )


def _path(calendar_id: str) -> str:
    return f"/v1/calendars/{quote(calendar_id, safe='')}/events"
