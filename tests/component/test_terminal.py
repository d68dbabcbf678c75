"""The operator's commands about incidents, and the doctor, as a person at a terminal runs and reads them."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws
from tests.sandbox.stage import CALENDAR, Stage, wait_until

HOUR = timedelta(hours=1)
FAR = datetime(2099, 4, 29, 15, 30, tzinfo=UTC)

type Operate = Callable[..., subprocess.CompletedProcess[str]]


def run(
    aws: EmbeddedAws, key: str, stack: str, *arguments: str, region: str = REGION
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": region,
    }
    command = [sys.executable, "layers/shared/operate.py", "--stack", stack, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def operate(stage: Stage) -> Operate:
    """Return a function that runs a command against the sandbox. Its lines fit a terminal."""

    def operated(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = run(stage.aws, ACCOUNT, stage.stack.name, *arguments)
        assert "Traceback" not in done.stderr
        assert not [line for line in done.stdout.splitlines() if len(line) > 100]
        return done

    return operated


def account(stage: Stage) -> str:
    """Register an account with a calendar of its own name. Return the name."""
    name = f"user_{uuid4().hex[:8]}"
    grant = stage.cronofy.grant("us", calendars=(name,))
    assert stage.api.put(
        f"/v1/accounts/{name}", json={"refresh_token": grant.refresh_token, "data_center": "us"}
    ).is_success
    return name


def refused(stage: Stage, name: str, summary: str = "Quarterly review", start: datetime = FAR) -> tuple[str, str]:
    """Request an agent in an account's name, which Cronofy refuses. Return its id and the calendar event's."""
    event: dict[str, Any] = {
        "event_id": uuid4().hex,
        "summary": summary,
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}",
        "tzid": "Europe/Berlin",
        "meeting_agent": {"profile_id": "cronofy"},
    }
    path = f"/v1/calendars/{name}/events"
    errors = {"errors": {"summary": [{"key": "errors.invalid", "description": "invalid"}]}}
    stage.cronofy.faults.add("POST", path, status=422, body=errors)
    url = stage.stack.api_url + path
    answer = httpx.post(url, json=event, headers={"Cronofy-Account": name}, timeout=40, trust_env=False)
    assert answer.status_code == 422
    agent: str = answer.json()["agent"]["id"]
    listed = stage.api.get

    def is_listed() -> bool:
        rows = listed("/v1/incidents", params={"account": name}).json()["incidents"]
        return any(row["agent"]["id"] == agent for row in rows)

    assert wait_until(lambda: is_listed() or None)
    return agent, event["event_id"]


# ------------------------------------------------------------------------------------------------------------ incidents


def test_the_open_incidents_are_listed_acknowledged_and_sent_again(stage: Stage, operate: Operate) -> None:
    """The whole of an alert at three in the morning, without a browser."""
    name = account(stage)
    agent, _ = refused(stage, name)
    listed = operate("agents", "--account", name)
    lines = listed.stdout.splitlines()
    assert lines[:2] == [
        'WARNING   "Quarterly review"',
        "          Wed 29 Apr 2099, 17:30 - 18:30 CEST (15:30 - 16:30 UTC)",
    ]
    assert re.fullmatch(r" {10}Meeting agent was refused, \d+ seconds? ago\. No alert yet\.", lines[2])
    assert lines[3].startswith("          Next: Correct the fields that Cronofy named (422).")
    assert f"          {agent}" in lines
    assert (listed.returncode, lines[-1]) == (0, "1 open incident: 1 warning")

    done = operate("acknowledge", "--id", agent, "--note", "I ask the organiser")
    assert (done.returncode, done.stdout) == (0, f"{agent}: acknowledged: rejected\n")
    assert "Acknowledged: I ask the organiser" in operate("agents", "--account", name).stdout

    done = operate("retry", "--id", agent)
    assert (done.returncode, done.stdout) == (0, f"{agent}: scheduled: Cronofy accepted the request (202)\n")
    assert wait_until(lambda: operate("agents", "--account", name).stdout == "0 open incidents\n" or None)
    again = operate("retry", "--id", agent)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("operate: 409: nothing to retry: ")


def test_a_command_ends_at_ctrl_c_without_a_traceback(stage: Stage) -> None:
    """While the doctor waits for its probe, or before."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": stage.aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }
    # A shell that runs tests in the background has Ctrl-C ignored.
    start = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.executable, sys.argv[1:])"
    )
    command = [sys.executable, "-u", "layers/shared/operate.py", "--stack", stage.stack.name, "doctor"]
    with subprocess.Popen(
        [sys.executable, "-c", start, *command],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, problem = process.communicate(timeout=30)
    assert (process.returncode, problem.strip()) == (130, "operate: stopped; the same command again does the rest")


def test_critical_incidents_are_listed_first(stage: Stage, operate: Operate) -> None:
    """Although their meetings are the earlier ones."""
    name = account(stage)
    refused(stage, name, "In many years")
    refused(stage, name, "Now", datetime.now(UTC))
    shown = operate("agents", "--account", name).stdout
    assert re.findall(r"^(WARNING|CRITICAL) +(.+)$", shown, re.MULTILINE) == [
        ("CRITICAL", '"Now"'),
        ("WARNING", '"In many years"'),
    ]
    assert shown.endswith("\n2 open incidents: 1 critical, 1 warning\n")


def test_the_agents_in_some_states_are_listed(stage: Stage, operate: Operate) -> None:
    name = account(stage)
    agent, _ = refused(stage, name, "A title that is longer than its column, by far")
    done = operate("agents", "--state", "rejected,failed", "--account", name, "--from", "2099-04-29")
    assert done.stdout.splitlines() == [
        f'rejected   29 Apr 17:30 CEST   "A title that is longer than i..."  {agent}',
        "1 agent rejected or failed",
    ]
    assert operate("agents", "--state", "rejected", "--account", name).stdout == "0 agents rejected\n"  # in 2099


def test_an_agent_is_shown_by_its_id_or_its_calendar_event(stage: Stage, operate: Operate) -> None:
    name = account(stage)
    agent, event = refused(stage, name)
    done = operate("agent", "--id", agent)
    text = done.stdout
    assert text.splitlines()[0] == '"Quarterly review"'
    assert f"event     {event} in {name}\naccount   {name}\ncronofy   data center us\n" in text
    assert "reason    Cronofy refused the request (422): summary (errors.invalid)" in text
    assert re.search(r"^WARNING   rejected, \d+ seconds? ago, not acknowledged$", text, re.MULTILINE)
    assert re.search(r"^\d\d \w{3} [\d:]{8} CES?T +rejected: Cronofy refused the request \(422\): ", text, re.MULTILINE)
    by_event = operate("agent", "--id", "", "--event", event, "--calendar", name, "--data-center", "")
    assert by_event.stdout.splitlines()[0] == text.splitlines()[0]
    assert f"agent     {agent}, attempt 1" in by_event.stdout


def test_a_silence_is_made_listed_seen_and_ended(stage: Stage, operate: Operate) -> None:
    """Its end is a time, or for how long."""
    name = account(stage)
    silence = name.replace("_", "-")
    why = ("--why", "We move to Zoom: https://evil.example/a")
    done = operate("silence", "--name", silence, "--until", "2h", *why, "--account", name, "--label", "team:a,team:b")
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (0, f"ACTIVE    {silence}, ends in 119 minutes")
    assert re.fullmatch(r" {10}[\d-]{10} [\d:]{5} to [\d-]{10} [\d:]{5} UTC", lines[1])
    assert lines[2:] == [
        f"          account {name}; label team:a, team:b",
        "          We move to Zoom: (link)",
        f"make unsilence NAME={silence} ends it",
    ]
    operate("silence", "--name", silence, "--until", "90m", "--why", "We move", "--account", name)
    refused(stage, name)
    words = f"Silenced by {silence} until "
    assert wait_until(lambda: words in operate("agents", "--account", name).stdout or None)
    planned = ("--from", "2098-04-29T10:00:00Z", "--until", "2098-04-29T11:00:00Z", "--why", "x", "--everything")
    far = operate("silence", "--name", f"{silence}-far", *planned)
    assert (far.returncode, far.stdout) == (2, "")
    assert "422: the silence is not valid: see `errors`; from: at most 90 days ahead" in far.stderr
    listed = operate("silences").stdout
    assert f"ACTIVE    {silence}, ends in 89 minutes" in listed
    assert re.search(r"^\d+ silences?$", listed, re.MULTILINE)
    assert operate("unsilence", "--name", silence).stdout == (
        f"{silence} is over; what it held back and still stands is sent within a minute or two\n"
    )
    assert operate("unsilence", "--name", silence).stderr.startswith(f"operate: 404: there is no silence {silence}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("silence", "--name", "a", "--until", "soon", "--why", "x"), "'soon' is not a time"),
        (("silence", "--name", "", "--until", "2h", "--why", "x"), "it is empty: set NAME=move-to-zoom"),
        (("silence", "--name", "a", "--until", "2h", "--why", "x"), "422: the silence is not valid"),
        (("unsilence", "--name", "no-such"), "404: there is no silence no-such"),
        (("agent", "--id", "ma_unknown"), "404: no agent ma_unknown is known here"),
        (("agent", "--event", "e", "--calendar", CALENDAR), f"no agent of event e in calendar {CALENDAR} is known"),
        (("agent",), "set ID=ma_…, or EVENT=… and CALENDAR=…"),
        (("agent", "--event", "e"), "set ID=ma_…, or EVENT=… and CALENDAR=…"),
        (("agents", "--state", "faild"), "there is no state faild: did you mean failed?"),
        (("agents", "--state", "failed", "--account", "a" * 200), "422: the request has wrong or missing fields"),
        (("agents", "--from", "yesterday"), "'yesterday' is not a time"),
        (("acknowledge", "--id", "", "--note", "x"), "it is empty: set ID=ma_…"),
        (("acknowledge", "--id", "ma_1", "--note", " "), 'it is empty: set NOTE="I call them"'),
        (
            ("acknowledge", "--id", "account_disconnected/no", "--note", "x"),
            "404: no alert about account_disconnected/no",
        ),
        (("retry", "--id", ""), "it is empty: set ID=ma_…"),
        (("secret", "--data-center", ""), "no data center is named: set DATA_CENTER=de"),
        (("secret", "--data-center", "eu"), "there is no data center eu: known are au, ca, de, sg, uk, us"),
        (("retry", "--id", "ma_unknown"), "404: no agent ma_unknown is known here"),
    ],
)
def test_a_command_that_cannot_run_says_what_to_set(operate: Operate, arguments: tuple[str, ...], words: str) -> None:
    done = operate(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr.splitlines()[-1]


# ----------------------------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["DefaultDataCentre=de"], "no parameter DefaultDataCentre: did you mean DefaultDataCenter?"),
        (["TimeZone=Europe/Berlin", "timezone=x"], "no parameter timezone: did you mean TimeZone?"),
        (["DefaultDataCenter"], "'DefaultDataCenter' is no Name=value"),
        (["Colour=red"], "no parameter Colour: known are AccountsClaim, "),
    ],
)
def test_a_parameter_that_the_template_does_not_have_is_refused(pairs: list[str], words: str) -> None:
    """SAM leaves it out without a word, and says that the stack was created."""
    done = subprocess.run(
        [sys.executable, "layers/shared/operate.py", "parameters", *pairs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize("environment", ["default", "dev", "staging", "prod"])
def test_an_environment_has_a_stack_and_parameters_of_its_own(environment: str) -> None:
    """Both are those of samconfig.toml, and what the command names comes on top."""
    section = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[environment]["deploy"]["parameters"]
    recipe = make("deploy", f"ENVIRONMENT={environment}", "PARAMETERS=RetentionDays=7").stdout
    assert f"--config-env {environment} --stack-name {section['stack_name']} " in recipe
    question = next(line for line in recipe.splitlines() if line.startswith("overrides="))
    done = subprocess.run(
        ["sh", "-c", question.partition("$(")[2].partition(")")[0]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    given = dict(pair.split("=", 1) for pair in done.stdout.split())
    own = dict(pair.split("=", 1) for pair in section.get("parameter_overrides", []))
    assert given == own | {"Architecture": "arm64", "RetentionDays": "7"}


def test_an_unknown_environment_is_refused() -> None:
    """Every command does so before anything is done."""
    for command in ("deploy", "doctor", "agents"):
        done = make(command, "ENVIRONMENT=prd")
        assert (done.returncode, done.stdout) == (2, "")
        assert "samconfig.toml has no environment prd" in done.stderr


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # `make test` is a make, too
    environment = {name: value for name, value in os.environ.items() if name not in outer}
    command = ["make", "-n", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("replay", "STAT=failed"), "no command has a variable STAT: did you mean STATE?"),
        (("deploy", "PARAMETER=a=b"), "no command has a variable PARAMETER: did you mean PARAMETERS?"),
        (("agents", "XYZ=red"), "no command has a variable XYZ: known are ACCOUNT, "),
    ],
)
def test_a_misspelt_variable_is_refused(arguments: tuple[str, ...], words: str) -> None:
    """An ignored STATE would replay everything."""
    done = make(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


@pytest.mark.parametrize("given", ["environment", "command"])
def test_the_region_has_both_names(given: str) -> None:
    """The SAM CLI and boto3 read only the second. Of two regions, the first name's counts, as for the AWS CLI 2."""
    question = 'include Makefile\nquestion:\n\t@echo "$$AWS_REGION $$AWS_DEFAULT_REGION"\n'
    regions = {"AWS_DEFAULT_REGION": "us-east-1"} | ({"AWS_REGION": "eu-west-1"} if given == "environment" else {})
    arguments = [] if given == "environment" else ["AWS_REGION=eu-west-1", "AWS_PROFILE=p"]
    done = subprocess.run(
        ["make", "-f", "-", "question", *arguments],
        input=question,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]} | regions,
    )
    assert done.stdout == "eu-west-1 eu-west-1\n"


def test_every_variable_of_a_command_is_known() -> None:
    """Each that a recipe reads is in the list of those that may be given."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.search(r"^KNOWN := ((?:.|\\\n)*?[^\\])$", text, re.MULTILINE)[1].replace("\\\n", "").split())  # type: ignore[index]
    described = {name for line in text.splitlines() if "##" in line for name in re.findall(r"\b([A-Z_]{2,})=", line)}
    assert described <= known
    assert make("deploy", 'PARAMETERS=AlertEmail=a@example.com TimeZone="Europe/Berlin"', "STACK=s").returncode == 0
    recipe = make("replay", "FROM=2026-11-22T08:00:00Z", "TO=2026-11-22T09:00:00Z", "STATE=failed", "DRY_RUN=no").stdout
    assert '--from "2026-11-22T08:00:00Z"' in recipe


# --------------------------------------------------------------------------------------------------------------- doctor


def test_the_doctor_sends_a_probe_through_a_stack_that_works(stage: Stage, operate: Operate) -> None:
    done = operate("doctor")
    text = done.stdout
    assert "  ok    Version       1.0.0, as in this folder\n" in text
    assert "  ok    Secrets       client id and secret for au, ca, de, sg, uk, us\n" in text
    assert re.search(r"^  ok    Subscribers   \d confirmed", text, re.MULTILINE)
    assert re.search(
        r"^  ok    Round trip    callback answered in [\d.]+ s, its alert decided after \d+ s$", text, re.MULTILINE
    )
    assert re.search(r"^  ok    Dead letters  all 6 empty$", text, re.MULTILINE)
    assert re.search(r"^  ok    Callbacks ", text, re.MULTILINE)
    assert (done.returncode, text.splitlines()[-1]) == (0, "It will work.")


def test_a_channel_is_tested_and_listed(stage: Stage, operate: Operate) -> None:
    """A wrong name, a working channel, a revoked one, one that is stored wrongly."""
    assert "  ok    Channels      on, and none is stored yet: CHANNELS.md says how\n" in operate("doctor").stdout
    gone = stage.receivers.stored["team"] | {"name": "gone", "url": "https://hooks.slack.com/services/T/B/gone"}
    wrong = stage.receivers.stored["desk"] | {"kind": "jiro"}
    stage.receivers.store(stage.stack, "pager", more=[gone, wrong])
    try:
        unknown, working, revoked = (operate("channel-test", "--name", name) for name in ("pagre", "pager", "gone"))
        listed = operate("doctor")
    finally:
        stage.receivers.store(stage.stack)

    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr == "operate: channel pagre: there is no channel of this name; known are: pager, gone\n"
    assert (working.returncode, working.stdout.splitlines()) == (
        0,
        [
            "trigger      taken",
            "acknowledge  taken",
            "resolve      taken",
            "channel pager (pagerduty) took all of it: look there, too",
        ],
    )
    assert (revoked.returncode, revoked.stdout.splitlines()) == (
        1,
        [
            "trigger      refused, and nothing else will be taken: it answered 404: no_service",
            "channel gone (slack) did not take the trigger",
        ],
    )
    assert listed.returncode == 1
    assert re.search(r"^  RED   Channels      desk: its kind must be one of slack, ", listed.stdout, re.MULTILINE)
    assert "  ok                  pager (pagerduty), gone (slack)\n" in listed.stdout
    assert "xoxb" not in listed.stdout + working.stdout
    assert stage.receivers.pagerduty.key not in listed.stdout + working.stdout


BARE: dict[str, Any] = {
    "Parameters": {"DefaultDataCenter": {"Type": "String", "Default": "de"}},
    "Resources": {
        "AgentsTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "S"},
                ],
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
            },
        },
        "AccountsTable": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": "account_id", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "account_id", "KeyType": "HASH"}],
            },
        },
        "CronofySecret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "{}"}},
        "AlertsTopic": {"Type": "AWS::SNS::Topic"},
        "TrackDeadLetterQueue": {"Type": "AWS::SQS::Queue"},
        "SweepHeartbeatAlarm": {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": "No sweep ran to its end in five minutes. Read the log of SweepFunction.",
                "Namespace": "x",
                "MetricName": "x",
                "Statistic": "Sum",
                "Period": 60,
                "EvaluationPeriods": 1,
                "Threshold": 1,
                "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            },
        },
    },
    "Outputs": {
        "Version": {"Value": "0.9.0"},
        "ApiUrl": {"Value": "http://127.0.0.1:9"},
        "AgentsTableName": {"Value": {"Ref": "AgentsTable"}},
        "CronofySecretArn": {"Value": {"Ref": "CronofySecret"}},
        "AlertsTopicArn": {"Value": {"Ref": "AlertsTopic"}},
        "TrackDeadLetterQueueUrl": {"Value": {"Ref": "TrackDeadLetterQueue"}},
    },
}
"""A stack in which nothing runs and nothing is set up."""


@pytest.fixture
def bare(aws: EmbeddedAws) -> Any:
    """The session of an account with a bare stack. Each test has an account of its own."""
    session = aws.session(str(400_000_000_000 + int(uuid4().hex[:8], 16)))
    client = session.client("cloudformation")
    client.create_stack(StackName="bare", TemplateBody=json.dumps(BARE))
    client.get_waiter("stack_create_complete").wait(StackName="bare", WaiterConfig={"Delay": 1})
    return session


def examined(aws: EmbeddedAws, session: Any) -> tuple[int, dict[str, str]]:
    """Return the exit status, and the lines of each check with its cure."""
    done = run(aws, session.get_credentials().access_key, "bare", "doctor")
    assert done.stderr == ""
    checks: dict[str, str] = {}
    title = ""
    for line in done.stdout.splitlines()[2:-2]:
        title = line[8:20].strip() or title if line[2:8].strip() else title
        checks[title] = checks.get(title, "") + line + "\n"
    return done.returncode, checks


def test_the_doctor_says_what_is_wrong_and_how_to_cure_it(aws: EmbeddedAws, bare: Any) -> None:
    """Each cure can be pasted: it has the stack's own ARNs."""
    outputs = {
        each["OutputKey"]: each["OutputValue"]
        for each in bare.client("cloudformation").describe_stacks(StackName="bare")["Stacks"][0]["Outputs"]
    }
    [alarm] = bare.client("cloudwatch").describe_alarms()["MetricAlarms"]
    bare.client("cloudwatch").set_alarm_state(AlarmName=alarm["AlarmName"], StateValue="ALARM", StateReason="x")
    bare.client("sqs").send_message(QueueUrl=outputs["TrackDeadLetterQueueUrl"], MessageBody="{}")
    status, checks = examined(aws, bare)
    assert status == 1
    reds = {title for title, lines in checks.items() if "  RED" in lines}
    assert reds == {"Version", "Secrets", "Subscribers", "Round trip", "Alarms", "Dead letters"}
    assert "0.9.0 is deployed, 1.0.0 is in this folder" in checks["Version"]
    assert "make deploy" in checks["Version"]
    assert "de, the default data center: client id and client secret missing." in checks["Secrets"]
    assert f"\n{' ' * 22}make secret DATA_CENTER=de STACK=bare\n" in checks["Secrets"]
    assert "none: alerts reach no one" in checks["Subscribers"]
    assert f"--topic-arn {outputs['AlertsTopicArn']}\n" in checks["Subscribers"]
    assert "there is no client secret to sign with" in checks["Round trip"]
    assert "SweepHeartbeatAlarm" in checks["Alarms"]
    assert "Read the log of SweepFunction." in checks["Alarms"]
    assert "1 message in TrackDeadLetterQueue" in checks["Dead letters"]
    assert "make redrive QUEUE=track STACK=bare" in checks["Dead letters"]
    assert "none yet; the first agent brings them" in checks["Callbacks"]


def test_the_doctor_names_the_data_centers_of_accounts_and_keeps_what_is_stored(aws: EmbeddedAws, bare: Any) -> None:
    """An address that no one answers is red."""
    [secret] = bare.client("secretsmanager").list_secrets()["SecretList"]
    value = {"de": {"client_id": "id", "client_secrets": ["CRN_new", "CRN_old"]}, "us": {"client_id": "id"}}
    bare.client("secretsmanager").put_secret_value(SecretId=secret["ARN"], SecretString=json.dumps(value))
    tables = bare.client("dynamodb").list_tables()["TableNames"]
    accounts = next(name for name in tables if "Accounts" in name)
    item = {"account_id": {"S": "alice"}, "data_center": {"S": "uk"}}
    bare.client("dynamodb").put_item(TableName=accounts, Item=item)
    status, checks = examined(aws, bare)
    assert status == 1
    assert "uk, with registered accounts: client id and client secret missing; us: client secret missing." in " ".join(
        checks["Secrets"].split()
    )
    assert "client id and secret for de (2 secrets)" in checks["Secrets"]
    commands = [line.strip() for line in checks["Secrets"].splitlines() if "make secret" in line]
    assert commands == [f"make secret DATA_CENTER={name} STACK=bare" for name in ("uk", "us")]
    assert "CRN_" not in checks["Secrets"]
    assert "/webhooks/cronofy/… : ConnectError" in checks["Round trip"]


def test_the_doctor_says_what_it_may_not_read(aws: EmbeddedAws, bare: Any) -> None:
    """The other checks are made."""
    [secret] = bare.client("secretsmanager").list_secrets()["SecretList"]
    bare.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    _, checks = examined(aws, bare)
    assert checks["Secrets"].startswith("  ?     Secrets       not checked: GetSecretValue answered ")
    assert checks["Callbacks"].startswith("  ok")
