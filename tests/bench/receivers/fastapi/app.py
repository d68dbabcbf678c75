"""A receiver with FastAPI, which Mangum runs on Lambda, and a pydantic model of the body."""

import base64
import hashlib
import hmac
import os
from typing import Annotated, Any

import boto3
from fastapi import FastAPI, Header, HTTPException, Request
from mangum import Mangum
from pydantic import BaseModel

client: Any = boto3.client("dynamodb")
secret = os.environ["SECRET"].encode()
app = FastAPI()


class Callback(BaseModel):
    """A notification of Cronofy."""

    notification: dict[str, Any]
    event: dict[str, Any] | None = None
    meeting_agent: dict[str, Any] | None = None


@app.post("/webhooks/cronofy/{agent_id}")
async def receive(
    agent_id: str, callback: Callback, request: Request, cronofy_hmac_sha256: Annotated[str, Header()]
) -> dict[str, str]:
    """HMAC, one `put_item`."""
    body = await request.body()
    expected = base64.b64encode(hmac.digest(secret, body, "sha256"))
    if not hmac.compare_digest(expected, cronofy_hmac_sha256.split(",")[0].encode()):
        raise HTTPException(401)
    client.put_item(
        TableName=os.environ["AGENTS_TABLE"],
        Item={"pk": {"S": agent_id}, "sk": {"S": hashlib.sha256(body).hexdigest()}, "raw": {"B": body}},
        ConditionExpression="attribute_not_exists(sk)",
    )
    return {"stored": agent_id}


handler = Mangum(app, lifespan="off")
