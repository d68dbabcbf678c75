"""The floor: what any receiver of signed notifications must do at least, and with nothing around it."""

import base64
import hashlib
import hmac
import json
import os
from typing import Any

import boto3

client: Any = boto3.Session().client("dynamodb")
table = os.environ["AGENTS_TABLE"]
secret = os.environ["SECRET"].encode()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """HMAC, `json.loads`, one `put_item`."""
    body = event["body"].encode()
    expected = base64.b64encode(hmac.digest(secret, body, "sha256"))
    if not hmac.compare_digest(expected, event["headers"]["cronofy-hmac-sha256"].split(",")[0].encode()):
        return {"statusCode": 401}
    json.loads(body)
    key = hashlib.sha256(body).hexdigest()
    client.put_item(
        TableName=table,
        Item={"pk": {"S": "floor"}, "sk": {"S": key}, "raw": {"B": body}},
        ConditionExpression="attribute_not_exists(sk)",
    )
    return {"statusCode": 200}
