"""The real SAM CLI builds and deploys the template, and what the sandbox does in its stead is the same."""

import filecmp
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from tests.sandbox.deployment import ARCHITECTURE, ROOT, Stack, build, default_functions
from tests.sandbox.embedded_aws import REGION, EmbeddedAws

SAM = Path(os.environ.get("SAM_CLI", ROOT / ".venv-sam/bin/sam"))
ACCOUNT = "000000000002"


def sam(folder: Path, *arguments: str, **environment: str) -> None:
    """Run the SAM CLI on the project, apart from its user's AWS account; what it keeps is kept in the folder."""
    settings = folder / "settings"
    settings.mkdir(exist_ok=True)
    (settings / "metadata.json").write_text(
        json.dumps({"lastVersionCheck": time.time()})
    )  # or it would ask the network
    ran = subprocess.run(
        [SAM, *arguments, "--parameter-overrides", f"Architecture={ARCHITECTURE}"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        | {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),  # the runtime's python3.13
            "ARCHITECTURE": ARCHITECTURE,
            "SAM_CLI_TELEMETRY": "0",
            "TMPDIR": str(folder),  # where it leaves folders behind
            "__SAM_CLI_APP_DIR": str(settings),
        }
        | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sam")


@pytest.fixture(scope="module")
def built_by_sam(folder: Path) -> Path:
    sam(folder, "build", "--build-dir", str(folder / "build"))
    return folder / "build"


@pytest.fixture(scope="module")
def deployed_by_sam(folder: Path, built_by_sam: Path) -> Iterator[Stack]:
    with EmbeddedAws() as aws:
        sam(
            folder,
            *("deploy", "--template-file", str(built_by_sam / "template.yaml"), "--stack-name", "by-sam"),
            *("--config-file", str(ROOT / "samconfig.toml"), "--no-progressbar"),
            AWS_ENDPOINT_URL=aws.url,
            AWS_ACCESS_KEY_ID=ACCOUNT,
            AWS_SECRET_ACCESS_KEY="secret",
            AWS_DEFAULT_REGION=REGION,
            SAM_CLI_POLL_DELAY="0.1",
        )
        yield Stack("by-sam", "", aws.session(ACCOUNT))


def files(built: Path) -> set[str]:
    artifacts = [path for path in built.iterdir() if path.is_dir()]
    return {str(path.relative_to(built)) for artifact in artifacts for path in artifact.rglob("*") if path.is_file()}


def test_sam_builds_byte_for_byte_what_the_sandbox_builds(built_by_sam: Path) -> None:
    """Bytecode included: the layer's recipe makes the same from the same."""
    built = build()
    assert files(built_by_sam) == files(built)
    _, different, unreadable = filecmp.cmpfiles(built_by_sam, built, files(built), shallow=False)
    assert not different + unreadable


def test_sam_writes_the_template_that_the_sandbox_writes(built_by_sam: Path) -> None:
    ours, theirs = (yaml_parse((built / "template.yaml").read_text()) for built in (build(), built_by_sam))
    assert theirs == ours


def test_sam_deploys_functions_that_answer(deployed_by_sam: Stack) -> None:
    functions = deployed_by_sam.session.client("lambda")
    assert set(deployed_by_sam.functions) == default_functions()
    for name in ("sweep", "webhook"):
        event = min((ROOT / "events" / name).glob("*.json")).read_bytes()
        answer = functions.invoke(FunctionName=deployed_by_sam.functions[name], Payload=event)
        assert "FunctionError" not in answer, answer["Payload"].read().decode()
