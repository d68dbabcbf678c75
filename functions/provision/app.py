"""The API that callers see: Cronofy's own paths and bodies, and what Cronofy lacks."""

import re
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from meeting_agents import VERSION, wiring
from meeting_agents.api import accounts, calendar_events, docs, meeting_agents, problems
from meeting_agents.api.context import Collaborators, request
from meeting_agents.api.strict_json import strict_json

logger = Logger(version=VERSION)
metrics = Metrics()
app = APIGatewayHttpResolver(
    enable_validation=True, response_validation_error_http_code=500, json_body_deserializer=strict_json
)
for router in (request, problems.router, calendar_events.router, meeting_agents.router, accounts.router, docs.router):
    app.include_router(router)

COLLABORATORS = Collaborators(
    settings=wiring.settings,
    journal=wiring.journal,
    provisioning=wiring.provisioning,
    accounts=wiring.accounts,
    client_secrets=wiring.client_secrets,
    cronofy=wiring.cronofy,
    lifecycle_topic=wiring.lifecycle_topic,
)

wiring.make_ready(wiring.provisioning)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Every route but the webhook's. `X-Correlation-Id` goes into every line that a request leads to."""
    headers = event.setdefault("headers", {})
    given = headers.get("x-correlation-id", "")
    correlation_id = given if re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", given) else str(uuid4())
    headers |= {"x-correlation-id": correlation_id, "content-type": "application/json"}  # no body is anything else
    logger.append_keys(correlation_id=correlation_id)
    app.append_context(collaborators=COLLABORATORS)
    answer = app.resolve(event, context)
    answer["headers"]["X-Correlation-Id"] = correlation_id
    answer["body"] = answer["body"] or ""
    logger.info("request answered", route=event.get("routeKey", ""), status=answer["statusCode"])
    return answer
