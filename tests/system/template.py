"""The template as the tests of this level read it: as written, and as CloudFormation gets it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]

from tests.sandbox.deployment import ROOT, source_template

LAYER = ROOT / "layers" / "shared" / "meeting_agents"
TEXT = (ROOT / "template.yaml").read_text(encoding="utf-8")
TEMPLATE = source_template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def of_type(kind: str, resources: dict[str, dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    """The properties of each resource of a type."""
    resources = RESOURCES if resources is None else resources
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == f"AWS::{kind}"
    }


FUNCTIONS = {properties["CodeUri"]: name for name, properties in of_type("Serverless::Function").items()}


def target(value: Any) -> str:
    """The resource that a value refers to, or an empty text."""
    match value:
        case {"Ref": str(name)}:
            return name
        case {"Fn::GetAtt": [str(name), *_]}:
            return name
        case {"Fn::GetAtt": str(name)}:
            return name.partition(".")[0]
        case {"Fn::Sub": str(text)} if found := re.search(r"\$\{(?!AWS::)(\w+)", text):
            return found[1]
    return ""


def within(value: Any) -> Iterator[Any]:
    """Yield a value and all values in it."""
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(inner)


def targets(value: Any) -> set[str]:
    return {target(inner) for inner in within(value)}


class NoManagedPolicies:
    """The managed policies of the account, which SAM would look up; the template uses none."""

    def load(self) -> dict[str, str]:
        return {}


def transformed(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources that SAM makes of a template."""
    for resource in template["Resources"].values():
        for code in ("CodeUri", "ContentUri"):
            if code in resource.get("Properties", {}):
                resource["Properties"][code] = f"s3://bucket/{resource['Properties'][code]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")  # SAM reads the partition from it
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        resources: dict[str, dict[str, Any]] = transform(template, {}, NoManagedPolicies())["Resources"]
    return resources


@cache
def processed() -> dict[str, dict[str, Any]]:
    """The resources that CloudFormation gets of the template."""
    return transformed(source_template())


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def files_of(function: str) -> list[Path]:
    """A function's own file, and the routes if it has any."""
    app = ROOT / "functions" / function / "app.py"
    has_routes = "meeting_agents.api" in app.read_text(encoding="utf-8")
    return [app, *sorted((LAYER / "api").glob("*.py"))] if has_routes else [app]


def statements(function: str) -> list[dict[str, Any]]:
    """The statements of a function's role."""
    role = RESOURCES[target(RESOURCES[function]["Properties"]["Role"])]["Properties"]
    return [statement for policy in role["Policies"] for statement in policy["PolicyDocument"]["Statement"]]


def actions(statement: dict[str, Any]) -> list[str]:
    action = statement["Action"]
    return action if isinstance(action, list) else [action]


def dead_letter_queues() -> dict[str, str]:
    """The dead-letter queue of each asynchronous edge."""
    edges: dict[str, Any] = {}
    for name, queue in of_type("SQS::Queue").items():
        if name.endswith("Queue") and not name.endswith("DeadLetterQueue"):
            edges[f"queue {name}"] = queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")
    for name, subscription in of_type("SNS::Subscription").items():
        if subscription["Protocol"] != "email":  # SNS leaves no failed e-mail anywhere
            edges[f"subscription {name}"] = subscription.get("RedrivePolicy", {}).get("deadLetterTargetArn")
    for name, function in of_type("Serverless::Function").items():
        for source, event in function.get("Events", {}).items():
            properties = event["Properties"]
            match event["Type"]:
                case "DynamoDB":
                    edges[f"{name} {source}"] = (
                        properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
                    )
                case "Schedule" | "ScheduleV2":
                    edges[f"{name} {source}"] = properties.get("DeadLetterConfig", {}).get("Arn")
                    invoke = function.get("EventInvokeConfig", {}).get("DestinationConfig", {}).get("OnFailure", {})
                    edges[f"{name} invoked"] = invoke.get("Destination")
                case "SQS":
                    assert target(properties["Queue"]) in of_type("SQS::Queue")
                case kind:
                    assert kind == "HttpApi", f"{name}: an event of type {kind} without a rule here"
    return {edge: target(queue) for edge, queue in edges.items()}
