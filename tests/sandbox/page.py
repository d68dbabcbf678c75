"""The overview in a browser on this machine: CloudWatch's part, which shows the widget and binds its buttons.

The HTML is the deployed function's own, the same as on the dashboard of CloudWatch.
"""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

import boto3

from tests.sandbox.deployment import Stack
from tests.sandbox.loopback import LoopbackServer

SHELL = Path(__file__).with_suffix(".html")
REFRESH_SECONDS = 3.0
MAX_BODY_BYTES = 100_000


class LocalPage:
    """A context manager: a server on a free port of the loopback interface.

    `functions`: the ARNs of the functions that the page may call; `reading` shows the overview.
    """

    def __init__(self, session: boto3.Session, functions: Mapping[str, str], refresh_seconds: float) -> None:
        self._lambda = session.client("lambda")
        self._functions = set(functions.values())
        shell = SHELL.read_text(encoding="utf-8").replace("{{refresh}}", str(refresh_seconds))
        self._shell = shell.replace("{{reading}}", functions["reading"]).encode()
        self._server = LoopbackServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @classmethod
    def of(cls, stack: Stack, refresh_seconds: float = REFRESH_SECONDS) -> Self:
        """Make the page of a deployed stack."""
        functions = stack.session.client("lambda")
        names = {"reading": stack.functions["widget"], "writing": stack.functions["button"]}
        arns = {
            part: functions.get_function_configuration(FunctionName=name)["FunctionArn"] for part, name in names.items()
        }
        return cls(stack.session, arns, refresh_seconds)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, endpoint: str, payload: Mapping[str, Any]) -> str:
        """Invoke a function as CloudWatch does with its viewer's permissions; RuntimeError if it fails."""
        if endpoint not in self._functions:
            raise LookupError("the page may not call this function")
        response = self._lambda.invoke(FunctionName=endpoint, Payload=json.dumps(payload).encode())
        content: str = json.loads(response["Payload"].read())
        if "FunctionError" in response:
            raise RuntimeError(f"the function failed: {content}")
        return content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self._answer(200, "text/html; charset=utf-8", page._shell)
                else:
                    self._answer(404, "text/plain", b"not found")

            def do_POST(self) -> None:
                # Another site's page can neither name this host nor send JSON here without being asked first.
                is_ours = self.headers.get("Host") == page.url.removeprefix("http://")
                length = int(self.headers.get("Content-Length", 0))
                if not is_ours or self.headers.get("Content-Type") != "application/json" or length > MAX_BODY_BYTES:
                    self._answer(403, "text/plain", b"only the page itself may call")
                    return
                try:
                    request = json.loads(self.rfile.read(length))
                    html = page.invoke(request["endpoint"], request["payload"])
                except Exception as error:  # noqa: BLE001 - the page shows it
                    self._answer(502, "text/plain; charset=utf-8", str(error).encode())
                    return
                self._answer(200, "application/json", json.dumps(html).encode())

            def _answer(self, status: int, content_type: str, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
                """Write no log: the terminal tells the story."""

        return Handler
