"""The API for callers: Cronofy's own paths and bodies, and additions."""

import re
from typing import Any
from uuid import uuid4

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from meeting_agents import VERSION, wiring
from meeting_agents.alerting.message import Links
from meeting_agents.api import accounts, calendar_events, docs, incidents, isolation, meeting_agents, problems, silences
from meeting_agents.api.context import Collaborators, request
from meeting_agents.api.strict_json import strict_json

logger = Logger(version=VERSION)
metrics = Metrics()
app = APIGatewayHttpResolver(
    enable_validation=True, response_validation_error_http_code=500, json_body_deserializer=strict_json
)
for part in (problems, isolation, calendar_events, meeting_agents, incidents, silences, accounts, docs):
    app.include_router(part.router)
app.include_router(request)

COLLABORATORS = Collaborators(
    default_data_center=lambda: wiring.settings().default_data_center,
    trigger_lead_time=lambda: wiring.settings().trigger_lead_time,
    event_triggers=wiring.event_triggers,
    public_url=lambda: wiring.settings().public_url,
    journal=wiring.journal,
    days=wiring.days,
    provisioning=wiring.provisioning,
    accounts=wiring.accounts,
    client_secrets=wiring.client_secrets,
    resource_addresses=wiring.resource_addresses,
    lifecycle_topic=wiring.lifecycle_topic,
    groups=wiring.groups,
    tokens=wiring.tokens,
    profiles=wiring.profiles,
    silences=wiring.silences,
    eraser=wiring.eraser,
    archive_bucket=wiring.archive_bucket,
    bindings=wiring.bindings,
    claims=lambda: (wiring.settings().accounts_claim, wiring.settings().labels_claim),
    incident_list=lambda address: wiring.incident_list(Links(address, "")),
)

wiring.make_ready(wiring.provisioning, wiring.read_client_secrets)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Respond to a request on any route but the webhook's. Every log line of it carries its `X-Correlation-Id`."""
    headers = event.setdefault("headers", {})
    header = headers.get("x-correlation-id", "")
    correlation_id = header if re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", header) else str(uuid4())
    headers |= {"x-correlation-id": correlation_id, "content-type": "application/json"}  # every body is JSON
    logger.append_keys(correlation_id=correlation_id)
    app.append_context(collaborators=COLLABORATORS)
    response = app.resolve(event, context)
    response["headers"]["X-Correlation-Id"] = correlation_id
    response["body"] = response["body"] or ""
    logger.info("response sent", route=event.get("routeKey", ""), status=response["statusCode"])
    return response
