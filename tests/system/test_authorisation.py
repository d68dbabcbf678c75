"""Who may call: IAM, or tokens of an issuer of one's own. No route but the webhook is open, and none by accident."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

TEMPLATE = (Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8")
IAM = "        EnableIamAuthorizer: true\n        DefaultAuthorizer: AWS_IAM\n"


def with_tokens() -> str:
    """The template after the change that it describes itself."""
    described = re.search(r"(?:^  #     .*\n)+(?=  # .*\n  Api:)", TEMPLATE, re.MULTILINE)
    assert described
    assert TEMPLATE.count(IAM) == 1
    return TEMPLATE.replace(IAM, re.sub(r"^  #     ", " " * 8, described[0], flags=re.MULTILINE))


@pytest.fixture(autouse=True, scope="module")
def region() -> Iterator[None]:
    """SAM asks the SDK for one, to know the partition."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        boto3.setup_default_session()
        yield
    boto3.DEFAULT_SESSION = None


class NoPolicies:
    """SAM asks for the managed policies of an account; the template uses none."""

    def load(self) -> dict[str, str]:
        return {}


def api(text: str) -> dict[str, Any]:
    """The HTTP API as CloudFormation gets it."""
    template = yaml_parse(text)
    for resource in template["Resources"].values():
        for place in ("CodeUri", "ContentUri"):
            if place in resource.get("Properties", {}):
                resource["Properties"][place] = f"s3://bucket/{resource['Properties'][place]}"
    processed = transform(template, {}, NoPolicies())
    (found,) = (one for one in processed["Resources"].values() if one["Type"] == "AWS::ApiGatewayV2::Api")
    body: dict[str, Any] = found["Properties"]["Body"]
    return body


@pytest.mark.parametrize(("text", "door"), [(TEMPLATE, "AWS_IAM"), (with_tokens(), "Jwt")], ids=["IAM", "JWT"])
def test_every_route_but_the_webhook_has_a_door(text: str, door: str) -> None:
    """In both forms."""
    doors = {
        f"{method.upper()} {path}": operation.get("security")
        for path, operations in api(text)["paths"].items()
        for method, operation in operations.items()
    }
    assert len(doors) > 12
    assert doors.pop("POST /webhooks/cronofy/{agent_id}") == [{"NONE": []}]
    assert {str(security) for security in doors.values()} == {str([{door: []}])}


def test_a_token_of_ones_own_issuer_has_a_header_of_its_own() -> None:
    """So that `Authorization` stays free for Cronofy's token, which its SDKs send there."""
    schemes = api(with_tokens())["components"]["securitySchemes"]
    authorizer = schemes["Jwt"]["x-amazon-apigateway-authorizer"]
    assert authorizer["type"] == "jwt"
    assert authorizer["identitySource"] == "$request.header.X-Caller-Authorization"
    assert set(authorizer["jwtConfiguration"]) == {"issuer", "audience"}
