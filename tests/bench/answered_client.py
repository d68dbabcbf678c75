"""A client of DynamoDB whose calls are answered in this process: all but the network and the server is real."""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.session import Session

type Answer = Callable[[str, AWSRequest], bytes]
"""Makes the body of a response, from the name of the operation and the request."""


class _Body(BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


def answered_client(answer: Answer) -> Any:
    """Return a client with these answers."""
    client: Any = Session().create_client(
        "dynamodb",
        "eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(max_pool_connections=32),
    )

    def respond(request: AWSRequest, event_name: str, **_: object) -> AWSResponse:
        return AWSResponse(str(request.url), 200, HTTPHeaders(), _Body(answer(event_name.rpartition(".")[2], request)))

    client.meta.events.register("before-send", respond)
    return client
