"""Every command in the documents is run as it stands, by a test here or one that its block names, or has an excuse.

Nothing lists the commands: a new one in a document is run, and fails if it does not work. So does one with a
placeholder that no test fills, or a mention of a command that is neither run nor excused.
"""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import httpx
import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tests.sandbox.deployment import ARCHITECTURE, ROOT
from tests.sandbox.embedded_aws import REGION, EmbeddedAws
from tests.sandbox.stage import Stage, wait_until
from tests.system.test_documentation import PAGES

HERE = "tests/system/test_commands.py"
PROGRAMS = re.compile(
    r"(make|aws|curl|sh|bash|echo|openssl|git|jq|node|npm|pip|\.venv/bin/python|python3?|sam|uv|brew|sudo|xcode-select|wsl"
    r"|eval|export) "
)
"""The first words by which a command is known in a sentence. In a block of the language `sh` everything is one."""
LANGUAGES = {"sh", "text", "json", "mermaid"}

EXCUSED: Mapping[str, str] = {
    "make test": "it would run this test",
    "UPDATE_GOLDEN=1 make test": "it would rewrite what a person found good",
    ".venv/bin/python -m pytest": "`make test` is the same",
    "make check": "it is the workflow's: this test is a part of it",
    "make moments": "80 s, in `make check`",
    "make scan": "an environment of its own, in `make check`",
    "make format": "it would rewrite this folder; `make check` compares",
    "make build": "`make deploy` and `make package`, which are run, begin with it",
    "make run": "it stays up; tests/system/test_story.py tells its story",
    "make sandbox": "it stays up; a test below runs it with SIGNED=1, tests/system/test_story.py without",
    "make docs": "it would rewrite the documents; tests/system/test_documentation.py does so in a copy",
    "make fuzz": "7 minutes; tests/system/test_fuzz.py sends some hundred",
    "make bench": "a quarter of an hour; tests/system/test_bench.py",
    "make crash": "an hour or two; tests/system/test_crash.py",
    "make soak": "minutes; tests/system/test_soak.py",
    "make mutate": "an hour; tests/system/test_mutation.py",
    "make simulate SEED": "minutes of months; tests/simulation/test_month.py",
    "make simulate OUTAGE": "minutes of months; tests/simulation/test_what_if.py",
    "make simulate PUT_BACK": "minutes of months; tests/simulation/test_month.py",
    "make simulate RESCUE": "minutes of months; tests/system/test_second_agent.py",
    "make sbom": "an environment of its own; tests/system/test_licences.py",
    "make lock": "it asks a package index",
    "make clean": "it would remove the environment of this test",
    "make acknowledge ID=drill/weekly": "a drill must have begun; tests/system/test_drill.py",
    "DOMAIN=": "it needs a domain of one's own",
    "CERTIFICATE=": "it needs a domain of one's own",
    "API=": "it needs a domain of one's own",
    "aws acm": "it needs a domain of one's own",
    "aws apigatewayv2": "it needs a domain of one's own",
    "aws service-quotas": "it asks AWS for more",
    ".venv/bin/python -m tests.stored": "it writes what a release stores; tests/system/test_update_story.py reads it",
    'make deploy PARAMETERS="Archive': "it makes an archive; tests/system/test_archive.py has one",
    "make redrive QUEUE=archive": "it needs an archive; tests/system/test_archive.py",
    "make restore": "it needs a second stack; tests/system/test_restore.py",
    "make erase": "it erases what the others are about, and asks; tests/component/test_erase_command.py",
    "sam local invoke": "it needs Docker",
    "sam build": "tests/system/test_sam_cli.py",
    "eval": "it needs the AWS CLI 2 and a profile",
    "npm install": "it asks a registry; tests/system/test_samples.py has the same package from a lock",
    "pip install": "it asks an index; tests/system/test_samples.py has the same packages from a lock",
    "node events/samples/caller.mjs": "tests/system/test_samples.py",
    ".venv/bin/python events/samples/caller.py": "tests/system/test_samples.py",
    "sh events/samples/caller.sh": "a test below runs it",
    "export AWS_REGION": "it sets variables alone",
    "uv python install": "it prepares a machine",
    "brew install": "it prepares a machine",
    "sudo apt install": "it prepares a machine",
    "xcode-select": "it prepares a machine",
    "wsl": "it prepares a machine",
}
"""The beginning of a command that no test runs as it stands, and why."""

IN_A_NEW_ACCOUNT = ('make deploy PARAMETERS="DefaultDataCenter', "make package", "make uninstall")
"""The commands that `test_the_first_deploy` runs, in this order."""

FENCE = re.compile(r"(?:^ *<!-- run by (\S+) -->\n)?^( *)```(\w*)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document. `runner`: the test file that runs it, if not this one's general test."""

    document: str
    runner: str
    language: str
    text: str


@cache
def blocks() -> list[Block]:
    return [
        Block(name, runner, language, dedent(text))
        for name in PAGES
        for runner, _, language, text in FENCE.findall((ROOT / name).read_text(encoding="utf-8"))
    ]


@cache
def in_sentences() -> dict[str, str]:
    """The commands in the sentences and tables of the documents, each with the first document that has it."""
    found: dict[str, str] = {}
    for name in PAGES:
        text = FENCE.sub("", (ROOT / name).read_text(encoding="utf-8"))
        for code in re.findall(r"`([^`\n]+)`", text):
            if PROGRAMS.match(re.sub(r"^([A-Z_]+=\S+ )+", "", code)):
                found.setdefault(code, name)
    return found


def lines_of(script: str) -> list[str]:
    """The commands of a block, each in one line and without its comment."""
    joined = re.sub(r" *\\\n *", " ", script)
    lines = (re.sub(r"(^|\s+)# .*$", "", line).rstrip() for line in joined.splitlines())
    return [line for line in lines if line]


def excuse(command: str) -> str:
    """The longest beginning of a command that is excused; empty for none."""
    return max((one for one in EXCUSED if command.startswith(one)), key=len, default="")


def is_mention(command: str) -> bool:
    """A command that leaves out what it is about, such as `make retry` or `make agent ID=…`."""
    return "…" in filled(command, dict.fromkeys(PLACEHOLDERS, "x")) or any(
        other != command and other.startswith(f"{command} ") for other in commands()
    )


@cache
def commands() -> list[str]:
    """Each command of the documents, one that is run and one that is not."""
    in_blocks = [line for block in blocks() if block.language == "sh" for line in lines_of(block.text)]
    return [*in_blocks, *in_sentences()]


def scripts() -> list[Any]:
    """The scripts of the general test: each block, and each command of a sentence, without what is excused."""
    whole = [
        (block.document, lines_of(block.text)) for block in blocks() if block.language == "sh" and not block.runner
    ]
    whole += [(document, [command]) for command, document in in_sentences().items() if not is_mention(command)]
    found: dict[str, str] = {}
    for document, lines in whole:
        kept = [line for line in lines if not excuse(line) and not line.startswith(IN_A_NEW_ACCOUNT)]
        found.setdefault("\n".join(kept), document)
    return [pytest.param(text, id=f"{document}: {text[:60]}") for text, document in found.items() if text]


# ----------------------------------------------------------------------------------------------------------- the runs


PLACEHOLDERS = (
    "ma_…",
    "<AlertsTopicArn of the outputs>",
    "<ChannelsSecretArn of the outputs>",
    "<its ARN>",
    '"routing_key": "…"',
)
"""Text of commands that a person replaces. The fixture `values` has what it stands for here."""


def filled(script: str, values: Mapping[str, str]) -> str:
    for placeholder, value in values.items():
        script = script.replace(placeholder, value)
    return script


def today(script: str) -> str:
    """The script with a span of time from yesterday until tomorrow."""
    for name, days in (("FROM", -1), ("TO", 1)):
        time = datetime.now(UTC) + timedelta(days=days)
        script = re.sub(rf"{name}=\d\S*Z", f"{name}={time:%Y-%m-%dT%H:%M:%SZ}", script)
    return script


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the project's, and that commands may write into."""
    folder = tmp_path_factory.mktemp("project")
    for path in ROOT.iterdir():
        if path.name not in (".git", ".sandbox.json", ".package", ".aws-sam", ".docs.html"):
            (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def own_stage() -> Iterator[Stage]:
    """A sandbox of these tests' own, because the commands change what is set up. Every policy is enforced."""
    with EmbeddedAws() as aws, Stage(aws) as stage:
        yield stage


@pytest.fixture(scope="module")
def values(own_stage: Stage, folder: Path) -> dict[str, str]:
    """Stand-ins for the placeholders: a refused agent of an account, ARNs, a key of a pager. A week is exported."""
    grant = own_stage.cronofy.grant("us", calendars=("cal_commands",))
    account = {"refresh_token": grant.refresh_token, "data_center": "us"}
    assert own_stage.api.put("/v1/accounts/commands", json=account).is_success
    path, start = "/v1/calendars/cal_commands/events", datetime.now(UTC) + timedelta(hours=2)
    own_stage.cronofy.faults.add("POST", path, status=404)
    event = {
        "event_id": uuid4().hex,
        "summary": "Board meeting",
        "start": f"{start:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{start + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        "meeting_agent": {"profile_id": "cronofy"},
    }
    url, headers = own_stage.stack.api_url + path, {"Cronofy-Account": "commands"}
    answer = httpx.post(url, json=event, headers=headers, timeout=40, trust_env=False)
    agent = answer.json()["agent"]["id"]
    assert wait_until(lambda: own_stage.read(agent).get("incidents"))
    export = today("make export FROM=0Z TO=0Z JOURNAL=week.jsonl")
    exported = run(export, folder, environment(own_stage.aws.url, own_stage.access_key))
    assert exported.returncode == 0, exported.stdout
    topic = own_stage.stack.outputs["AlertsTopicArn"]
    subscriptions = own_stage.stack.session.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return {
        "ma_…": agent,
        "<AlertsTopicArn of the outputs>": topic,
        "<ChannelsSecretArn of the outputs>": own_stage.stack.outputs["ChannelsSecretArn"],
        "<its ARN>": next(one["SubscriptionArn"] for one in subscriptions if one["SubscriptionArn"].startswith("arn:")),
        '"routing_key": "…"': f'"routing_key": "{own_stage.receivers.pagerduty.key}"',
    }


def environment(url: str, key: Mapping[str, str]) -> dict[str, str]:
    """The environment of a person's shell, without what belongs to the machine of the tests."""
    return {
        "PATH": os.pathsep.join([os.environ["PATH"], str(ROOT / ".venv-sam/bin")]),
        "HOME": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "SAM_CLI_TELEMETRY": "0",
        "SAM_CLI_POLL_DELAY": "0.1",
    }


INSTALLED = 'make() { command make -o .venv/.sandbox -o .venv/.dev -o .venv-sam/.sam %s"$@"; }\n'
"""The environments are those of the tests; an AWS CLI 1 reads another name than the CLI 2."""


def run(script: str, folder: Path, shell: Mapping[str, str], *, make: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script as a person pastes it. Questions, of which there are two, are answered."""
    script = f'{INSTALLED % make}aws() {{ AWS_DEFAULT_REGION=$AWS_REGION command aws "$@"; }}\n{script}'
    return subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env=dict(shell),
        input="client-1\nCRN_secret\n",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
        start_new_session=True,  # without a terminal, so that the secret is read from the input
    )


@pytest.mark.parametrize("script", scripts())
def test_a_command_of_the_documents_works(script: str, folder: Path, own_stage: Stage, values: dict[str, str]) -> None:
    """It ends well. A time in it becomes one of today; a deploy only checks its parameters, after the first one."""
    script = filled(today(script), values).replace("make deploy ", "make parameters ")
    if "channel-test" in script:
        own_stage.receivers.store(own_stage.stack, *own_stage.receivers.stored, more=[{"name": "bus", "kind": "topic"}])
    done = run(script, folder, environment(own_stage.aws.url, own_stage.access_key))
    assert done.returncode == 0, f"{script}\n{done.stdout}"


# ------------------------------------------------------------------------------------------------------ the first hour


def block_after(name: str, marker: str) -> str:
    """The text of the block that stands after a comment."""
    text = (ROOT / name).read_text(encoding="utf-8").partition(f"<!-- {marker} -->\n")[2]
    found = FENCE.search(text)
    assert found, marker
    return dedent(found[4])


def test_a_newcomer_gets_an_agent_by_a_signed_sample(folder: Path) -> None:
    """`make sandbox SIGNED=1`, then in another terminal the blocks of the documents, in their order."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE", "MFLAGS"))}
    file = folder / ".sandbox.json"
    recipe = ["bash", "-c", f"{INSTALLED % ''}make sandbox SIGNED=1"]
    with subprocess.Popen(recipe, cwd=folder, env=shell, stdout=subprocess.PIPE, start_new_session=True) as sandbox:
        try:
            assert wait_until(lambda: file.exists() or sandbox.poll() is not None, within=120)
            assert sandbox.poll() is None
            (folder / "event.json").write_text(
                '{"event_id": "today", "summary": "Today", "start": "2099-04-29T15:30:00Z", '
                '"end": "2099-04-29T16:00:00Z", "meeting_agent": {"profile_id": "cronofy"}}'
            )
            mine = [block.text for name in ("OPERATIONS.md", "README.md") for block in blocks_of(name)]
            script = "\nexport AWS_SESSION_TOKEN=\n".join(mine)
            done = run(script, folder, {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"})
            wrong = re.sub(r"\$\(at secret_access_key\)", "wrong", mine[0].partition("\nuntil")[0])
            refused = run(f"{wrong.rstrip('& ')}; true", folder, {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"})
        finally:
            os.killpg(sandbox.pid, signal.SIGINT)
            sandbox.communicate(timeout=60)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("requested: "), done.stdout
    assert "\nend: complete\n" in done.stdout
    assert re.search(r"^transcript: [1-9]\d* bytes$", done.stdout, re.MULTILINE)
    assert "meeting_agents.complete complete" in done.stdout
    assert '"state":"scheduled"' in done.stdout.replace(" ", "").rpartition("transcript")[2]  # the request of README.md
    assert "403" in refused.stdout
    assert not file.exists()


def blocks_of(name: str) -> list[Block]:
    return [block for block in blocks() if (block.document, block.runner) == (name, HERE)]


def test_the_first_deploy(aws: EmbeddedAws, folder: Path) -> None:
    """From `make deploy` in an account without anything, with the region under one name, until it is removed."""
    account = "000000000044"
    shell = environment(aws.url, {"access_key_id": account, "secret_access_key": "secret"})
    deploy, package, remove = (next(one for one in commands() if one.startswith(each)) for each in IN_A_NEW_ACCOUNT)
    done = run(deploy, folder, shell, make=f"ARCHITECTURE={ARCHITECTURE} ")
    assert done.returncode == 0, done.stdout
    shown = done.stdout[done.stdout.index("\nmeeting-agents in ") + 1 :]
    without_time = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")
    documented = block_after("OPERATIONS.md", "first deploy")
    assert without_time.sub("", shown) == without_time.sub("", documented)
    done = run(package, folder, shell, make=f"ARCHITECTURE={ARCHITECTURE} ")
    assert done.returncode == 0, done.stdout
    assert (folder / ".package/DEPLOY.md").exists()
    done = run(remove, folder, shell, make="YES=1 ")  # no one can be asked here
    assert done.returncode == 0, done.stdout
    stacks = aws.session(account).client("cloudformation")

    def left() -> list[str]:
        found = stacks.list_stacks(StackStatusFilter=["CREATE_COMPLETE", "UPDATE_COMPLETE"])["StackSummaries"]
        return [stack["StackName"] for stack in found]

    assert wait_until(lambda: left() == ["aws-sam-cli-managed-default"] or None)  # the bucket, as the document says


# ------------------------------------------------------------------------------------------------------ what is not run


def test_every_block_has_a_language() -> None:
    """So that commands are known from what they print."""
    assert [(block.document, block.text[:40]) for block in blocks() if block.language not in LANGUAGES] == []


def test_every_block_with_a_runner_is_run_by_it() -> None:
    """The file reads the block by its comment, or is this one."""
    for block in blocks():
        if block.runner:
            text = (ROOT / block.runner).read_text(encoding="utf-8")
            assert block.runner == HERE or f"<!-- run by {block.runner} -->" in text, block.runner


def test_every_excuse_is_needed_and_names_tests_that_exist() -> None:
    used = {excuse(command) for command in commands()}
    assert [one for one in EXCUSED if one not in used] == []
    named = [path for reason in EXCUSED.values() for path in re.findall(r"tests/[\w/]+\.py", reason)]
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("command", [one for one in in_sentences() if is_mention(one) and not excuse(one)])
def test_a_command_that_is_only_mentioned_is_run_elsewhere(command: str) -> None:
    """Its program, its target or its operation is that of a command that is run."""
    name = " ".join(word for word in command.split() if "…" not in word and not re.match(r"[A-Z_]+=", word))
    name = re.sub(r' ?PARAMETERS=.*| ?[A-Z]+="[^"]*$', "", name)
    others = [one for one in commands() if one != command and not is_mention(one) and f"{one} ".startswith(f"{name} ")]
    assert others, command


@cache
def dry_run(*arguments: str) -> str:
    outer = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")  # `make test` is a make, too
    shell = {name: value for name, value in os.environ.items() if name not in outer}
    done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


MAKE = [
    (target, rest) for one in commands() for target, rest in re.findall(r"^(?:[A-Z_]+=\S+ )*make ([a-z-]+)(.*)", one)
]


@pytest.mark.parametrize(("target", "rest"), sorted(set(MAKE)))
def test_every_target_exists_and_reads_each_variable(target: str, rest: str) -> None:
    """With another value the recipe is another one, or the module that it runs reads the name."""
    names = {*re.findall(r"\b([A-Z_]+)=", re.sub(r'"[^"]*"', "", rest))}
    given = {name: f"{name}={'prod' if name == 'ENVIRONMENT' else 'marked'}" for name in names}
    recipe = dry_run(target, *given.values())
    modules = re.findall(r"-m tests\.(\w+)", recipe)
    sources = [path.read_text(encoding="utf-8") for one in modules for path in (ROOT / "tests" / one).rglob("*.py")]
    for name in names:
        others = (pair for other, pair in given.items() if other != name)
        assert dry_run(target, *others) != recipe or any(f'"{name}"' in source for source in sources), name


def parameters() -> list[tuple[str, str]]:
    """Each parameter of the template that a command sets, with its value."""
    given = [pairs for one in commands() for pairs in re.findall(r'PARAMETERS="([^"]*)"', one)]
    given += [pairs for one in commands() for pairs in re.findall(r'WITH="([^"]*)"', one)]
    return sorted({tuple(pair.split("=", 1)) for pairs in given for pair in pairs.split() if "=" in pair})


@pytest.mark.parametrize(("name", "value"), [pair for pair in parameters() if pair[0] != "Name"])
def test_every_parameter_exists_and_permits_its_value(name: str, value: str) -> None:
    parameter = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))["Parameters"][name]
    assert value in map(str, parameter.get("AllowedValues", [value]))
    assert re.fullmatch(parameter.get("AllowedPattern", ".*"), value)
    if parameter["Type"] == "Number":
        assert parameter.get("MinValue", 0) <= float(value) <= parameter.get("MaxValue", float("inf"))
