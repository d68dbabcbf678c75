"""A release deploys from an empty folder, with the AWS CLI and the commands of its own `DEPLOY.md`."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from meeting_agents import VERSION
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
    """Every command of its document, word for word; then the functions answer, from the code of the package."""
    session = aws.session(ACCOUNT)
    text = (folder / "DEPLOY.md").read_text(encoding="utf-8")
    [secret] = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (folder / "secret.json").write_text(secret.replace("…", "x"), encoding="utf-8")
    script = "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL))
    assert script.count("aws ") == 6
    ran = subprocess.run(
        ["sh", "-euc", script],
        cwd=folder,
        env={
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    release = f"meeting-agents/{VERSION}-{ARCHITECTURE}/template.yaml"
    assert f"home?region={REGION}#/stacks/quickcreate?templateURL=https://my-releases.s3.{REGION}" in ran.stdout
    assert f"/{release}&stackName=meeting-agents&param_CodeBucket=my-releases\n" in ran.stdout
    session.client("s3").head_object(Bucket="my-releases", Key=release)  # where the console would read it
    assert re.search(r"^ApiUrl\thttps://", ran.stdout, re.MULTILINE)
    assert not (folder / "secret.json").exists()
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
