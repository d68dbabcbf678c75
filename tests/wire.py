"""AWS at the wire: each call of a function's clients is recorded; those that `webhook` makes are answered."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError

from meeting_agents import wiring

CURRENT = "CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID"
PREVIOUS = "CRN_nGlYDFXwfSXgB9rvGNBJyfE454GGPtWIbNuPwr"
STORED_AT = 1_777_000_000
"""Seconds since 1970: when the secret was stored."""

ENVIRONMENT = {
    "AGENTS_TABLE": "agents",
    "RETENTION_DAYS": "90",
    "CRONOFY_SECRET_ARN": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:cronofy",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
}


@dataclass
class Aws:
    """A botocore `before-send` handler. `down`: the error codes of failing operations ("": no answer)."""

    secret: str = field(
        default_factory=lambda: json.dumps({"us": {"client_id": "id", "client_secrets": [CURRENT, PREVIOUS]}})
    )
    down: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    items: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __call__(self, **sent: Any) -> Any:
        request: AWSPreparedRequest = sent["request"]
        operation = bytes(request.headers["X-Amz-Target"]).decode().partition(".")[2]  # type: ignore[arg-type]
        self.calls.append(operation)
        assert isinstance(request.body, bytes)
        parameters = json.loads(request.body)
        if operation in self.down:
            if not self.down[operation]:
                raise ConnectTimeoutError(endpoint_url=request.url)
            return _response(request, 400, {"__type": f"com.amazonaws#{self.down[operation]}", "message": "no"})
        if operation == "GetSecretValue":
            return _response(request, 200, {"SecretString": self.secret, "CreatedDate": STORED_AT})
        assert operation == "PutItem", f"unexpected call: {operation}"
        assert parameters["ConditionExpression"] == "attribute_not_exists(sk)"
        item = parameters["Item"]
        if self.items.setdefault((item["pk"]["S"], item["sk"]["S"]), item) is not item:
            return _response(
                request, 400, {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"}
            )
        return _response(request, 200, {})


def forget() -> None:
    """Forget all collaborators, as in a new process."""
    for made in vars(wiring).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()


class _Raw(io.BytesIO):
    """A body as urllib3 returns it to botocore."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _response(request: AWSPreparedRequest, status: int, content: dict[str, Any]) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Raw(json.dumps(content).encode()))
