"""microburst between the functions and the embedded AWS: throttling, resets, answers lost after the commit."""

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.sandbox.child_server import start_server

FAULTS: list[dict[str, Any]] = [
    {"service": "dynamodb", "probability": 0.04, "error": {"code": "ThrottlingException"}},
    {"service": "dynamodb", "probability": 0.02, "error": {"code": "InternalServerError"}},
    {"service": "sns", "probability": 0.04, "error": {"code": "Throttling"}},
    {"service": "secretsmanager", "probability": 0.04, "error": {"code": "InternalServiceError"}},
    {"service": "*", "probability": 0.02, "reset": True},
    {"service": "*", "probability": 0.02, "response": {"abort_frac": 0.3}},
]
"""Faults and their probabilities. A call with the last one has taken effect, but its answer is lost."""


class Proxy:
    """A context manager: it passes requests for `url` on to `upstream`, or fails them."""

    def __init__(self, upstream: str, folder: Path) -> None:
        self._upstream, self._log = upstream, folder / "microburst"

    def __enter__(self) -> Self:
        command = Path(sys.executable).with_name("microburst")
        self._process, port = start_server(
            lambda port: [str(command), "--upstream", self._upstream, "--host", "127.0.0.1", "--port", str(port)],
            lambda port: urllib.request.urlopen(f"http://127.0.0.1:{port}/_microburst/health", timeout=10).close(),
            self._log,
        )
        self.url = f"http://127.0.0.1:{port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def misbehave(self, faults: list[dict[str, Any]]) -> None:
        """Replace the faults; an empty list ends them."""
        self._control("rules", "POST", faults)

    def fired(self) -> list[dict[str, Any]]:
        """The faults that occurred."""
        faults: list[dict[str, Any]] = self._control("fired")
        return faults

    def _control(self, path: str, method: str = "GET", body: Any = None) -> Any:
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_microburst/{path}", method=method, data=content)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
