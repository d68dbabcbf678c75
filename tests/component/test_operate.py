"""The operator's commands: their options, and one line with the next step and exit status 2 when one cannot run."""

import importlib
import os
import subprocess
import sys

import pytest

from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws

SPAN = ("--from", "2026-11-22T08:00:00Z", "--to", "2026-11-22T09:00:00Z")
COMMANDS = [
    *(("replay", *SPAN), ("redrive", "--queue", "track"), ("verdicts",)),
    *(
        ("agents",),
        ("agent", "--id", "ma_1"),
        ("acknowledge", "--id", "ma_1", "--note", "x"),
        ("retry", "--id", "ma_1"),
    ),
]


def operate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with only these AWS settings in its environment."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    no_files = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [sys.executable, "layers/shared/operate.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=bare | no_files | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("wrong", ["", "yesterday", "2026-13-01"])
def test_a_wrong_time_is_answered_with_an_example(wrong: str) -> None:
    """`make replay` without FROM passes an empty text."""
    done = operate("replay", "--from", wrong, "--to", "2026-11-22T09:00:00Z")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"operate replay: error: argument --from: {wrong!r} is not a time: "
        "set FROM=2026-11-22T08:00:00Z TO=2026-11-22T09:00:00Z"
    )


@pytest.mark.parametrize("end", ["2026-11-22T08:00:00Z", "2026-11-22T07:59:59Z"])
@pytest.mark.parametrize("command", [("replay",), ("export", "--file", "week.jsonl")], ids=["replay", "export"])
def test_a_span_that_ends_before_it_begins_is_an_error(command: tuple[str, ...], end: str) -> None:
    """No entry is in it, so the two times are mixed up."""
    done = operate(*command, "--from", "2026-11-22T08:00:00Z", "--to", end)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"operate {command[0]}: error: FROM must be before TO"


@pytest.mark.parametrize(
    ("value", "is_dry_run"),
    [("", False), ("no", False), ("0", False), ("False", False), ("off", False), ("yes", True), ("1", True)],
)
def test_a_dry_run_is_what_its_value_says(monkeypatch: pytest.MonkeyPatch, value: str, is_dry_run: bool) -> None:
    """`make replay DRY_RUN=no` announces; without DRY_RUN it passes an empty text."""
    monkeypatch.syspath_prepend("layers/shared")
    command = importlib.import_module("operate")
    calls: list[bool] = []
    monkeypatch.setattr(command, "replay", lambda *_, dry_run: calls.append(dry_run))
    monkeypatch.setenv("AWS_REGION", REGION)
    assert command.main(["replay", *SPAN, "--dry-run", value]) == 0
    assert calls == [is_dry_run]


def test_a_dry_run_of_another_value_is_an_error() -> None:
    """A mistyped value must not announce anything."""
    done = operate("replay", *SPAN, "--dry-run", "mayby")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "operate replay: error: argument --dry-run: 'mayby' is neither yes nor no: set DRY_RUN=yes or DRY_RUN=no"
    )


def test_a_redrive_without_a_queue_is_answered_with_an_example() -> None:
    """`make redrive` without QUEUE passes an empty text."""
    done = operate("redrive", "--queue", "")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "operate redrive: error: argument --queue: no queue is named: set QUEUE=track|alert|…"
    )


@pytest.mark.parametrize(
    "command",
    [
        ("replay", *SPAN),
        ("redrive", "--queue", "track"),
        ("verdicts",),
        ("export", *SPAN, "--file", "week.jsonl"),
        ("agents",),
        ("retry", "--id", "ma_1"),
    ],
)
@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({}, "no AWS region is configured: set AWS_REGION=eu-central-1 or AWS_PROFILE=…"),
        ({"AWS_REGION": ""}, "no AWS region is configured: set AWS_REGION=eu-central-1 or AWS_PROFILE=…"),
        ({"AWS_DEFAULT_REGION": REGION}, "no AWS credentials are found: set AWS_PROFILE=…, or sign in"),
        ({"AWS_REGION": REGION}, "no AWS credentials are found: set AWS_PROFILE=…, or sign in"),
    ],
    ids=["no region", "empty region", "no credentials", "no credentials in the region that the error names"],
)
def test_a_missing_setting_is_named(command: tuple[str, ...], environment: dict[str, str], problem: str) -> None:
    """No command prints a traceback."""
    done = operate(*command, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"operate: {problem}\n")


@pytest.mark.parametrize(
    "command",
    [
        ("replay", *SPAN),
        ("redrive", "--queue", "track"),
        ("verdicts",),
        ("export", *SPAN, "--file", "week.jsonl"),
        ("agents",),
        ("retry", "--id", "ma_1"),
    ],
)
def test_a_stack_that_does_not_exist_is_named(aws: EmbeddedAws, command: tuple[str, ...]) -> None:
    """The next step is to check its name or the region."""
    keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": REGION}
    done = operate("--stack", "elsewhere", *command, AWS_ENDPOINT_URL=aws.url, **keys)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("operate: the stack could not be read: ")
    assert "elsewhere" in done.stderr
    assert done.stderr.endswith("; set STACK=… and AWS_REGION=…\n")
