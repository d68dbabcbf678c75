"""Lambda's Runtime API on the loopback interface: it serves one event and receives the response.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.sandbox.loopback import LoopbackServer


class RuntimeApi:
    """A context manager: `address` is for a runtime client; `answered` is set when it has answered."""

    def __init__(self, event: dict[str, Any]) -> None:
        self.event = json.dumps(event).encode()
        self.answered = threading.Event()
        self.requested_at = self.answered_at = 0.0
        self.answer: Any = None
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_GET(self) -> None:
                if api.requested_at:  # there is only one event
                    api.answered.wait()
                    self.close_connection = True
                    return
                api.requested_at = time.monotonic()
                self.send_response_only(200)
                for name, value in {
                    "Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-000000000000",
                    "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 30) * 1000)),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:000000000001:function:bench",
                    "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
                    "Content-Type": "application/json",
                    "Content-Length": str(len(api.event)),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(api.event)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.answered_at = time.monotonic()
                api.answer = (self.path.rpartition("/")[2], json.loads(body or b"null"))
                self.send_response_only(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.wfile.flush()
                api.answered.set()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        self._server = LoopbackServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.answered.set()
        self._server.shutdown()
        self._server.server_close()
