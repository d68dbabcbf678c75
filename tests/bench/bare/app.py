"""The bare handler: nothing but the AWS clients of the function it is compared with, and the same calls with them."""

import base64
import json
import os
from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import ClientError

session = boto3.Session()
clients: dict[str, Any] = {service: session.client(service) for service in json.loads(os.environ["CLIENTS"])}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Make the calls that the event lists: service, method, parameters."""
    for service, method, parameters in event["calls"]:
        with suppress(ClientError):  # a condition that does not hold is an answer too
            getattr(clients[service], method)(**unpacked(parameters))
    return {"statusCode": 200}


def unpacked(value: Any) -> Any:
    """Binary attributes back from the base64 in which they travel."""
    if isinstance(value, dict):
        return {k: base64.b64decode(v) if k == "B" else unpacked(v) for k, v in value.items()}
    return [unpacked(item) for item in value] if isinstance(value, list) else value
