"""A release deploys from an empty folder, with the AWS CLI and the commands of its own `DEPLOY.md`."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from package import package
from tests.sandbox.deployment import ARCHITECTURE, ROOT, Stack, build, default_functions
from tests.sandbox.embedded_aws import REGION, EmbeddedAws

BIN = ROOT / ".venv-sam" / "bin"
ACCOUNT = "000000000007"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("release") / "package"
    package(build(), into, ARCHITECTURE)
    return into


def test_the_same_build_makes_the_same_package(folder: Path, tmp_path: Path) -> None:
    package(build(), tmp_path, ARCHITECTURE)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_the_package_deploys_with_its_own_commands(aws: EmbeddedAws, folder: Path) -> None:
    """The two commands of its document, word for word; then the functions answer, from the code of the package."""
    session = aws.session(ACCOUNT)
    session.client("s3").create_bucket(Bucket="releases", CreateBucketConfiguration={"LocationConstraint": REGION})
    text = (folder / "DEPLOY.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (aws (?:s3|cloudformation) .*(?:\n      .*)*)", text, re.MULTILINE)
    assert len(commands) == 2
    environment = {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "BUCKET": "releases",
        "AWS_ENDPOINT_URL": aws.url,
        "AWS_ACCESS_KEY_ID": ACCOUNT,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    for command in commands:
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout
    stack = Stack("meeting-agents", "", session)
    assert set(stack.functions) == default_functions()
    for name in ("sweep", "webhook"):
        event = min((ROOT / "events" / name).glob("*.json")).read_bytes()
        answer = session.client("lambda").invoke(FunctionName=stack.functions[name], Payload=event)
        assert "FunctionError" not in answer, answer["Payload"].read().decode()


def test_an_update_with_other_code_is_seen_by_cloudformation(folder: Path, tmp_path: Path) -> None:
    """Another code has another name, so that the resource changes."""
    built = tmp_path / "built"
    names = set()
    for text in ("one = 1\n", "one = 2\n"):
        (built / "code").mkdir(parents=True, exist_ok=True)
        (built / "code/app.py").write_text(text)
        template = {
            "Parameters": {"Architecture": {"Type": "String"}},
            "Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "code"}}},
        }
        (built / "template.yaml").write_text(json.dumps(template))
        package(built, tmp_path / "package", ARCHITECTURE)
        made = json.loads((tmp_path / "package/template.yaml").read_text())
        names.add(made["Resources"]["F"]["Properties"]["CodeUri"]["Key"]["Fn::Sub"])
    assert len(names) == 2
