"""The server of all receivers, on the loopback interface."""

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from tests.sandbox.loopback import LoopbackServer
from tests.sandbox.receivers.chats import SlackBot, SlackWebhook, Teams
from tests.sandbox.receivers.pagers import Grafana, IncidentIo, Jira, PagerDuty, Rootly
from tests.sandbox.receivers.receiver import Answer, Receiver, Request
from tests.sandbox.receivers.signed import Signed


class Receivers:
    """A context manager: one of each kind."""

    def __init__(self) -> None:
        self.slack, self.slack_bot, self.teams = SlackWebhook(), SlackBot(), Teams()
        self.pagerduty, self.jira, self.grafana = PagerDuty(), Jira(), Grafana()
        self.incident_io, self.rootly, self.signed = IncidentIo(), Rootly(), Signed()
        self.by_host: dict[str, Receiver] = {host: each for each in self.all for host in each.hosts}

    @property
    def all(self) -> tuple[Receiver, ...]:
        return tuple(each for each in vars(self).values() if isinstance(each, Receiver))

    @property
    def url(self) -> str:
        """The address of the stack's parameter `ChannelsUrl`, without `/{host}`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def stored(self) -> dict[str, dict[str, Any]]:
        """Each channel as an operator stores it, by its name."""
        channels: list[dict[str, Any]] = [
            {"name": "team", "kind": "slack", "url": self.slack.address},
            {"name": "team-threads", "kind": "slack", "token": self.slack_bot.token, "channel": self.slack_bot.room},
            {"name": "office", "kind": "teams", "url": self.teams.address},
            {"name": "pager", "kind": "pagerduty", "routing_key": self.pagerduty.key},
            {"name": "desk", "kind": "jira", "api_key": self.jira.key},
            {"name": "irm", "kind": "grafana", "url": self.grafana.address},
            {"name": "io", "kind": "incident_io", "url": self.incident_io.address, "token": self.incident_io.token},
            {"name": "rootly", "kind": "rootly", "url": self.rootly.address, "token": self.rootly.token},
            {"name": "own", "kind": "https", "url": self.signed.address, "secrets": [self.signed.secret]},
        ]
        return {channel["name"]: channel for channel in channels}

    def store(self, stack: Any, *names: str, more: Sequence[dict[str, Any]] = ()) -> None:
        """Store these channels in the stack's secret, as an operator does, and `more` of them."""
        chosen = [*(self.stored[name] for name in names), *more]
        stack.session.client("secretsmanager").put_secret_value(
            SecretId=stack.outputs["ChannelsSecretArn"], SecretString=json.dumps(chosen)
        )

    def __enter__(self) -> Self:
        self._server = LoopbackServer(("127.0.0.1", 0), _handler(self.by_host))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(receivers: dict[str, Receiver]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            host, _, path = self.path.removeprefix("/").partition("/")
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver = receivers.get(host)
            request = Request(f"/{path}", headers, body)
            answer = receiver.answer(request) if receiver else Answer(404, "no such host")
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler
