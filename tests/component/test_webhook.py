"""The webhook's answers and entries: the function in this process, AWS faked at the wire."""

import base64
import json
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.webhook import app
from meeting_agents import wiring
from meeting_agents.aws.keys import PROBE_PREFIX
from meeting_agents.cronofy.client_secrets import CACHE_SECONDS, RELOAD_INTERVAL_SECONDS, ClientSecrets
from meeting_agents.cronofy.signature import HEADER, sign
from meeting_agents.errors import MissingSecret
from tests.answers import ANSWERS, Answer
from tests.wire import CURRENT, ENVIRONMENT, STORED_AT, Aws, forget

ROOT = Path(__file__).resolve().parents[2]
EVENTS = ROOT / "events/webhook"
CONTEXT = SimpleNamespace(
    function_name="webhook",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-central-1:111122223333:function:webhook",
    aws_request_id="52fdfc07-2182-154f-163f-5f0f9a621d72",
)

AGENT = "ma_6k3q5n2wv7jx4ypzc2drtb5e7a"

type Event = dict[str, Any]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """Put a fake AWS under the function's own clients."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    forget()
    aws = Aws()
    wiring._session().register("before-send", aws)
    yield aws
    forget()


def event(case: str) -> Event:
    loaded: Event = json.loads((EVENTS / f"{case}.json").read_text(encoding="utf-8"))
    return loaded


def signed(body: bytes, *secrets: str, agent: str = AGENT) -> Event:
    """Make the example event with another body and its signature."""
    request = event("base64")
    request["body"] = base64.b64encode(body).decode()
    request["headers"][HEADER] = sign(body, secrets or (CURRENT,))
    request["pathParameters"]["agent_id"] = agent
    return request


def receive(request: Event) -> tuple[int, dict[str, Any]]:
    """Return the status and the content of our response."""
    response = app.handler(request, CONTEXT)
    return response["statusCode"], json.loads(response["body"])


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Return the printed metrics by name."""
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert all("log_group" not in one for one in found)
    return {
        metric["Name"]: sum(one.get(metric["Name"], [0])[0] for one in found)
        for one in found
        for metric in one["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }


def prepared(case: str, aws: Aws) -> Event:
    """Return the event of a row, after preparing what the row needs."""
    match case:
        case "repeated":
            assert receive(event("activated")) == (200, {"stored": AGENT, "new": True})
        case "too_large":
            return signed(b"x" * (app.MAX_BODY_BYTES + 1))
        case "missing_secret":
            aws.secret = "{}"
        case "unreadable_secret":
            aws.down["GetSecretValue"] = "AccessDeniedException"
        case "store_down":
            aws.down["PutItem"] = "InternalServerError"
    return event(case if (EVENTS / f"{case}.json").exists() else "activated")


@pytest.mark.parametrize("row", ANSWERS, ids=[row.case for row in ANSWERS])
def test_each_row_of_the_table_is_answered_so(row: Answer, aws: Aws) -> None:
    """Each row of the documented table gives its status and code, and stores an entry only with a 200."""
    one = prepared(row.case, aws)
    before = len(aws.items)

    status, content = receive(one)

    assert (status, content.get("code", "")) == (row.status, row.code)
    is_new = row.status == 200 and row.case != "repeated"
    assert len(aws.items) - before == is_new
    assert content.get("new", False) is is_new


def test_every_event_has_its_row() -> None:
    """Each file of `events/webhook` is the case of a row."""
    assert {path.stem for path in EVENTS.glob("*.json")} <= {row.case for row in ANSWERS}


# -------------------------------------------------------------------------------------------------------------- storing


def test_the_exact_bytes_are_stored_under_their_digest(aws: Aws) -> None:
    """The signed bytes are stored with all white space; base64 is Lambda's, not Cronofy's."""
    body = ' {"a" :\t"ä"}\r\n'.encode()
    receive(signed(body))
    ((key, item),) = aws.items.items()
    assert key == (AGENT, f"entry#{sha256(body).hexdigest()}")
    assert zlib.decompress(base64.b64decode(item["zipped"]["B"])) == body
    assert item["signed_with"] == {"S": "us:current"}


def test_the_same_bytes_are_two_entries_only_for_two_agents_or_two_attempts(aws: Aws) -> None:
    """The key has the digest, the agent and the attempt. No address of ours has `?attempt=1`."""
    for attempt in (None, "1", "2", "2", "01", "0", "-2", "2,3", "٢", "1234567", ""):
        one = event("activated")
        if attempt is not None:
            one["queryStringParameters"] = {"attempt": attempt}
        receive(one)
    digest = sha256(event("activated")["body"].encode()).hexdigest()
    assert {key for _, key in aws.items} == {f"entry#{digest}", f"entry#{digest}.2"}
    assert aws.items[AGENT, f"entry#{digest}.2"]["attempt"] == {"N": "2"}


def test_the_same_bytes_from_two_event_triggers_are_two_entries(aws: Aws) -> None:
    """Their bodies may be equal, because nothing in them is known to name the trigger."""
    for parameters in (
        {"trigger": "before"},
        {"trigger": "after"},
        {"attempt": "2", "trigger": "after"},
        {"trigger": "x"},
    ):
        request = event("activated")
        request["queryStringParameters"] = parameters
        receive(request)
    digest = sha256(event("activated")["body"].encode()).hexdigest()
    keys = {f"entry#{digest}.before", f"entry#{digest}.after", f"entry#{digest}.2.after", f"entry#{digest}"}
    assert {key for _, key in aws.items} == keys
    assert aws.items[AGENT, f"entry#{digest}.before"]["trigger"] == {"S": "before"}


def test_a_notification_costs_one_write_and_no_read(aws: Aws) -> None:
    """The secret is read with the first notification; later ones need a single call."""
    receive(signed(b"{}"))
    aws.calls.clear()
    receive(signed(b"[]"))
    receive(signed(b"[]"))
    assert aws.calls == ["PutItem", "PutItem"]


def test_the_largest_notification_is_stored(aws: Aws) -> None:
    """A body of exactly the limit is accepted, and fits into an item of the table."""
    assert receive(signed(b"x" * app.MAX_BODY_BYTES))[0] == 200


# --------------------------------------------------------------------------------------------------------- verification


def test_a_forged_request_costs_no_call(aws: Aws) -> None:
    """A flood of forgeries causes no write, and after the first no read of the secret."""
    receive(event("activated"))
    aws.calls.clear()
    refused = ["unsigned", "malformed_signature", "forged", "altered", "undecodable"]
    assert {receive(event(case))[0] for case in refused * 20} == {401}
    assert aws.calls == []


@pytest.fixture
def clock() -> list[float]:
    """Return a clock that a test moves."""
    return [1000.0]


@pytest.fixture
def credentials(aws: Aws, clock: list[float]) -> ClientSecrets:
    return ClientSecrets(wiring.client("secretsmanager"), ENVIRONMENT["CRONOFY_SECRET_ARN"], lambda: clock[0])


def test_the_secret_is_read_again_at_most_once_a_minute(
    aws: Aws, credentials: ClientSecrets, clock: list[float]
) -> None:
    """An unknown signature leads to another read, at most once a minute."""
    credentials.secrets()
    for _ in range(600):  # a forgery each second for ten minutes
        clock[0] += 1
        credentials.reload()
    assert aws.calls.count("GetSecretValue") <= 11


def test_a_new_secret_is_found_without_a_deploy(aws: Aws, credentials: ClientSecrets, clock: list[float]) -> None:
    """Cronofy signs with a secret that was stored after the last read: it is read once more, and found."""
    credentials.secrets()
    aws.secret = json.dumps({"us": {"client_secrets": ["CRN_new", CURRENT]}})
    header = sign(b"{}", ["CRN_new"])
    clock[0] += RELOAD_INTERVAL_SECONDS + 1
    (signer,) = app._signers(header, b"{}", credentials)
    assert (signer.data_center, signer.slot) == ("us", "current")
    assert aws.calls.count("GetSecretValue") == 2


def test_an_outage_of_secrets_manager_loses_no_notification(
    aws: Aws, credentials: ClientSecrets, clock: list[float]
) -> None:
    """The secrets that were read before stay valid, and are read again at most once a minute."""
    secrets = credentials.secrets()
    aws.down["GetSecretValue"] = "InternalServiceError"
    aws.calls.clear()
    for _ in range(int(CACHE_SECONDS) + 120):
        clock[0] += 1
        assert credentials.secrets() == secrets
    assert len(aws.calls) <= 8  # each read is tried twice


def test_an_invalid_value_leaves_the_secrets_that_were_read_before(
    aws: Aws, credentials: ClientSecrets, clock: list[float]
) -> None:
    """An invalid value replaces a valid one: notifications are still accepted."""
    secrets = credentials.secrets()
    aws.secret = "{"
    clock[0] += CACHE_SECONDS + 1
    assert credentials.secrets() == secrets


@pytest.mark.parametrize(
    "value",
    [
        "{}",
        "",
        "nonsense",
        "[]",
        "null",
        '{"us": {}}',
        '{"us": {"client_secrets": []}}',
        '{"us": {"client_secrets": [""]}}',
    ],
)
def test_an_empty_secret_accepts_nothing_and_names_the_missing_setting(
    value: str, aws: Aws, credentials: ClientSecrets
) -> None:
    """The webhook fails closed, and the error names what an operator must store."""
    aws.secret = value
    with pytest.raises(MissingSecret, match="CronofySecretArn"):
        credentials.secrets()


@pytest.mark.parametrize("value", ['{"us": {"client_secrets": "CRN_1"}}', '{"us": {"client_secrets": [1, "CRN_1"]}}'])
def test_a_secret_of_the_wrong_shape_is_missing(value: str, aws: Aws, credentials: ClientSecrets) -> None:
    """With a text in place of the list, each of its characters would be a secret that is easy to guess."""
    aws.secret = value
    with pytest.raises(MissingSecret, match="client_secrets"):
        credentials.secrets()


def test_all_data_centers_and_both_of_their_secrets_are_accepted(aws: Aws) -> None:
    """Data centers share no secrets, and one deployment serves them all."""
    centers = ("us", "au", "ca", "de", "sg", "uk")
    aws.secret = json.dumps({dc: {"client_secrets": [f"CRN_{dc}_new", f"CRN_{dc}_old"]} for dc in centers})
    for dc in centers:
        for slot in ("new", "old"):
            assert receive(signed(f"{dc} {slot}".encode(), f"CRN_{dc}_{slot}"))[0] == 200
    signers = {item["signed_with"]["S"] for item in aws.items.values()}
    assert signers == {f"{dc}:{slot}" for dc in centers for slot in ("current", "previous")}


# -------------------------------------------------------------------------------------------------------------- metrics


def test_a_metric_names_the_secret_that_signed(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """Cronofy signs with both while both are active, so the previous one counts until it is removed there."""
    receive(event("signed_by_both"))
    both = metrics(capsys)
    assert (both["SignedWithCurrent"], both["SignedWithPrevious"]) == (1, 1)
    receive(event("signed_by_previous"))
    previous = metrics(capsys)
    assert "SignedWithCurrent" not in previous
    assert previous["PreviousSecretAge"] == pytest.approx(time.time() - STORED_AT, abs=60)
    receive(signed(b"{}", CURRENT))
    assert not {"SignedWithPrevious", "PreviousSecretAge"} & metrics(capsys).keys()


def test_a_probe_is_counted_only_if_it_is_rejected(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """It is signed here, so it does not show which secret Cronofy uses."""
    probe = signed(b"{}", CURRENT, agent=f"{PROBE_PREFIX}1")
    assert receive(probe)[1]["new"] is True
    assert receive(probe)[1]["new"] is False
    assert metrics(capsys) == {}
    probe["headers"][HEADER] = "nothing"
    receive(probe)
    assert metrics(capsys) == {"NotificationsRejected": 1}


@pytest.mark.parametrize("row", ANSWERS, ids=[row.case for row in ANSWERS])
def test_each_response_is_counted_once(row: Answer, aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """A notification is accepted, rejected or failed; a repetition of the same bytes is accepted."""
    one = prepared(row.case, aws)
    capsys.readouterr()
    receive(one)
    counted = {name: value for name, value in metrics(capsys).items() if name.startswith("Notifications")}
    name = {200: "NotificationsAccepted", 503: "NotificationsFailed"}.get(row.status, "NotificationsRejected")
    other = {"repeated": {"NotificationsDuplicate": 1}, "missing_secret": {"NotificationsAccepted": 0}}
    assert counted == {name: 1} | other.get(row.code or row.case, {})


def test_no_notification_is_accepted_while_no_secret_is_stored(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """SecretMissingAlarm gets a 0 for each until one is stored, and nothing while the table is down."""
    stored, aws.secret = aws.secret, "{}"
    receive(event("activated"))
    assert metrics(capsys)["NotificationsAccepted"] == 0
    aws.secret = stored
    forget()
    aws.down["PutItem"] = "InternalServerError"
    wiring._session().register("before-send", aws)
    receive(event("activated"))
    assert "NotificationsAccepted" not in metrics(capsys)
    del aws.down["PutItem"]
    receive(event("activated"))
    assert metrics(capsys)["NotificationsAccepted"] == 1


def test_a_probe_is_no_notification_that_the_secret_alarm_counts(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    """A probe never counts as accepted, so its failure must not begin what only an accepted one ends."""
    aws.secret = "{}"
    probe = event("activated")
    probe["pathParameters"] = {"agent_id": f"{PROBE_PREFIX}1"}
    receive(probe)
    assert "NotificationsAccepted" not in metrics(capsys)


# ---------------------------------------------------------------------------------------------------------------- speed


def test_the_webhook_imports_nothing_that_only_others_need() -> None:
    """Each import makes a cold start longer, while Cronofy waits."""
    heavy = {
        "pydantic",
        "httpx",
        "boto3",
        "aws_xray_sdk",
        "aws_lambda_powertools.event_handler",
        "meeting_agents.domain.model",
    }
    program = f"import sys, app; print(sorted({heavy} & sys.modules.keys()))"
    folder = ROOT / "functions/webhook"
    found = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
