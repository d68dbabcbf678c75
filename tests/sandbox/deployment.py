"""The real template on the embedded AWS: built as `sam build` does, deployed as `sam deploy` does."""

import fcntl
import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import boto3
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"

# The property that locates the code: a folder in the source and once built, an address in S3 once packaged.
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


def source_template() -> dict[str, Any]:
    """A copy of the template as written."""
    return deepcopy(_parsed())


def default_functions() -> set[str]:
    """The names of the functions that a stack has with the parameters' defaults: no channels, no archive."""
    return {path.parent.name for path in ROOT.glob("functions/*/app.py")} - {"forward", "archive"}


@cache
def _parsed() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return parsed  # cached: parsing takes longer than most tests


def build(into: Path = ROOT / ".aws-sam" / "sandbox") -> Path:
    """Build all that the template names into a folder laid out as `.aws-sam/build` is, and return that folder.

    Unchanged parts are kept, so a second build takes milliseconds. Of two builds at once, the second waits and then
    finds everything done.
    """
    template = source_template()
    into.mkdir(parents=True, exist_ok=True)
    with _alone(into / "lock"):
        for name, resource in _with_code(template):
            source = ROOT / resource["Properties"][_CODE[resource["Type"]]]
            by_makefile = resource.get("Metadata", {}).get("BuildMethod") == "makefile"
            stamp, digest = into / f"{name}.stamp", _digest(source)
            if not stamp.exists() or stamp.read_text() != digest:
                stamp.unlink(missing_ok=True)
                shutil.rmtree(into / name, ignore_errors=True)
                (_make if by_makefile else _copy)(name, source, into / name)
                stamp.write_text(digest)
            resource["Properties"][_CODE[resource["Type"]]] = name
            resource.setdefault("Metadata", {})["SamResourceId"] = name
        # Another process may read the template at this moment, without the lock: it finds the old one or the new one.
        new = into / "template.yaml.new"
        new.write_text(json.dumps(template, indent=2, default=str), encoding="utf-8")
        new.replace(into / "template.yaml")
    return into


def api_url(aws: EmbeddedAws, stack_name: str) -> str:
    """Return the address of a stack's HTTP API, which does not depend on the stack's creation."""
    return f"{aws.url}/_aws/execute-api/{stack_name}"


def deploy(
    aws: EmbeddedAws,
    built: Path,
    parameters: Mapping[str, str],
    *,
    name: str = "meeting-agents",
    account: str = ACCOUNT,
    region: str = REGION,
    enforces_iam: bool = False,
) -> "Stack":
    """Create or update the stack and return it when it works; RuntimeError with the resources that failed, and why.

    The architecture and the public address are added to the parameters. With `enforces_iam`, callers of the HTTP API
    must sign as on AWS; without it, a plain `curl` is enough.
    """
    session = aws.session(account, region)
    defaults = {"Architecture": ARCHITECTURE, "PublicUrl": api_url(aws, name)}
    try:
        cloudformation = session.client("cloudformation")
        stack: Any = {
            "StackName": name,
            "TemplateURL": _package(session, built, f"artifacts-{account}-{region}-{name}"),
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in (defaults | dict(parameters)).items()
            ],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            "Tags": [{"Key": "ms-custom-id", "Value": name}],  # the id that ministack gives to the stack's API
        }
        before = _resources_of_any(session, name)
        if before:
            cloudformation.update_stack(**stack)
            _wait(session, name, "UPDATE_COMPLETE")
        else:
            cloudformation.create_stack(**stack, OnFailure="DO_NOTHING")
            _wait(session, name, "CREATE_COMPLETE")
        if "Api" not in before:
            _open_routes(session, name, enforces_iam=enforces_iam)
    except Exception as error:
        error.add_note(f"The end of the embedded AWS's log:\n{aws.log_tail()}")
        raise
    return Stack(name, api_url(aws, name), session)


@dataclass(frozen=True)
class Stack:
    """A deployed stack."""

    name: str
    api_url: str
    session: boto3.Session

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The template's outputs, by name."""
        (stack,) = self.session.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    @cached_property
    def functions(self) -> dict[str, str]:
        """The deployed name of each function, by the name of its folder."""
        deployed = _resources(self.session, self.name, "AWS::Lambda::Function")
        return {name.removesuffix("Function").lower(): physical_id for name, physical_id in deployed.items()}

    @cached_property
    def resources(self) -> dict[str, str]:
        """The physical id of each of the template's resources, by its logical id."""
        return _resources(self.session, self.name)

    def listen(self, topic: str, name: str = "listener", filter_policy: Mapping[str, list[str]] | None = None) -> str:
        """Subscribe a new queue to one of the template's topics, raw, and return the queue's URL.

        `filter_policy`: the message attributes that it receives.
        """
        sqs, sns = self.session.client("sqs"), self.session.client("sns")
        url = sqs.create_queue(QueueName=f"{self.name}-{topic}-{name}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic_arn = self.resources[topic]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        attributes = {"RawMessageDelivery": "true"}
        if filter_policy:
            attributes["FilterPolicy"] = json.dumps(filter_policy)
        sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn, Attributes=attributes)
        return url

    def update(self, parameters: Mapping[str, str]) -> None:
        """Deploy again with some parameters changed; RuntimeError if that fails."""
        cloudformation = self.session.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        cloudformation.update_stack(
            StackName=self.name,
            UsePreviousTemplate=True,
            Parameters=[
                {"ParameterKey": key, "ParameterValue": parameters[key]}
                if key in parameters
                else {"ParameterKey": key, "UsePreviousValue": True}
                for key in {parameter["ParameterKey"] for parameter in stack["Parameters"]} | set(parameters)
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        _wait(self.session, self.name, "UPDATE_COMPLETE")
        for cached in ("outputs", "functions", "resources"):
            self.__dict__.pop(cached, None)

    def delete(self) -> None:
        """Delete the stack; resources that the template retains stay."""
        cloudformation = self.session.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        cloudformation.delete_stack(StackName=self.name)
        _wait(self.session, stack["StackId"], "DELETE_COMPLETE")


def _with_code(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, resource) for name, resource in template["Resources"].items() if resource["Type"] in _CODE)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep every other process out, and let the next one in even if this one is killed."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(folder: Path) -> str:
    """Return a digest of all that the folder's artifact depends on."""
    digest = hashlib.sha256(f"{sys.version} {ARCHITECTURE}".encode())
    for path in _files(folder):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copy(name: str, source: Path, into: Path) -> None:
    """Build a function: it has no requirements of its own, so SAM's Python builder copies the folder."""
    shutil.copytree(source, into, ignore=shutil.ignore_patterns("__pycache__"))


def _make(name: str, source: Path, into: Path) -> None:
    """Build a layer by its own recipe, as SAM does, with this Python and for this machine's architecture."""
    into.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    made = subprocess.run(
        ["make", "-C", str(source), f"build-{name}"],
        env=os.environ
        | {"PATH": path, "ARTIFACTS_DIR": str(into.resolve()), "ARCHITECTURE": ARCHITECTURE}
        | {"FAKETIME": "+0"},  # an index's certificate is valid today, not at the time that the tests may have
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if made.returncode:
        raise RuntimeError(f"building {name} failed:\n{made.stdout}")


def _package(session: boto3.Session, built: Path, bucket: str) -> str:
    """Upload each artifact, then the template that names the uploads, and return its address: what `sam deploy` does.

    A template of more than 51,200 bytes cannot be given to CloudFormation in the request itself.
    """
    s3 = session.client("s3")
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        where: Any = {"LocationConstraint": session.region_name}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
    template = json.loads((built / "template.yaml").read_text(encoding="utf-8"))
    for name, resource in _with_code(template):
        archive = _zip(built / name)
        key = f"{name}-{hashlib.sha256(archive).hexdigest()}.zip"
        s3.put_object(Bucket=bucket, Key=key, Body=archive)
        resource["Properties"][_CODE[resource["Type"]]] = f"s3://{bucket}/{key}"
    text = json.dumps(template).encode()
    key = f"{hashlib.sha256(text).hexdigest()}.template"
    s3.put_object(Bucket=bucket, Key=key, Body=text)
    return f"{s3.meta.endpoint_url}/{bucket}/{key}"


def _zip(folder: Path) -> bytes:
    """Return an archive that is the same for the same files, and stored: every cold start here unpacks it anew."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in _files(folder):
            file.writestr(zipfile.ZipInfo(str(path.relative_to(folder))), path.read_bytes())
    return archive.getvalue()


def _wait(session: boto3.Session, stack: str, expected: str) -> None:
    cloudformation = session.client("cloudformation")
    while (status := cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]).endswith(
        "_IN_PROGRESS"
    ):
        time.sleep(0.05)
    if status != expected:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
        reasons = [
            f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}" for event in failed
        ]
        raise RuntimeError("\n".join([f"the stack is {status}, not {expected}", *reasons]))


def _resources(session: boto3.Session, stack: str, kind: str = "") -> dict[str, str]:
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
        if kind in resource["ResourceType"]
    }


def _resources_of_any(session: boto3.Session, stack: str) -> dict[str, str]:
    """Return the resources of a stack that may not be there."""
    try:
        return _resources(session, stack)
    except session.client("cloudformation").exceptions.ClientError:
        return {}


def _open_routes(session: boto3.Session, stack: str, *, enforces_iam: bool) -> None:
    """Create the routes of the HTTP API, which SAM writes as OpenAPI and ministack does not read."""
    gateway, functions = session.client("apigatewayv2"), session.client("lambda")
    processed: Any = session.client("cloudformation").get_template(StackName=stack, TemplateStage="Processed")
    deployed = _resources(session, stack)
    for name, resource in processed["TemplateBody"]["Resources"].items():
        if resource["Type"] != "AWS::ApiGatewayV2::Api":
            continue
        for path, operations in resource["Properties"]["Body"]["paths"].items():
            for method, operation in operations.items():
                integration = operation["x-amazon-apigateway-integration"]
                (function,) = re.findall(r"functions/\$\{(\w+)\.Arn\}/", integration["uri"]["Fn::Sub"])
                arn = functions.get_function_configuration(FunctionName=deployed[function])["FunctionArn"]
                target = gateway.create_integration(
                    ApiId=deployed[name],
                    IntegrationType="AWS_PROXY",
                    IntegrationUri=arn,
                    PayloadFormatVersion=integration["payloadFormatVersion"],
                )
                gateway.create_route(
                    ApiId=deployed[name],
                    RouteKey=path if operation.get("isDefaultRoute") else f"{method.upper()} {path}",
                    Target=f"integrations/{target['IntegrationId']}",
                    AuthorizationType="AWS_IAM"
                    if enforces_iam and {"AWS_IAM": []} in operation["security"]
                    else "NONE",
                )
