"""The API's callers: IAM, or tokens of another issuer. Only the webhook is an open route, and none by accident."""

import re
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tests.system.template import TEXT, of_type, transformed

IAM = "        EnableIamAuthorizer: true\n        DefaultAuthorizer: AWS_IAM\n"


def with_tokens() -> str:
    """The template after the change that it describes itself."""
    described = re.search(r"(?:^  #     .*\n)+(?=  # .*\n  Api:)", TEXT, re.MULTILINE)
    assert described
    assert TEXT.count(IAM) == 1
    return TEXT.replace(IAM, re.sub(r"^  #     ", " " * 8, described[0], flags=re.MULTILINE))


def api(text: str) -> dict[str, Any]:
    """The HTTP API as CloudFormation gets it."""
    (found,) = of_type("ApiGatewayV2::Api", transformed(yaml_parse(text))).values()
    body: dict[str, Any] = found["Body"]
    return body


@pytest.mark.parametrize(("text", "door"), [(TEXT, "AWS_IAM"), (with_tokens(), "Jwt")], ids=["IAM", "JWT"])
def test_every_route_but_the_webhook_has_a_door(text: str, door: str) -> None:
    """Both forms of the template are checked."""
    doors = {
        f"{method.upper()} {path}": operation.get("security")
        for path, operations in api(text)["paths"].items()
        for method, operation in operations.items()
    }
    assert len(doors) > 12
    assert doors.pop("POST /webhooks/cronofy/{agent_id}") == [{"NONE": []}]
    assert {str(security) for security in doors.values()} == {str([{door: []}])}


def test_a_token_of_another_issuer_has_a_header_of_its_own() -> None:
    """So that `Authorization` stays free for Cronofy's token, which its SDKs send there."""
    schemes = api(with_tokens())["components"]["securitySchemes"]
    authorizer = schemes["Jwt"]["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "jwt"
    assert authorizer["identitySource"] == "$request.header.X-Caller-Authorization"
    assert set(authorizer["jwtConfiguration"]) == {"issuer", "audience"}
