"""A receiver in the style of Powertools' documentation: a resolver with routes, and boto3's resource of a table."""

import base64
import hashlib
import hmac
import os
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from boto3.dynamodb.conditions import Attr

logger = Logger(service="receiver")
metrics = Metrics(namespace="receiver", service="receiver")
app = APIGatewayHttpResolver()
table: Any = boto3.resource("dynamodb").Table(os.environ["AGENTS_TABLE"])
secret = os.environ["SECRET"].encode()


@app.post("/webhooks/cronofy/<agent_id>")
def receive(agent_id: str) -> dict[str, str]:
    """HMAC, one `put_item`, one metric."""
    body = (app.current_event.decoded_body or "").encode()
    expected = base64.b64encode(hmac.digest(secret, body, "sha256"))
    if not hmac.compare_digest(expected, app.current_event.headers["cronofy-hmac-sha256"].split(",")[0].encode()):
        raise UnauthorizedError("the signature is wrong")
    table.put_item(
        Item={
            "pk": agent_id,
            "sk": hashlib.sha256(body).hexdigest(),
            "raw": body,
            "event": app.current_event.json_body,
        },
        ConditionExpression=Attr("sk").not_exists(),
    )
    metrics.add_metric("Received", MetricUnit.Count, 1)
    return {"stored": agent_id}


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one callback."""
    return app.resolve(event, context)
