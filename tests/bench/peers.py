"""Cold starts of receivers that are built in other ways, beside ours: the same notification, HMAC and write."""

import shutil
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.bench.cold_start import BARE, calls, clients, first_invocations, folders, start
from tests.bench.measures import ratio
from tests.runtime.platform import python
from tests.runtime.stories import Scene, notification
from tests.sandbox.deployment import ROOT
from tests.sandbox.stand_in import sign

RECEIVERS = Path(__file__).parent / "receivers"
PEERS = ("floor", "powertools", "fastapi")
LOCK = ROOT / "tests/requirements/peers.txt"


def peers(scene: Scene, rounds: int) -> dict[str, Any]:
    """Ratios of processor time until the first answer to that of the bare handler, by receiver and packages.

    RuntimeError if a receiver does not take the notification.

    layer    on this project's layer, trimmed and with bytecode, with its own packages beside its code
    shipped  on what SAM's own builder ships: the packages as they are, without bytecode
    """
    seen = first_invocations(scene)["webhook"]
    folder = scene.platform.built / scene.platform.logical("webhook")
    secrets = scene.cronofy.applications["us"].client_secrets
    body = notification("event-peers", "meeting_agent_activated")
    header = {"cronofy-hmac-sha256": sign(body.encode(), secrets), "content-type": "application/json"}
    event = scene.platform.http_event("POST", "/webhooks/cronofy/ma_peers", body, header)[1]
    environment = scene.platform.functions["webhook"].environment | clients(seen) | {"SECRET": secrets[0]}
    took: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    with folders(scene.platform.built / "SharedLayer") as (runtime, layer, _), packages(layer) as (ours, shipped):
        for _ in range(rounds):
            scene.platform.forget()
            took["bare", "layer"].append(start(BARE, layer, runtime, environment, {"calls": calls(seen)}).whole)
            took["webhook", "layer"].append(start(folder, layer, runtime, environment, seen.event).whole)
            for name in PEERS:
                for variant, receivers, installed in (("layer", ours, layer), ("shipped", RECEIVERS, shipped)):
                    scene.platform.forget()
                    answered = start(receivers / name, installed, runtime, environment, event)
                    if answered.answer["statusCode"] != HTTPStatus.OK:
                        raise RuntimeError(f"{name} does not take the notification: {answered.answer}")
                    took[name, variant].append(answered.whole)
    base = took.pop(("bare", "layer"))
    figures: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for (name, variant), times in took.items():
        figures[name][variant] = ratio(times, base)
    return dict(figures)


@contextmanager
def packages(layer: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the receivers with the packages that they need beside the layer, and a folder with all as installed."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        ours, shipped = Path(folder, "ours"), Path(folder, "shipped")
        install = [".venv/bin/uv", "pip", "install", "--quiet", "--require-hashes", "--target"]
        subprocess.run([*install, str(shipped / "python"), "--requirement", str(LOCK)], cwd=ROOT, check=True)
        shutil.copytree(RECEIVERS, ours)
        for path in (shipped / "python").iterdir():
            if path.is_dir() and not (layer / "python" / path.name).exists():
                shutil.copytree(path, ours / "fastapi" / path.name)
        subprocess.run([python(), "-m", "compileall", "-q", str(ours)], check=True)
        yield ours, shipped
