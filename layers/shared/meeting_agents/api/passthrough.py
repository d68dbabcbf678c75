"""Requests that are passed on to Cronofy, and its responses as callers see them."""

import time
from collections.abc import Callable, Sequence

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents.api.bodies import BodyWarning
from meeting_agents.api.context import collaborators, links_to
from meeting_agents.api.isolation import permit
from meeting_agents.api.problems import RequestFailed
from meeting_agents.api.views import AgentSummary, PassthroughResponse, WarningView
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome
from meeting_agents.domain.record import Record
from meeting_agents.provisioning import ProvisioningRequest, ProvisioningResult

logger = Logger(child=True)  # its lines have the fields of the function's own logger
metrics = Metrics()


def submit(request: ProvisioningRequest, warnings: Sequence[BodyWarning] = ()) -> Response[PassthroughResponse]:
    """Submit a request for an agent, and return Cronofy's response, or 202 if the request will be sent again.

    Raises `NotPermitted`, `RequestFailed`, and what `Provisioning.submit` raises.
    """
    permit(request.agent_id, request.credentials.account)
    return respond(request.agent_id, lambda: collaborators().provisioning().submit(request), warnings)


def respond(
    agent_id: str, send: Callable[[], ProvisioningResult], warnings: Sequence[BodyWarning] = ()
) -> Response[PassthroughResponse]:
    """Send a request for an agent, and respond as `submit` does. Raises `RequestFailed`, and what `send` raises."""
    logger.append_keys(agent_id=agent_id)
    began = time.monotonic()
    result = send()
    metrics.add_metric("CronofyLatency", MetricUnit.Milliseconds, (time.monotonic() - began) * 1000)
    response = result.response
    metric = f"Cronofy{response.outcome.value.title()}" if response else "CronofyTimeouts"
    metrics.add_metric(metric, MetricUnit.Count, 1)
    is_error = response is None or response.outcome is Outcome.RETRYABLE
    metrics.add_metric("CronofyErrors", MetricUnit.Count, int(is_error))
    if response and response.has_refused_triggers:
        identity = result.record.identity
        metrics.add_metric("EventTriggersRefused", MetricUnit.Count, 1)
        logger.warning("event triggers refused", data_center=identity.data_center if identity else "")
    agent = AgentSummary.of(agent_id, result.record, links_to(agent_id))
    if response and response.outcome is Outcome.ACCEPTED:
        return _accepted(response, agent, warnings)
    is_refused = response is not None and response.outcome is Outcome.REJECTED
    if agent.retry_at and not is_refused:  # a refused one is not sent again, though another one may wait
        return _accepted(CronofyResponse(202), agent, warnings)
    raise RequestFailed(agent, response, result.error)


def forward(
    request: CronofyRequest, credentials: CallerCredentials, agent_id: str, record: Record | None
) -> Response[PassthroughResponse]:
    """Send a request that concerns no active agent to Cronofy, without a journal entry.

    Raises `NotPermitted`, `RequestFailed`, and what `Provisioning.forward` raises.
    """
    permit(agent_id, credentials.account)
    response = collaborators().provisioning().forward(request, credentials)
    agent = AgentSummary.of(agent_id, record, links_to(agent_id)) if record else None
    if response.outcome is not Outcome.ACCEPTED:
        raise RequestFailed(agent, response, None)
    return _accepted(response, agent)


def _accepted(
    response: CronofyResponse, agent: AgentSummary | None, warnings: Sequence[BodyWarning] = ()
) -> Response[PassthroughResponse]:
    content = response.content if isinstance(response.content, dict) else {}
    additions = {"agent": agent, "warnings": tuple(WarningView.model_validate(warning) for warning in warnings)}
    status = response.status if response.status in (200, 202) else 202
    headers = {"Location": agent.links.self} if agent else {}  # some SDKs return no body
    body = PassthroughResponse(**content | additions)
    return Response(status, content_type="application/json", body=body, headers=headers)
