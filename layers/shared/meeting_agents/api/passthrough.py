"""Requests that go on to Cronofy, and its answer as callers see it."""

import time

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.metrics import MetricUnit

from meeting_agents.api.context import collaborators, links_to
from meeting_agents.api.problems import RequestFailed
from meeting_agents.api.views import AgentSummary, PassthroughResponse
from meeting_agents.cronofy.messages import CallerCredentials, CronofyRequest, CronofyResponse, Outcome
from meeting_agents.domain.model import Record
from meeting_agents.provisioning import ProvisioningRequest

logger = Logger()
metrics = Metrics()


def submit(request: ProvisioningRequest) -> Response[PassthroughResponse]:
    """Journal a request for an agent and send it to Cronofy: the answer, or 202 while it will be sent again.

    Raises `RequestFailed`.
    """
    logger.append_keys(agent_id=request.agent_id)
    began = time.monotonic()
    result = collaborators().provisioning().submit(request)
    metrics.add_metric("CronofyLatency", MetricUnit.Milliseconds, (time.monotonic() - began) * 1000)
    answer = result.response
    metrics.add_metric(f"Cronofy{answer.outcome.value.title()}" if answer else "CronofyTimeouts", MetricUnit.Count, 1)
    is_error = answer is None or answer.outcome is Outcome.RETRYABLE
    metrics.add_metric("CronofyErrors", MetricUnit.Count, int(is_error))
    agent = AgentSummary.of(request.agent_id, result.record, links_to(request.agent_id))
    if answer and answer.outcome is Outcome.ACCEPTED:
        return _accepted(answer, agent)
    if agent.retry_at:
        return Response(202, content_type="application/json", body=PassthroughResponse(agent=agent))
    raise RequestFailed(agent, answer, result.error)


def forward(
    call: CronofyRequest, authority: CallerCredentials, agent_id: str, record: Record | None
) -> Response[PassthroughResponse]:
    """Send what concerns no active agent to Cronofy, without a journal entry. Raises `RequestFailed`."""
    answer = collaborators().provisioning().forward(call, authority)
    agent = AgentSummary.of(agent_id, record, links_to(agent_id)) if record else None
    if answer.outcome is not Outcome.ACCEPTED:
        raise RequestFailed(agent, answer, None)
    return _accepted(answer, agent)


def _accepted(answer: CronofyResponse, agent: AgentSummary | None) -> Response[PassthroughResponse]:
    content = answer.content if isinstance(answer.content, dict) else {}
    status = answer.status if answer.status in (200, 202) else 202
    return Response(status, content_type="application/json", body=PassthroughResponse(**content | {"agent": agent}))
