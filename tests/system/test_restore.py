"""A stack is copied from its backup, caught up with, uninstalled, taken up again, and deleted with everything."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from meeting_agents.aws.accounts import encryption_context
from meeting_agents.domain.identity import agent_id
from operate_restore import TABLES, copy, find_source, next_steps, template_of
from operate_stack import Stack
from tests.component.test_terminal import run
from tests.sandbox import deployment
from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.sandbox.stage import Stage, wait_until
from tests.terminal import typed

NAME = "meeting-agents-2"
"""The name that the page has."""
HOUR = timedelta(hours=1)

type Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(aws: EmbeddedAws) -> Run:
    """Return a function that runs an operator's command for the restored stack."""
    return partial(run, aws, ACCOUNT, NAME)


class World:
    """An account's agents in the first stack, and the second stack once it is deployed."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.account = f"user_{uuid4().hex[:8]}"
        self.events: list[str] = []
        grant = stage.cronofy.grant("us", calendars=(self.account,))
        body = {"refresh_token": grant.refresh_token, "data_center": "us"}
        assert stage.api.put(f"/v1/accounts/{self.account}", json=body).is_success

    def request(self, api_url: str, event: str = "") -> str:
        """Request an agent in the name of the account, tomorrow. Return its id."""
        event, start = event or f"restore-{uuid4().hex[:8]}", datetime.now(UTC) + 24 * HOUR
        body = {
            "event_id": event,
            "summary": "Weekly sync",
            "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}",
            "tzid": "Europe/Berlin",
            "meeting_agent": {"profile_id": "cronofy"},
        }
        url = f"{api_url}/v1/calendars/{self.account}/events"
        answer = httpx.post(url, json=body, headers={"Cronofy-Account": self.account}, timeout=40, trust_env=False)
        assert answer.status_code == 202, answer.text
        self.events.append(event)
        return agent_id("us", self.account, event)

    def read(self, agent: str, api_url: str = "") -> Any:
        url = f"{api_url or self.stage.stack.api_url}/v1/meeting_agents/{agent}"
        return httpx.get(url, timeout=40, trust_env=False).json()

    def deploy(self, printed: str) -> deployment.Stack:
        """Deploy the second stack with the parameters that the command printed, and give it the client secrets."""
        line = next(line for line in printed.splitlines() if "make deploy" in line)
        found = re.search(r'PARAMETERS="(.*)"', line)
        pairs = dict(pair.split("=", 1) for pair in found[1].split()) if found else {}
        pairs = {name: value.strip("'") for name, value in pairs.items()}
        pairs["PublicUrl"] = deployment.api_url(self.stage.aws, NAME)
        stack = deployment.deploy(self.stage.aws, deployment.build(), pairs, name=NAME)
        secrets = stack.session.client("secretsmanager")
        value = secrets.get_secret_value(SecretId=self.stage.stack.outputs["CronofySecretArn"])["SecretString"]
        secrets.put_secret_value(SecretId=stack.outputs["CronofySecretArn"], SecretString=value)
        self.stage.aws.confirm(stack.outputs["AlertsTopicArn"], "oncall@example.com")
        return stack


def page() -> list[str]:
    """The commands of the page: to restore, to deploy, to store the secret, and to catch up."""
    block = re.search(
        r"^<!-- run by tests/system/test_restore.py -->\n```sh\n(.*?)```",
        (ROOT / "YEAR.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert block
    return block[1].splitlines()


def pasted(aws: EmbeddedAws, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of the page in a script."""
    given = {"AWS_ENDPOINT_URL": aws.url, "AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = [*shlex.split(line), "YES=1", "--old-file", ".venv/.sandbox"]  # the environment is that of the tests
    environment = inherited | given | {"AWS_REGION": REGION}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def world(stage: Stage) -> World:
    return World(stage)


def test_a_copy_of_the_tables_becomes_a_whole_stack_that_is_caught_up_with(world: World, command: Run) -> None:
    """Nothing is lost, no alert comes twice, and the tokens are the new stack's own."""
    stage = world.stage
    before = world.request(stage.stack.api_url)
    stage.cronofy.report("fail", world.events[-1])
    assert wait_until(lambda: "alerted" in [entry["kind"] for entry in world.read(before)["timeline"]] or None)

    done = pasted(stage.aws, page()[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{NAME} in {REGION} gets a copy of the tables of {stage.stack.name},\n")
    cloudformation = stage.stack.session.client("cloudformation")
    (imported,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    assert imported["StackStatus"] == "IMPORT_COMPLETE"
    again = command("restore", "--source", stage.stack.name, "--at", "latest", "--yes")
    assert (again.returncode, again.stdout.splitlines()[0]) == (0, f"{NAME} has its tables already.")

    stack = world.deploy(done.stdout)
    dynamodb = stack.session.client("dynamodb")
    for table in TABLES:
        name = stack.resources[table]
        assert name == f"{NAME}-{table}-latest"
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    agents_table = stack.outputs["AgentsTableName"]
    assert dynamodb.describe_table(TableName=agents_table)["Table"]["StreamSpecification"]["StreamEnabled"]
    expiry = dynamodb.describe_time_to_live(TableName=agents_table)["TimeToLiveDescription"]
    assert expiry == {"TimeToLiveStatus": "ENABLING", "AttributeName": "expires_at"}

    assert world.read(before, stack.api_url)["timeline"] == world.read(before)["timeline"]
    world.request(stack.api_url)  # with the account's token, from the new key

    since = world.request(stage.stack.api_url)
    stage.cronofy.report("fail", world.events[-1])
    assert wait_until(lambda: "alerted" in [entry["kind"] for entry in world.read(since)["timeline"]] or None)
    erased = httpx.delete(f"{stage.stack.api_url}/v1/meeting_agents/{before}/data", timeout=40, trust_env=False)
    assert erased.is_success, erased.text
    emails = len(stage.aws.emails(stack.outputs["AlertsTopicArn"]))
    done = pasted(stage.aws, page()[-1])
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^\d+ entries of \d+ agents and \d+ accounts came over from meeting-agents$", done.stdout, re.MULTILINE
    )
    assert wait_until(lambda: world.read(since, stack.api_url).get("state") == "failed" or None)
    assert world.read(since, stack.api_url)["timeline"] == world.read(since)["timeline"]
    assert wait_until(lambda: world.read(before, stack.api_url).get("state") is None or None)
    assert world.read(before, stack.api_url)["status"] == world.read(before)["status"]
    assert stage.aws.emails(stack.outputs["AlertsTopicArn"])[emails:] == []
    done = command("restore", "--source", stage.stack.name, "--yes")
    assert done.stdout.splitlines()[-1].startswith("0 entries of 0 agents and ")


def test_what_the_command_prints_is_what_the_page_says(stage: Stage) -> None:
    """But for the parameters of the stack."""
    source = find_source(stage.stack.session, stage.stack.name)
    printed = [line.partition("    #")[0].strip() for line in next_steps(Stack(NAME, stage.stack.session), source)]
    made = [line for line in printed if line.startswith("make") and "PublicUrl" not in line]
    assert [re.sub(r" PARAMETERS=.*", "", line) for line in made] == page()[1:]


def test_a_restore_that_was_stopped_goes_on_where_it_was(world: World, aws: EmbeddedAws) -> None:
    """With the tables, the key and the change set that are there; the tokens are not encrypted twice."""
    name, session = "meeting-agents-stopped", world.stage.stack.session
    at = datetime.now(UTC).replace(microsecond=0)
    source = find_source(session, world.stage.stack.name)
    ids = copy(Stack(name, session), source, at)
    tables = session.client("dynamodb")
    account: Any = {"TableName": ids["AccountsTable"], "Key": {"account_id": {"S": world.account}}}
    encrypted = tables.get_item(**account)["Item"]
    theirs = tables.get_item(**account | {"TableName": source.ids["AccountsTable"]})["Item"]
    assert encrypted["refresh_token"] != theirs["refresh_token"]
    resources = template_of(session, ids)
    imported: Any = [
        {
            "ResourceType": resources[each]["Type"],
            "LogicalResourceId": each,
            "ResourceIdentifier": {"KeyId" if each == "EncryptionKey" else "TableName": id_},
        }
        for each, id_ in ids.items()
    ]
    session.client("cloudformation").create_change_set(
        StackName=name,
        ChangeSetName="restore",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": resources}),
        ResourcesToImport=imported,
    )
    done = run(aws, ACCOUNT, name, "restore", "--source", source.name, "--at", f"{at:%Y-%m-%dT%H:%M:%SZ}", "--yes")
    assert done.returncode == 0, done.stderr
    assert Stack(name, session).resources == ids
    assert tables.get_item(**account)["Item"] == encrypted
    assert [alias for alias in session.client("kms").list_aliases()["Aliases"] if name in alias["AliasName"]] == []
    done = run(aws, ACCOUNT, name, "uninstall", "--everything", "--yes")
    assert done.returncode == 0, done.stderr


def test_a_stack_that_was_deleted_is_taken_up_again_with_its_tables(world: World, command: Run) -> None:
    agent = agent_id("us", world.account, world.events[-1])
    timeline = world.read(agent, deployment.api_url(world.stage.aws, NAME))["timeline"]
    session = world.stage.stack.session
    done = command("uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert "It leaves AgentsTable, about " in done.stdout
    assert f"{NAME} is gone." in done.stdout
    assert f"make restore STACK={NAME} SOURCE={NAME}" in done.stdout
    assert f"{NAME}-AgentsTable-latest" in session.client("dynamodb").list_tables()["TableNames"]
    assert command("uninstall", "--yes").stdout.splitlines()[-1] == f"{NAME} is gone"

    done = command("restore", "--source", NAME, "--yes")
    assert done.returncode == 0, done.stderr
    stack = world.deploy(done.stdout)
    assert stack.resources["AgentsTable"] == f"{NAME}-AgentsTable-latest"
    assert world.read(agent, stack.api_url)["timeline"] == timeline
    world.request(stack.api_url)  # the tokens, too


def test_everything_goes_if_that_is_wanted(world: World, command: Run) -> None:
    session = world.stage.stack.session
    key = deployment._resources(session, NAME)["EncryptionKey"]
    done = command("uninstall", "--everything", "--yes")
    assert done.returncode == 0, done.stderr
    assert "It deletes AgentsTable, about " in done.stdout
    assert [name for name in session.client("dynamodb").list_tables()["TableNames"] if NAME in name] == []
    assert session.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert command("uninstall", "--everything", "--yes").returncode == 0


@pytest.mark.parametrize("elsewhere", ["account", "region"])
def test_a_stack_moves_to_another_account_or_region(
    stage: Stage, aws: EmbeddedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: str
) -> None:
    """A new stack there gets all that the old one has, and an alert that people have had does not come again."""
    world = World(stage)
    agent = world.request(stage.stack.api_url)
    stage.cronofy.report("fail", world.events[-1])
    assert wait_until(lambda: "alerted" in [entry["kind"] for entry in world.read(agent)["timeline"]] or None)

    name, account, region = f"moved-{elsewhere}", ACCOUNT, "eu-west-1"
    where = ("--source-region", REGION)
    if elsewhere == "account":
        account, region, where = "000000000077", REGION, ("--source-profile", "old")
        config = tmp_path / "config"
        config.write_text(f"[profile old]\naws_access_key_id = {ACCOUNT}\naws_secret_access_key = secret\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    parameters = {"CronofyUrl": stage.cronofy.url + "/{host}", "AlertGroupWait": "1", "AlertEmail": "a@example.com"}
    moved = deployment.deploy(aws, deployment.build(), parameters, name=name, account=account, region=region)
    secrets = stage.stack.session.client("secretsmanager")
    value = secrets.get_secret_value(SecretId=stage.stack.outputs["CronofySecretArn"])["SecretString"]
    moved.session.client("secretsmanager").put_secret_value(
        SecretId=moved.outputs["CronofySecretArn"], SecretString=value
    )
    done = run(aws, account, name, "restore", "--source", stage.stack.name, *where, "--yes", region=region)
    assert done.returncode == 0, done.stderr
    assert "came over from meeting-agents" in done.stdout
    assert wait_until(lambda: record_of(moved, agent) or None)
    there = Stack(name, moved.session).call("GET", f"/v1/meeting_agents/{agent}")
    assert there["timeline"] == world.read(agent)["timeline"]
    assert token(moved, world.account) == token(stage.stack, world.account)
    moved.delete()


def record_of(stack: deployment.Stack, agent: str) -> Any:
    key = {"pk": {"S": agent}, "sk": {"S": "record"}}
    return stack.session.client("dynamodb").get_item(TableName=stack.outputs["AgentsTableName"], Key=key).get("Item")


def token(stack: deployment.Stack, account: str) -> bytes:
    """The refresh token of an account, decrypted as the stack's functions do."""
    table, key = stack.resources["AccountsTable"], stack.resources["EncryptionKey"]
    found = stack.session.client("dynamodb").get_item(TableName=table, Key={"account_id": {"S": account}})["Item"]
    encrypted: Any = found["refresh_token"]["B"]
    context = encryption_context(account, "us")
    kms = stack.session.client("kms")
    return kms.decrypt(KeyId=key, CiphertextBlob=encrypted, EncryptionContext=context)["Plaintext"]


def test_what_is_imported_is_described_as_it_is(stage: Stage) -> None:
    """Not as the template would have it: what CloudFormation takes for done, no update does."""
    dynamodb = stage.stack.session.client("dynamodb")
    ids = {name: stage.stack.resources[name] for name in (*TABLES, "EncryptionKey")}
    bare = {**ids, "AgentsTable": f"bare-{uuid4().hex}"}
    dynamodb.create_table(
        TableName=bare["AgentsTable"],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    switched = {"StreamSpecification", "TimeToLiveSpecification", "PointInTimeRecoverySpecification"}
    whole = template_of(stage.stack.session, ids)
    assert switched <= whole["AgentsTable"]["Properties"].keys()
    assert not switched & template_of(stage.stack.session, bare)["AgentsTable"]["Properties"].keys()
    assert all("TableName" not in resource["Properties"] for resource in whole.values())
    assert json.dumps(whole)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--source", "meeting-agents", "--yes"), "meeting-agents needs its tables itself: set AT=latest or AT="),
        (("--source", "no-such", "--yes"), f"{REGION} has no stack no-such, and had none in 90 days: known are "),
        (("--source", "meeting-agent", "--yes"), "did you mean meeting-agents?"),
        (
            ("--source", "meeting-agents", "--at", "noon"),
            "'noon' is not a time: set AT=2026-11-22T08:00:00Z or AT=latest",
        ),
        (("--source", "meeting-agents", "--at", "latest"), "nothing was done, because no one can be asked here"),
    ],
)
def test_a_restore_that_cannot_be_says_why_and_does_nothing(
    stage: Stage, aws: EmbeddedAws, arguments: tuple[str, ...], problem: str
) -> None:
    done = run(aws, ACCOUNT, "meeting-agents-not-made", "restore", *arguments)
    assert done.returncode == 2
    assert problem in done.stderr
    names = [each["StackName"] for each in stage.stack.session.client("cloudformation").list_stacks()["StackSummaries"]]
    assert "meeting-agents-not-made" not in names


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["restore", "--source", "meeting-agents", "--at", "latest"], "both would alert about the same agents."),
        (["uninstall"], "It leaves their key: "),
    ],
)
@pytest.mark.parametrize(("answer", "status", "says"), [("no", 2, "nothing was done"), (None, 130, "stopped; ")])
def test_a_person_reads_what_will_be_done_before_it_is(
    stage: Stage, aws: EmbeddedAws, arguments: list[str], left: str, answer: str | None, status: int, says: str
) -> None:
    """No, and Ctrl-C, leave everything as it was."""
    name = stage.stack.name if arguments == ["uninstall"] else "meeting-agents-not-made"
    exit_status, screen = typed(aws, ACCOUNT, name, arguments, answer)
    assert left in screen
    assert f"operate: {says}" in screen.replace("\r", "")
    assert exit_status == status
    names = [each["StackName"] for each in stage.stack.session.client("cloudformation").list_stacks()["StackSummaries"]]
    assert (stage.stack.name in names, "meeting-agents-not-made" in names) == (True, False)


def test_an_uninstall_that_is_not_confirmed_does_nothing(stage: Stage, aws: EmbeddedAws) -> None:
    done = run(aws, ACCOUNT, stage.stack.name, "uninstall")
    assert done.returncode == 2
    assert "nothing was done" in done.stderr
    assert "What is left costs about US$ " in done.stdout
    assert stage.stack.outputs
