"""Cold starts: each function as built, in Lambda's own runtime client, beside a bare handler with the same clients."""

import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.measures import ratio, spread
from tests.bench.runtime_api import RuntimeApi
from tests.runtime.platform import Invocation, python
from tests.runtime.stories import STORIES, Scene

_HERE = Path(__file__).parent
BARE = _HERE / "bare"
_OTHERS = {"cronofy", "http"}
"""Services outside AWS that functions call."""
_RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")


def cold_starts(scene: Scene, rounds: int, functions: Collection[str] = ()) -> dict[str, Any]:
    """Milliseconds of import and clients, and until the first answer, with the ratios to the bare handler, by function.

    All variants alternate within a round, so that other load on the machine affects all alike. `functions`: only these.
    """
    firsts = first_invocations(scene)
    figures = {}
    with folders(scene.platform.built / "SharedLayer") as (runtime, layer, plain):
        for name, seen in sorted(firsts.items()):
            if functions and name not in functions:
                continue
            folder = scene.platform.built / scene.platform.logical(name)
            environment = scene.platform.functions[name].environment | clients(seen)
            bare = {"calls": calls(seen)}
            took: defaultdict[str, list[Start]] = defaultdict(list)
            for _ in range(rounds):
                for variant, code, packages, event in (
                    ("bare", BARE, layer, bare),
                    ("function", folder, layer, seen.event),
                    ("function without bytecode", folder, plain, seen.event),
                    ("bare without bytecode", BARE, plain, bare),
                ):
                    if "rawPath" in seen.event:  # others need the items that were there when they were called
                        scene.platform.forget()
                    took[variant].append(start(code, packages, runtime, environment, event))
            ready, processor, answered, whole = (
                {variant: [getattr(one, name) for one in starts] for variant, starts in took.items()}
                for name in ("ready", "processor", "answered", "whole")
            )
            figures[name] = {
                "ready_ms": {variant: spread(times) for variant, times in ready.items()},
                "answered_ms": {variant: spread(times) for variant, times in answered.items()},
                "ready_ratio": ratio(ready["function"], ready["bare"]),
                "ready_processor_ratio": ratio(processor["function"], processor["bare"]),
                "answered_ratio": ratio(answered["function"], answered["bare"]),
                "answered_processor_ratio": ratio(whole["function"], whole["bare"]),
                "without_bytecode_ratio": ratio(processor["function without bytecode"], processor["function"]),
                "costliest_imports_ms": _imports(folder, layer, runtime, environment, seen.event),
            }
    return figures


def first_invocations(scene: Scene) -> dict[str, Invocation]:
    """The first invocation of each function in the stories."""
    firsts: dict[str, Invocation] = {}
    scene.platform.forget()
    for story in STORIES.values():
        story(scene)
        for invocation in scene.platform.invocations:
            firsts.setdefault(invocation.function, invocation)
        if firsts.keys() == scene.platform.functions.keys():
            break
    return firsts


@dataclass(frozen=True)
class Start:
    """One cold start, in milliseconds."""

    ready: float
    """Import and clients, by the clock."""
    processor: float
    """The same, by the processor."""
    answered: float
    """From nothing to the first answer."""
    answering: float
    """From there to the first answer, by the processor."""
    answer: Any = field(repr=False)
    errors: str = field(repr=False)

    @property
    def whole(self) -> float:
        """Import, clients and the first answer, by the processor."""
        return self.processor + self.answering


def start(
    folder: Path, layer: Path, runtime: Path, environment: Mapping[str, str], event: dict[str, Any], *options: str
) -> Start:
    """Start the function in a new process and let it answer one event. RuntimeError if it does not."""
    with RuntimeApi(event) as api, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            [python(), "-I", "-S", "-B", *options, str(_HERE / "start.py"), str(folder), str(layer), str(runtime)],
            env={
                **environment,
                "AWS_LAMBDA_RUNTIME_API": api.address,
                "LAMBDA_TASK_ROOT": str(folder),
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_LOG_GROUP_NAME": "bench",
                "AWS_LAMBDA_LOG_STREAM_NAME": "bench",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        api.answered.wait(60)
        os.kill(process.pid, signal.SIGKILL)  # not by `kill`, which would take the exit of one that has ended
        assert process.stdout
        with process.stdout:
            output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        text = errors.read().decode(errors="replace")
        if not api.answer or api.answer[0] != "response":
            raise RuntimeError(f"no answer of {folder.name}: {api.answer}\n{output.decode()[-2000:]}\n{text[-2000:]}")
        ready, processor, so_far = json.loads(output.splitlines()[0])
        answering = (used.ru_utime + used.ru_stime) * 1000 - so_far
        return Start(ready, processor, (api.answered_at - began) * 1000, answering, api.answer[1], text)


def _imports(
    folder: Path, layer: Path, runtime: Path, environment: Mapping[str, str], event: dict[str, Any]
) -> dict[str, float]:
    """The ten modules whose own code takes longest to import, in milliseconds; the runtime client's do not count."""
    errors = start(folder, layer, runtime, environment, event, "-X", "importtime").errors
    lines = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", errors)
    own = [(int(microseconds) / 1000, module) for microseconds, module in lines]
    after = next((at for at, (_, module) in enumerate(own) if module == "awslambdaric.bootstrap"), 0)
    return {module: round(milliseconds, 1) for milliseconds, module in sorted(own[after + 1 :], reverse=True)[:10]}


@contextmanager
def folders(built: Path) -> Iterator[tuple[Path, Path, Path]]:
    """A copy of /var/runtime, the layer as built, and the layer without bytecode; all are read-only."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        runtime, layer, plain = (Path(folder) / name for name in ("runtime", "layer", "plain"))
        for distribution in _RUNTIME:
            for file in importlib.metadata.distribution(distribution).files or ():
                if ".." not in file.parts and ".dist-info" not in file.parts[0] and file.suffix != ".pyc":
                    target = runtime / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(str(file.locate()), target)
        subprocess.run([python(), "-m", "compileall", "-q", str(runtime)], check=True)
        shutil.copytree(built, layer)
        shutil.copytree(built, plain, ignore=shutil.ignore_patterns("__pycache__"))
        for path in Path(folder).rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        try:
            yield runtime, layer, plain
        finally:
            for path in [Path(folder), *Path(folder).rglob("*")]:
                if path.is_dir():
                    path.chmod(0o755)


def clients(seen: Invocation) -> dict[str, str]:
    services = sorted({call["service"] for call in seen.calls} - _OTHERS)
    return {"CLIENTS": json.dumps(services), "AWS_EC2_METADATA_DISABLED": "true", "PATH": os.defpath}


def calls(seen: Invocation) -> list[tuple[str, str, dict[str, Any]]]:
    """The function's AWS calls, for the bare handler to repeat."""
    calls = []
    for call in seen.calls:
        fields = {name: value for name, value in call["fields"].items() if name not in ("Action", "Version")}
        if call["operation"] == "Publish":
            fields = {name: fields[name] for name in ("TopicArn", "Message")}
        elif call["operation"] == "PublishBatch":
            texts = [value for name, value in fields.items() if name.endswith(".Message")]
            entries = [{"Id": str(number), "Message": text} for number, text in enumerate(texts)]
            fields = {"TopicArn": fields["TopicArn"], "PublishBatchRequestEntries": entries}
        if call["service"] not in _OTHERS:
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", call["operation"]).lower()
            calls.append((call["service"], name, fields))
    return calls
