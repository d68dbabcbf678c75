"""What an operator is told whose command cannot do its work: one line that says what to do, and exit status 2."""

import os
import subprocess
import sys

import pytest

from tests.sandbox.deployment import ROOT
from tests.sandbox.embedded_aws import ACCOUNT, REGION, EmbeddedAws

SPAN = ("--from", "2026-11-22T08:00:00Z", "--to", "2026-11-22T09:00:00Z")


def operate(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with nothing of AWS in its environment but what is given."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [sys.executable, "layers/shared/operate.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=bare | nowhere | environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("wrong", ["", "yesterday", "2026-13-01"])
def test_a_time_that_is_none_is_answered_with_one_that_is(wrong: str) -> None:
    """What `make replay` hands over without FROM is an empty text."""
    done = operate("replay", "--from", wrong, "--to", "2026-11-22T09:00:00Z")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"operate replay: error: argument --from: {wrong!r} is no time: "
        "say FROM=2026-11-22T08:00:00Z TO=2026-11-22T09:00:00Z"
    )


def test_a_redrive_of_no_queue_says_how_to_name_one() -> None:
    """What `make redrive` hands over without QUEUE is an empty text."""
    done = operate("redrive", "--queue", "")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "operate redrive: error: argument --queue: which one? say QUEUE=track|alert|…"
    )


@pytest.mark.parametrize(
    "command", [("replay", *SPAN), ("redrive", "--queue", "track"), ("verdicts",), ("subscribers",)]
)
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "no AWS region is known: say AWS_REGION=eu-central-1 or AWS_PROFILE=…"),
        ({"AWS_DEFAULT_REGION": REGION}, "no AWS credentials are found: say AWS_PROFILE=…, or sign in"),
    ],
    ids=["no region", "no credentials"],
)
def test_what_is_missing_in_the_environment_is_named(
    command: tuple[str, ...], environment: dict[str, str], said: str
) -> None:
    """No traceback, whatever the command."""
    done = operate(*command, **environment)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"operate: {said}\n")


@pytest.mark.parametrize(
    "command", [("replay", *SPAN), ("redrive", "--queue", "track"), ("verdicts",), ("subscribers",)]
)
def test_a_stack_that_is_not_there_is_named(aws: EmbeddedAws, command: tuple[str, ...]) -> None:
    """With what may be wrong: its name, or the region."""
    keys = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": REGION}
    done = operate("--stack", "elsewhere", *command, AWS_ENDPOINT_URL=aws.url, **keys)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith("operate: the stack could not be read: ")
    assert "elsewhere" in done.stderr
    assert done.stderr.endswith("; say STACK=… and AWS_REGION=…\n")
