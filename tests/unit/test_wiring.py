"""The clients of AWS as functions get them."""

from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from meeting_agents import VERSION, wiring
from tests.wire import forget


class Answer:
    """An empty body of a response."""

    def stream(self, *_: Any, **__: Any) -> list[bytes]:
        return []


@pytest.mark.parametrize(("service", "config"), [("dynamodb", wiring._CLIENT_CONFIG), ("s3", wiring._ARCHIVE_CONFIG)])
def test_each_call_of_aws_names_the_product_and_its_version(
    service: str, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CloudTrail shows it, and botocore does not put together one of its own. Powertools adds its own at the end."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    forget()  # the session of another test may have handlers of its own
    sent = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request.headers["User-Agent"])
        return AWSResponse(request.url, 200, {}, Answer())  # type: ignore[arg-type]

    client = wiring.client.__wrapped__(service, config)
    client.meta.events.register("before-send", answer)
    client.list_tables() if service == "dynamodb" else client.list_buckets()
    [user_agent] = [agent.decode() if isinstance(agent, bytes) else agent for agent in sent]
    assert user_agent.split()[0] == f"meeting-agents/{VERSION}"
    assert "Botocore" not in user_agent
