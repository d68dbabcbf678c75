"""Each function's permissions equal its calls: nothing missing, nothing unused, no wildcard without a reason."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.everything import Written
from tests.runtime.platform import Platform
from tests.runtime.stories import Scene

ROOT = Path(__file__).parents[2]
FUNCTIONS = sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))

SHARED = "archive-erasure"
"""The policy that several functions have. At least one of them needs each of its permissions: what one does not come to
delete, since another was there before, it must be able to delete when that one ended early."""

type Pair = tuple[str, str]
"""An action and the ARN that it is done to."""


OF_S3 = {
    "CreateMultipartUpload": ("PutObject",),
    "UploadPart": ("PutObject",),
    "CompleteMultipartUpload": ("PutObject",),
    "HeadObject": ("GetObject",),
    "ListParts": ("ListMultipartUploadParts",),
    "ListObjectsV2": ("ListBucket",),
    "ListObjectVersions": ("ListBucketVersions",),
    "ListMultipartUploads": ("ListBucketMultipartUploads",),
}
"""The permission of an operation that has another name.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""


@pytest.fixture
def platform(scene: Scene, written: Written) -> Platform:
    """The platform after all stories, its functions with the credentials of their own roles."""
    assert written.invocations
    return scene.platform


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_what_it_does(platform: Platform, written: Written, function: str) -> None:
    """Each call that was seen is allowed by a statement of its role."""
    allowed = _allowed(platform, function)
    for action, resource in _seen(platform, written, function):
        assert any(action == a and fnmatchcase(resource, r) for a, r in allowed), f"{action} on {resource}"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_call_of_a_function_was_denied(written: Written, function: str) -> None:
    """The embedded AWS, which enforces every policy, allowed all calls."""
    answered = [answer for run in written.invocations if run.function == function for answer in run.answered]
    assert answered
    denied = [answer["operation"] for answer in answered if answer["status"] == 403]
    assert set(denied) <= {"DeleteObject"}  # of a file that is locked; S3 answers as if a policy denied it


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_may_do_nothing_else(platform: Platform, written: Written, function: str) -> None:
    """Each permission was needed, by the function itself or by Lambda and SNS on its behalf."""
    seen = _seen(platform, written, function) | _on_behalf(platform, function)
    shared = {pair for name in FUNCTIONS for pair in _seen(platform, written, name)}
    for action, resource in _allowed(platform, function, SHARED):
        assert any(action == a and fnmatchcase(r, resource) for a, r in shared), f"{action} on {resource} is never used"
    for action, resource in _allowed(platform, function) - _allowed(platform, function, SHARED):
        assert any(action == a and fnmatchcase(r, resource) for a, r in seen), f"{action} on {resource} is never used"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_permission_has_a_wildcard_action(platform: Platform, function: str) -> None:
    """Each permission names its action."""
    assert not [action for action, _ in _allowed(platform, function) if "*" in action]


def test_every_wildcard_resource_has_its_reason_on_the_line() -> None:
    """The reason stands in the template."""
    lines = (ROOT / "template.yaml").read_text(encoding="utf-8").splitlines()
    wild = [line for line in lines if re.search(r"""Resource:\s*\[?\s*['"]?\*""", line)]
    assert wild
    assert not [line for line in wild if not re.search(r"#\s*\S+ \S+", line)]


def _allowed(platform: Platform, function: str, only: str = "") -> set[Pair]:
    """All that the function's role allows; no managed policy is attached to it. `only`: by the policy of this name."""
    session = platform.stack.session
    iam = session.client("iam")
    physical = platform.stack.functions[function]
    role = session.client("lambda").get_function_configuration(FunctionName=physical)["Role"].rpartition("/")[2]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    pairs: set[Pair] = set()
    for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
        if only and name != only:
            continue
        document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in document["Statement"]:
            assert statement["Effect"] == "Allow"
            pairs |= {(action, arn) for action in _list(statement["Action"]) for arn in _list(statement["Resource"])}
    return pairs


def _seen(platform: Platform, written: Written, function: str) -> set[Pair]:
    pairs: set[Pair] = set()
    for run in written.invocations:
        if run.function == function:
            for call in run.calls:
                pairs |= set(_pairs(call, platform))
    return pairs


def _pairs(call: dict[str, Any], platform: Platform) -> Iterator[Pair]:  # noqa: C901, PLR0912 - one case each
    service, operation, fields = call["service"], call["operation"], call["fields"]
    table = f"arn:aws:dynamodb:eu-central-1:{_account(platform)}:table/"
    match service, operation:
        case "cronofy" | "http", _:
            return
        case "dynamodb", "TransactWriteItems" | "TransactGetItems":
            for item in fields["TransactItems"]:
                for name, what in item.items():
                    action = (
                        "GetItem"
                        if name == "Get"
                        else "ConditionCheckItem"
                        if name == "ConditionCheck"
                        else f"{name}Item"
                    )
                    yield f"dynamodb:{action}", table + _table(what["TableName"])
        case "dynamodb", "BatchGetItem" | "BatchWriteItem":
            for name in fields["RequestItems"]:
                yield f"dynamodb:{operation}", table + _table(name)
        case "dynamodb", _:
            index = f"/index/{fields['IndexName']}" if "IndexName" in fields else ""
            yield f"dynamodb:{operation}", table + _table(fields["TableName"]) + index
        case "sqs", _:
            name = fields["QueueUrl"].rpartition("/")[2]
            yield f"sqs:{operation.removesuffix('Batch')}", f"arn:aws:sqs:eu-central-1:{_account(platform)}:{name}"
        case "kms", _:
            yield f"kms:{operation}", _key(platform, fields)
        case "sns", _:
            yield f"sns:{operation.removesuffix('Batch')}", fields["TopicArn"]
        case "secretsmanager", _:
            yield f"secretsmanager:{operation}", fields["SecretId"]
        case "s3", _:
            bucket, key = f"arn:aws:s3:::{fields['bucket']}", f"arn:aws:s3:::{fields['bucket']}/{fields['key']}"
            where = bucket if operation in ("ListObjectsV2", "ListObjectVersions", "ListMultipartUploads") else key
            for action in OF_S3.get(operation, (operation,)):
                name = (
                    f"{action}Version" if "versionId" in fields and action in ("GetObject", "DeleteObject") else action
                )
                yield f"s3:{name}", where
            if operation in ("HeadObject", "GetObject") and "versionId" not in fields:
                yield "s3:ListBucket", bucket  # without it S3 answers 403 for a file that is not there
            if "versionId" in fields and operation == "HeadObject":
                yield "s3:GetObjectRetention", key  # without it S3 leaves the end of the lock out
        case "cloudwatch" | "monitoring", _:
            yield f"cloudwatch:{operation}", "*"
        case _:
            raise NotImplementedError(f"the resource of {service} {operation}")


def _on_behalf(platform: Platform, function: str) -> set[Pair]:
    """Lambda's calls with a function's role (log, stream, queue, dead letters), and SNS's and SQS's with the key."""
    properties = platform.template["Resources"][platform.logical(function)]["Properties"]
    resources = platform.template["Resources"]
    log = platform.stack.resources[_named(properties["LoggingConfig"]["LogGroup"])]
    here = f"eu-central-1:{_account(platform)}"
    pairs = {
        (f"logs:{action}", f"arn:aws:logs:{here}:log-group:{log}:*") for action in ("CreateLogStream", "PutLogEvents")
    }
    for event in properties.get("Events", {}).values():
        match event["Type"]:
            case "DynamoDB":
                table = platform.client("dynamodb").describe_table(TableName=platform.stack.outputs["AgentsTableName"])
                stream = table["Table"]["LatestStreamArn"]
                read = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
                pairs |= {(f"dynamodb:{action}", stream) for action in read}
            case "SQS":
                queue = _queue(platform, _named(event["Properties"]["Queue"]))
                take = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
                pairs |= {(f"sqs:{action}", f"arn:aws:sqs:{here}:{queue}") for action in take}
    text = json.dumps(properties)
    parks = re.findall(r'"OnFailure": \{[^{}]*"Destination": \{"Fn::GetAtt": \["(\w+)", "Arn"\]', text)
    parks += re.findall(r'"OnFailure": \{[^{}]*"Destination": \{"Fn::GetAtt": "(\w+)\.Arn"', text)
    pairs |= {("sqs:SendMessage", f"arn:aws:sqs:{here}:{_queue(platform, queue)}") for queue in parks}
    named = set(re.findall(r'"(\w+?)(?:\.\w+)?"', text)) & resources.keys()
    if any("KmsMasterKeyId" in resources[name].get("Properties", {}) for name in named):
        key = platform.stack.resources["EncryptionKey"]
        arn = f"arn:aws:kms:{here}:key/{key}"
        pairs |= {("kms:GenerateDataKey", arn), ("kms:Decrypt", arn)}
    if "ARCHIVE_BUCKET" in text:  # S3 encrypts with the bucket's key, and decrypts what is read
        arn = f"arn:aws:kms:{here}:key/{platform.stack.resources['ArchiveKey']}"
        pairs |= {("kms:GenerateDataKey", arn), ("kms:Decrypt", arn)}
    return pairs


def _named(reference: dict[str, Any]) -> str:
    """The resource that a `Ref` or a `GetAtt` names."""
    ((_, name),) = reference.items()
    return str(name[0] if isinstance(name, list) else name.partition(".")[0])


def _key(platform: Platform, fields: dict[str, Any]) -> str:
    """The key that a call names; what was encrypted names its own, which is the only one for tokens."""
    key = fields.get("KeyId") or platform.stack.resources["EncryptionKey"]
    return f"arn:aws:kms:eu-central-1:{_account(platform)}:key/{key.rpartition('/')[2]}"


def _queue(platform: Platform, logical: str) -> str:
    return platform.stack.resources[logical].rpartition("/")[2]


def _account(platform: Platform) -> str:
    arn = platform.stack.outputs["LifecycleTopicArn"]
    return arn.split(":")[4]


def _table(name: str) -> str:
    return name.rpartition("/")[2]


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
