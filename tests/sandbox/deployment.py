"""The real template on the embedded AWS: built by the recipes of `sam build`, deployed by the steps of `sam deploy`."""

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

# Which property says where the code is: in the source a folder, once built a folder, once packaged an address in S3.
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


def source_template() -> dict[str, Any]:
    """The template as it is written, to be changed at will."""
    return deepcopy(_parsed())


@cache
def _parsed() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return parsed  # to parse it takes longer than most tests


def build(into: Path = ROOT / ".aws-sam" / "sandbox") -> Path:
    """Build all that the template names into a folder laid out as `.aws-sam/build` is, and return that folder.

    What did not change since is left as it is: a second build takes milliseconds, and one that runs beside another
    waits for it and then finds everything done.
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
        (into / "template.yaml").write_text(json.dumps(template, indent=2, default=str), encoding="utf-8")
    return into


def api_url(aws: EmbeddedAws, stack_name: str) -> str:
    """Return the address of a stack's HTTP API, which is known before the stack is."""
    return f"{aws.url}/_aws/execute-api/{stack_name}"


def deploy(
    aws: EmbeddedAws,
    built: Path,
    parameters: Mapping[str, str],
    *,
    name: str = "meeting-agents",
    account: str = ACCOUNT,
    enforces_iam: bool = False,
) -> "Stack":
    """Create the stack and return it when it works; RuntimeError saying which resources failed, and why.

    The architecture and the public address need no mention among the parameters. `enforces_iam`: whether callers of the
    HTTP API must sign as they must on AWS; without it, a plain `curl` will do.
    """
    session = aws.session(account)
    known = {"Architecture": ARCHITECTURE, "PublicUrl": api_url(aws, name)}
    try:
        cloudformation = session.client("cloudformation")
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=_package(session, built, f"artifacts-{account}-{name}"),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value} for key, value in (known | dict(parameters)).items()
            ],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": "ms-custom-id", "Value": name}],  # the id that ministack gives to the stack's API
            OnFailure="DO_NOTHING",
        )
        _wait(session, name, "CREATE_COMPLETE")
        _open_routes(session, name, enforces_iam=enforces_iam)
    except Exception as error:
        error.add_note(f"The embedded AWS said last:\n{aws.log_tail()}")
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

    def listen(self, topic: str, name: str = "listener", wanted: Mapping[str, list[str]] | None = None) -> str:
        """Subscribe a new queue to one of the template's topics, raw, and return the queue's URL.

        `wanted`: the message attributes that it filters on.
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
        filtered = {"FilterPolicy": json.dumps(wanted)} if wanted else {}
        attributes = {"RawMessageDelivery": "true"} | filtered
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
        for known in ("outputs", "functions", "resources"):
            self.__dict__.pop(known, None)

    def delete(self) -> None:
        """Delete the stack, but for what the template retains."""
        cloudformation = self.session.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        cloudformation.delete_stack(StackName=self.name)
        _wait(self.session, stack["StackId"], "DELETE_COMPLETE")


def _with_code(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, one) for name, one in template["Resources"].items() if one["Type"] in _CODE)


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Keep every other process out, and let the next one in even if this one is killed."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest(folder: Path) -> str:
    """Return what changes whenever the artifact built from the folder could."""
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
    """Build a layer by its own recipe, as SAM does, under this very Python and for this machine's architecture."""
    into.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    made = subprocess.run(
        ["make", "-C", str(source), f"build-{name}"],
        env=os.environ
        | {"PATH": path, "ARTIFACTS_DIR": str(into.resolve()), "ARCHITECTURE": ARCHITECTURE}
        | {"FAKETIME": "+0"},  # an index's certificate is good today, whatever time the tests have
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
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
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


def _wait(session: boto3.Session, stack: str, wanted: str) -> None:
    cloudformation = session.client("cloudformation")
    while (status := cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]).endswith(
        "_IN_PROGRESS"
    ):
        time.sleep(0.05)
    if status != wanted:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in reversed(events) if event["ResourceStatus"].endswith("_FAILED")]
        reasons = [f"{one['LogicalResourceId']}: {one.get('ResourceStatusReason', 'no reason')}" for one in failed]
        raise RuntimeError("\n".join([f"the stack is {status}, not {wanted}", *reasons]))


def _resources(session: boto3.Session, stack: str, kind: str = "") -> dict[str, str]:
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for page in pages
        for one in page["StackResourceSummaries"]
        if kind in one["ResourceType"]
    }


def _open_routes(session: boto3.Session, stack: str, *, enforces_iam: bool) -> None:
    """Create the HTTP API's routes, which ministack leaves out: SAM writes them as OpenAPI, which it does not read."""
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
                    RouteKey=f"{method.upper()} {path}",
                    Target=f"integrations/{target['IntegrationId']}",
                    AuthorizationType="AWS_IAM"
                    if enforces_iam and {"AWS_IAM": []} in operation["security"]
                    else "NONE",
                )
