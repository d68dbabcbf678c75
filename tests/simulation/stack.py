"""The deployed stack in a simulated month: the functions as they are, and what calls them.

The API and the callbacks come at once. The table's stream calls `track`, the queue of the lifecycle topic calls
`alert`, a schedule calls `sweep`. All of them deliver at least once, in any order, and again after an error.
"""

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
from aws_lambda_powertools.event_handler.api_gateway import BaseRouter
from botocore.exceptions import ClientError, ReadTimeoutError

from functions.alert import app as alert
from functions.provision import app as provision
from functions.sweep import app as sweep
from functions.track import app as track
from functions.webhook import app as webhook
from meeting_agents.aws.keys import GROUPS
from meeting_agents.cronofy.signature import HEADER, sign
from tests.simulation.expressions import Item, key_of
from tests.simulation.memory_aws import MemoryAws, MemorySession
from tests.simulation.scheduler import Scheduler

SECRET = "CRN_secret"
ACCOUNT = "123456789012"
MINUTE = 60.0
LONG_DELAY = 30.0
"""Seconds after which an entry that comes out of order holds up an alert about its agent."""
STREAM_DELAY = 0.4
"""Seconds from a write to the function that reads the stream."""
INDEX_DELAY, LONG_INDEX_DELAY = 0.3, 30.0
"""Seconds by which the index is behind the table, and at bad times."""
GROUPS_CHECKED_EVERY = 10
"""Minutes after which a sweep looks at the groups with a firing alert, even if nothing in them has changed."""
VISIBILITY_TIMEOUT, MAX_RECEIVED = 660.0, 12
"""The template's: of the alert queue."""
_ENTRY = "entry#"
_ID = re.compile(r'"id":"(?P<agent>[^".]+)\.(?P<key>[^"]+)"')


class Killed(BaseException):
    """The process of a function ended: nothing of it happens any more."""


@dataclass
class Invocation:
    """One call of a function."""

    function: str
    until: float
    request: Any = None
    """The API's current request, as Powertools keeps it for one invocation at a time."""
    is_dead: bool = False


@dataclass(frozen=True)
class Published:
    """A message that people got."""

    at: float
    content: Mapping[str, Any]


@dataclass
class Message:
    """A message of the alert queue."""

    id: str
    body: str
    visible_at: float = 0.0
    received: int = 0


@dataclass(frozen=True)
class Window:
    """A time in which a part of the world does not work: one of `PARTS`."""

    part: str
    since: float
    until: float

    def __contains__(self, at: float) -> bool:
        return self.since <= at < self.until


@dataclass
class Stack:
    """The functions and what is between them. `faults`: the faults of an agent's items, by the number of the call."""

    scheduler: Scheduler
    until: float
    """No sweep is called after this time."""
    windows: Sequence[Window] = ()
    faults: dict[str, dict[int, str]] = field(default_factory=dict)
    deliveries: dict[str, dict[int, float]] = field(default_factory=dict)
    """Extra seconds of the stream for an agent's entries, by their number; negative: it comes twice."""
    happened: Counter[str] = field(default_factory=Counter)
    alerts: list[Published] = field(default_factory=list)
    verdicts: dict[str, dict[str, str]] = field(default_factory=dict)
    """The verdict that was announced, by agent and entry."""
    disturbed: dict[str, list[float]] = field(default_factory=dict)
    """The times of faults, by agent; under an empty id those that concern all."""
    dead_letters: int = 0
    send: Callable[[Any], httpx.Response] = lambda _: httpx.Response(503)
    """Cronofy's API."""
    log: Callable[[str, str], None] = lambda _, __: None

    def __post_init__(self) -> None:
        self.session: MemorySession = MemoryAws().session(ACCOUNT)
        self._calls: Counter[str] = Counter()
        self._entries: Counter[str] = Counter()
        self._waiting: dict[str, list[str]] = {}
        self._queue: list[Message] = []
        self._sweeps: set[float] = set()
        self._current: Invocation | None = None
        self._numbers = itertools.count(1)
        self._are_groups_due = self._is_next_look_planned = False
        self._index_at = 0.0
        self._by_part: dict[str, list[Window]] = {}
        for window in self.windows:
            self._by_part.setdefault(window.part, []).append(window)

    def is_down(self, part: str) -> bool:
        """Return True if a part does not work now; each time that this meets something is counted."""
        now = self.scheduler.now
        for window in self._by_part.get(part, ()):
            if window.since <= now < window.until:
                self.happened[f"down: {part.partition(' ')[0]}"] += 1
                return True
        return False

    # ------------------------------------------------------------------------------------------------------ functions

    def call_api(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Call the API as a caller does; return the status and the response's JSON."""
        event = {
            "version": "2.0",
            "routeKey": "",
            "rawPath": path,
            "rawQueryString": "",
            "headers": dict(headers),
            "requestContext": {"domainName": "api", "stage": "$default", "http": {"method": method, "path": path}},
            "body": "" if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        response = self._invoke("provision", provision.handler, event, 29.0)
        if response is None:
            return 502, {}
        return response["statusCode"], json.loads(response["body"] or "{}")

    def call_back(self, path: str, query: Mapping[str, str], raw: bytes) -> int:
        """Deliver a callback of Cronofy's; return the status of the answer."""
        if self.is_down("aws"):
            return 503
        event = {
            "headers": {HEADER: sign(raw, [SECRET])},
            "body": raw.decode(),
            "isBase64Encoded": False,
            "pathParameters": {"agent_id": path.rpartition("/")[2]},
            "queryStringParameters": dict(query),
        }
        response = self._invoke("webhook", webhook.handler, event, 6.0)
        return response["statusCode"] if response else 502

    def plan_sweep(self, due_at: str) -> None:
        """Let the schedule call the sweep at the first full minute at which it finds something."""
        at = max(datetime.fromisoformat(due_at).timestamp(), self.scheduler.now + 0.001)
        minute = at - at % -MINUTE
        if minute not in self._sweeps and minute < self.until:
            self._sweeps.add(minute)
            self.scheduler.at(minute, self._sweep)

    def _sweep(self) -> None:
        self._sweeps.discard(self.scheduler.now)
        is_due = self.first_due() <= _iso(self.scheduler.now)
        if self.is_down("sweep") or self.is_down("aws"):
            self.plan_sweep(_iso(self.scheduler.now))
            return
        if is_due or self._are_groups_due:
            self._are_groups_due = False
            self._invoke("sweep", sweep.handler, {}, 55.0)
        self.scheduler.after(2 * INDEX_DELAY, lambda: self.plan_sweep(self.first_due()))

    def first_due(self) -> str:
        """Return the first time at which an agent is due."""
        due = self.session.dynamodb.tables["AgentsTable"].indexes["due"]
        return min((group[0][0] for group in due.sorted.values() if group), default=_iso(self.until))

    def look_at_groups(self) -> None:
        """Let the next sweep look at the groups with a firing alert: something in them has changed."""
        self._are_groups_due = True
        self.plan_sweep(_iso(self.scheduler.now))
        firing = self.session.dynamodb.tables["AgentsTable"].indexes["open"].sorted.get(key_of({"S": GROUPS}))
        if firing and not self._is_next_look_planned and self.scheduler.now < self.until:
            self._is_next_look_planned = True
            self.scheduler.after(GROUPS_CHECKED_EVERY * MINUTE, self._look_again)

    def _look_again(self) -> None:
        self._is_next_look_planned = False
        self.look_at_groups()

    def change_index(self, change: Callable[[], None]) -> None:
        """Let an index have a change a little later, in the order of the changes."""
        delay = LONG_INDEX_DELAY if self.is_down("index") else INDEX_DELAY
        self._index_at = max(self._index_at, self.scheduler.now + delay)
        self.scheduler.at(self._index_at, change)

    def _invoke(self, function: str, handler: Callable[..., Any], event: Any, seconds: float) -> Any:
        """Invoke a function; None if its process ended, or it raised an error."""
        before = self._current
        self._current = invocation = Invocation(function, self.scheduler.now + seconds)
        context = SimpleNamespace(
            function_name=function,
            memory_limit_in_mb=512,
            invoked_function_arn=f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{function}",
            aws_request_id="request",
            get_remaining_time_in_millis=lambda: (invocation.until - self.scheduler.now) * 1000,
        )
        try:
            return handler(event, context)
        except (Killed, Exception) as error:  # noqa: BLE001 - Lambda reports it, and calls again where it does so
            if isinstance(error, Exception):
                self.happened[f"error: {function} {type(error).__name__}"] += 1
                self.log("", f"{function} failed: {error!r}")
            if function == "sweep":
                self.disturbed.setdefault("", []).append(self.scheduler.now)
            return None
        finally:
            self._current = before

    def switch(self) -> Callable[[], None]:
        """Keep what belongs to an invocation while others run."""
        invocation, context = self._current, dict(provision.app.context)
        event: Any = getattr(BaseRouter, "current_event", None)

        def go_on() -> None:
            self._current = invocation
            BaseRouter.current_event = event
            provision.app.context.clear()
            provision.app.context.update(context)

        return go_on

    # ---------------------------------------------------------------------------------------------------------- faults

    def before(self, service: str, operation: str, sent: Mapping[str, Any]) -> None:
        """Let a call of AWS fail, or wait, if that is planned."""
        self._check_alive()
        if service == "dynamodb":
            if self.is_down("aws"):
                self._fail(operation)
            agent = _agent_of(sent)
            if plan := self.faults.get(agent):
                self._calls[agent] += 1
                fault = plan.get(self._calls[agent], "")
                if fault in ("throttled", "slow write", "killed before"):
                    self._happens(fault, agent, operation)
        elif service == "sns" and operation == "Publish" and self.is_down("sns"):
            self._fail(operation)

    def after(self, service: str, operation: str, sent: Mapping[str, Any]) -> None:
        """Let the answer to a call get lost, or the process end after it, if that is planned."""
        if service == "dynamodb" and (plan := self.faults.get(agent := _agent_of(sent))):
            fault = plan.get(self._calls[agent], "")
            if fault in ("answer lost", "killed after"):
                self._happens(fault, agent, operation)

    def _happens(self, fault: str, agent: str, operation: str) -> None:
        self.happened[f"aws: {fault}"] += 1
        self.disturbed.setdefault(agent, []).append(self.scheduler.now)
        function = self._current.function if self._current else ""
        self.log(agent, f"AWS: {fault}: {operation} of {function}")
        match fault:
            case "throttled":
                self._fail(operation)
            case "answer lost":
                raise ReadTimeoutError(endpoint_url="memory://aws")
            case "slow write":
                self.scheduler.sleep(1.5)
                self._check_alive()
            case _:
                if self._current:
                    self._current.is_dead = True
                raise Killed

    def _check_alive(self) -> None:
        """A function that is over its time limit, or whose process ended, does nothing more."""
        if self._current and (self._current.is_dead or self.scheduler.now > self._current.until):
            self._current.is_dead = True
            raise Killed

    def _fail(self, operation: str) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, operation)

    # ---------------------------------------------------------------------------------------------------------- stream

    def observe(self, table: str, item: Item) -> None:
        key = item["sk"]["S"] if "sk" in item else ""
        if not key.startswith(_ENTRY):
            return
        agent = item["pk"]["S"]
        self._entries[agent] += 1
        delay = self.deliveries.get(agent, {}).get(self._entries[agent], 0.0)
        if delay:
            self.happened["aws: stream doubled" if delay < 0 else "aws: stream out of order"] += 1
            self.scheduler.after(STREAM_DELAY + abs(delay), lambda: self._deliver(agent, [key]))
            if delay > LONG_DELAY:
                self.disturbed.setdefault(agent, []).append(self.scheduler.now)
            if delay > 0:
                return
        waiting = self._waiting.setdefault(agent, [])
        if not waiting:
            self.scheduler.after(STREAM_DELAY, lambda: self._deliver_waiting(agent))
        waiting.append(key)

    def _deliver_waiting(self, agent: str) -> None:
        self._deliver(agent, self._waiting.pop(agent))

    def _deliver(self, agent: str, keys: Sequence[str], pause: float = 1.0) -> None:
        records = [
            {
                "eventSource": "aws:dynamodb",
                "eventName": "INSERT",
                "dynamodb": {"Keys": {"pk": {"S": agent}, "sk": {"S": key}}, "SequenceNumber": str(number)},
            }
            for number, key in enumerate(keys)
        ]
        is_down = self.is_down("stream") or self.is_down("aws")
        response = None if is_down else self._invoke("track", track.handler, {"Records": records}, 60.0)
        if response is None or response["batchItemFailures"]:
            self.happened["aws: stream repeated"] += 1
            self.scheduler.after(pause, lambda: self._deliver(agent, keys, min(pause * 2, MINUTE)))

    # ----------------------------------------------------------------------------------------------------------- topics

    def published(self, message: Mapping[str, Any]) -> None:
        if message["TopicArn"] == "alerts":
            content = json.loads(json.loads(message["Message"])["default"])
            self.alerts.append(Published(self.scheduler.now, content))
            for agent in content["agents"]:
                self.log(agent["agent_id"], f"an alert is sent: {message['Subject']}")
            return
        attributes = message["MessageAttributes"]
        found = _ID.search(message["Message"])
        assert found, "an announcement has an id"
        self.verdicts.setdefault(found["agent"], {})[found["key"]] = attributes["verdict"]["StringValue"]
        if "alert" in attributes:
            self.queue(message["Message"])

    def queue(self, body: str) -> None:
        """Let the alert queue have a message."""
        message = Message(str(next(self._numbers)), body)
        self._queue.append(message)
        self._show(message, self.scheduler.now + 0.2)

    def _show(self, message: Message, at: float) -> None:
        """Let the queue hand over a message from a time on; the function is called after the group wait."""
        message.visible_at = at
        self.scheduler.at(at + float(os.environ["ALERT_GROUP_WAIT"]), self._hand_over)

    def _hand_over(self) -> None:
        batch = [message for message in self._queue if message.visible_at <= self.scheduler.now][:1000]
        if self.is_down("aws"):
            for message in batch:
                self._show(message, self.scheduler.now + MINUTE)
            return
        if not batch:
            return
        visibility, records, at = self.session.sqs.visibility, [], self.scheduler.now
        for message in batch:
            message.received += 1
            message.visible_at = float("inf")
            visibility.pop(message.id, None)
            count = {"ApproximateReceiveCount": str(message.received)}
            records.append(
                {"messageId": message.id, "receiptHandle": message.id, "attributes": count, "body": message.body}
            )
        response = self._invoke("alert", alert.handler, {"Records": records}, 60.0)
        failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]} if response else set()
        if response is None or failed:
            self.happened["aws: alerts handed over again"] += 1
            self.disturbed.setdefault("", []).append(at)
        for message in batch:
            if response is not None and message.id not in failed:
                self._queue.remove(message)
            elif message.received >= MAX_RECEIVED:
                self._queue.remove(message)
                self.dead_letters += 1
            elif message.id in visibility:
                self._show(message, self.scheduler.now + visibility[message.id])
            else:
                self._show(message, at + VISIBILITY_TIMEOUT)


def _agent_of(sent: Mapping[str, Any]) -> str:
    """Return the partition key of a call, if it is about one item or one query."""
    key = sent.get("Key") or sent.get("Item")
    if key is None:
        values = sent.get("ExpressionAttributeValues", {})
        key = {"pk": values[":pk"]} if ":pk" in values else {}
    partition: str = key["pk"]["S"] if "pk" in key else ""
    return partition


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
