"""The services around the functions, driven step by step: they invoke a function, and retry as they would on AWS."""

import base64
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

from tests.sandbox.deployment import Stack
from tests.sandbox.embedded_aws import EmbeddedAws, moved_clock

_PROCESS = Path(__file__).with_name("process.py")
MAX_ATTEMPTS = 4
"""Attempts of a caller, of Cronofy, a stream or a queue."""
RETRY_LATER = (409, 429)
"""Answers after which a caller retries later: request in progress, too many requests."""
AGAIN = "Nothing is lost: try again"
"""The words in a button's answer after which its viewer presses it again."""
RETRY_SECONDS = 30.0
"""Time until a caller retries after such an answer."""
MAX_PARTIAL_FAILURES = 5
"""Partly failed batches, for each attempt, before the platform gives up."""


@dataclass(frozen=True)
class Fault:
    """A fault of one outside call: `call` of the `invocation`-th invocation of a function, both from 0."""

    function: str
    invocation: int
    call: int
    how: str
    """refused, lost (it took effect, its answer did not come), killed before, killed after."""


type Order = Callable[[list[dict[str, Any]], int], list[list[dict[str, Any]]]]
"""Makes the batches in which the stream's records are handed over, of at most so many; a record in none waits."""


def in_order(records: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """Keep the order of writing, which Lambda does not promise: it keeps only the order of each item."""
    return [list(batch) for batch in batched(records, size, strict=False)]


def newest_first(records: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """Make a batch of each record, the newest first."""
    return [[record] for record in reversed(records)]


def oldest_last(records: list[dict[str, Any]], size: int) -> list[list[dict[str, Any]]]:
    """Make a batch of each record, the newest first; the oldest of each agent waits until `catch_up`."""
    oldest = {record["dynamodb"]["Keys"]["pk"]["S"]: record for record in reversed(records)}
    return [[record] for record in reversed(records) if record not in oldest.values()]


def shuffled(seed: int) -> Order:
    """Make a batch of each record, in a random order that is the same every time."""
    chance = random.Random(seed)
    return lambda records, size: [[record] for record in chance.sample(records, len(records))]


FAULT_TYPES = ("refused", "lost", "killed before", "killed after")


@dataclass
class Invocation:
    """One run of a function, and its outside calls."""

    function: str
    event: dict[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, Any]] = field(default_factory=list)
    """Each answer of AWS, retries included: status, milliseconds, and DynamoDB's consumed units."""
    answer: Any = None
    error: str = ""
    """Why it ended without an answer."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of processor time, of each event."""
    peak: int = 0
    """Kilobytes of memory at the most."""


class Function:
    """A function's process, and the file that it prints to."""

    def __init__(self, name: str, folder: Path, layer: Path, environment: dict[str, str], log: Path) -> None:
        self.name, self.environment, self.log = name, environment, log
        read, write = os.pipe()
        with log.open("ab") as prints:
            self._process = subprocess.Popen(
                [python(), "-I", "-S", "-B", str(_PROCESS), str(folder), str(layer), str(write)],
                env=environment,
                pass_fds=[write],
                stdin=subprocess.PIPE,
                stdout=prints,
                stderr=subprocess.STDOUT,
                text=True,
            )
        os.close(write)
        self._reports = os.fdopen(read)
        if not self._reports.readline():
            self.end()
            raise RuntimeError(f"{name} cannot be imported:\n{log.read_text()}")

    def invoke(self, event: dict[str, Any], fault: Fault | None = None, **options: Any) -> Invocation:
        """Invoke the function in a fresh process."""
        request: dict[str, Any] = {"event": event, "log": str(self.log), **options}
        if fault:
            request["fault"] = {"call": fault.call, "how": fault.how}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        done = Invocation(self.name, event, error="it was killed")
        for line in map(json.loads, self._reports):
            match line:
                case {"call": call}:
                    done.calls.append(call)
                case {"answered": answered}:
                    done.answered.append(answered)
                case {"answer": answer, "cpu": cpu, "peak": peak}:
                    done.answer, done.error, done.cpu, done.peak = answer, "", cpu, peak
                case {"error": error}:
                    done.error = error
                case {"ended": _}:
                    return done
        raise RuntimeError(f"{self.name} ended:\n{self.log.read_text()[-3000:]}")

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()
        self._reports.close()


class Platform:
    """A deployed stack whose functions run here. Streams and queues wait until `settle`.

        with Platform(aws, stack, built) as platform:
            platform.request("POST", "/v1/calendars/cal_1/events", {...}, {"cronofy-authorization": "Bearer ..."})
            platform.settle()

    A `fault` strikes once; `invocations` are all runs since the last `forget`.
    """

    def __init__(self, aws: EmbeddedAws, stack: Stack, built: Path, settings: Mapping[str, str] | None = None) -> None:
        """`settings` replace environment variables of the functions."""
        self.aws, self.stack, self.built = aws, stack, built
        self.fault: Fault | None = None
        self.repeats = MAX_ATTEMPTS
        self.order: Order = in_order
        self.invocations: list[Invocation] = []
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, list[dict[str, Any]]] = {}
        self._positions: dict[str, list[str]] = {}
        self._queue_urls: dict[str, str] = {}
        self._clients: dict[str, Any] = {}
        self._settings = settings or {}
        self._open = ExitStack()
        self.template: dict[str, Any] = json.loads((built / "template.yaml").read_text(encoding="utf-8"))

    def client(self, service: str) -> Any:
        """A client of the harness, cached because making one takes longer than most calls."""
        if service not in self._clients:
            self._clients[service] = self.stack.session.client(service)  # type: ignore[call-overload]
        return self._clients[service]

    def __enter__(self) -> Self:
        """Take over the functions: from here on the embedded AWS invokes none itself."""
        functions, events = self.client("lambda"), self.client("events")
        for rule in events.list_rules()["Rules"]:
            events.disable_rule(Name=rule["Name"])
        self._mappings = functions.list_event_source_mappings()["EventSourceMappings"]
        for mapping in self._mappings:
            functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="platform-")))
        self.logs = folder
        self.functions: dict[str, Function] = {}
        for name, physical in self.stack.functions.items():
            function = Function(
                name,
                self.built / self.logical(name),
                self.built / "SharedLayer",
                self.environment(physical),
                folder / name,
            )
            self.functions[name] = function
            self._open.callback(function.end)
        self._announced = self.stack.listen("LifecycleTopic")
        self._alerted = self.stack.listen("AlertsTopic")
        self.forget()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def logical(self, function: str) -> str:
        """The template's name of a function."""
        resources = self.template["Resources"]
        return str(next(name for name in resources if name.lower() == f"{function}function"))

    def environment(self, physical: str) -> dict[str, str]:
        """The environment that Lambda sets, with credentials of the function's own role."""
        session = self.stack.session
        deployed = session.client("lambda").get_function_configuration(FunctionName=physical)
        role = deployed["Role"]
        trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        session.client("iam").update_assume_role_policy(
            RoleName=role.rpartition("/")[2],
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )
        granted = session.client("sts").assume_role(RoleArn=role, RoleSessionName="platform")["Credentials"]
        return {
            **deployed["Environment"]["Variables"],
            "AWS_ACCESS_KEY_ID": granted["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": granted["SecretAccessKey"],
            "AWS_SESSION_TOKEN": granted["SessionToken"],
            "AWS_REGION": str(session.region_name),
            "AWS_DEFAULT_REGION": str(session.region_name),
            "AWS_ENDPOINT_URL": self.aws.url,
            "AWS_LAMBDA_FUNCTION_NAME": physical,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "TZ": ":UTC",
            **moved_clock(),
            **self._settings,
        }

    # --------------------------------------------------------------------------------------------------------- triggers

    def invoke(self, function: str, event: dict[str, Any]) -> Invocation:
        """Invoke once, with the fault if it is for this invocation."""
        fault = self.fault
        is_hit = fault and (fault.function, fault.invocation) == (function, self._counts[function])
        self._counts[function] += 1
        own = self.template["Resources"][self.logical(function)]["Properties"]
        remaining = {"remaining": 1000 * own["Timeout"]}
        done = self.functions[function].invoke(event, fault if is_hit else None, **remaining)
        self.invocations.append(done)
        return done

    def _until(self, function: str, event: dict[str, Any], is_done: Callable[[Invocation], bool]) -> Invocation:
        done = self.invoke(function, event)
        for _ in range(self.repeats - 1):
            if is_done(done):
                break
            done = self.invoke(function, event)
        if is_done(done):
            return done
        raise RuntimeError(f"{function} never succeeds: {done.error or done.answer}\n{self._log_tail(function)}")

    def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call the HTTP API, with retries while it answers 5xx or not at all; return the last answer."""
        function, event = self.http_event(method, path, body, headers or {})

        def is_answered(done: Invocation) -> bool:
            if done.answer and done.answer["statusCode"] in RETRY_LATER:
                self.age(RETRY_SECONDS)
                return False
            return not done.error and done.answer["statusCode"] < 500

        answer: dict[str, Any] = self._until(function, event, is_answered).answer
        return answer

    def http_event(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """The HTTP API's event for a request, and the function of its route. LookupError: no route."""
        plain, _, query = path.partition("?")
        for function, route, parameters, is_open in self._routes(method, plain):
            caller = {
                "iam": {
                    "accessKey": "AKIAIOSFODNN7EXAMPLE",
                    "accountId": "000000000001",
                    "callerId": "AIDACKCEVSQ6C2EXAMPLE",
                    "cognitoIdentity": None,
                    "principalOrgId": None,
                    "userArn": "arn:aws:iam::000000000001:user/caller",
                    "userId": "AIDACKCEVSQ6C2EXAMPLE",
                }
            }
            event = {
                "version": "2.0",
                "routeKey": route if route == "$default" else f"{method} {route}",
                "rawPath": plain,
                "rawQueryString": query,
                "headers": {"content-type": "application/json", **headers},
                "requestContext": {
                    "accountId": "000000000001",
                    "apiId": "api",
                    **({} if is_open else {"authorizer": caller}),
                    "domainName": "api.execute-api.eu-central-1.amazonaws.com",
                    "domainPrefix": "api",
                    "http": {
                        "method": method,
                        "path": plain,
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.1",
                        "userAgent": "platform",
                    },
                    "requestId": "request",
                    "routeKey": route if route == "$default" else f"{method} {route}",
                    "stage": "$default",
                    "time": "01/Jan/2026:00:00:00 +0000",
                    "timeEpoch": 1767225600000,
                },
                "pathParameters": parameters,
                "isBase64Encoded": False,
            }
            if query:
                pairs = (pair.partition("=") for pair in query.split("&"))
                event["queryStringParameters"] = {unquote(name): unquote(value) for name, _, value in pairs}
            if body is not None:
                event["body"] = body if isinstance(body, str) else json.dumps(body)
            return function, event
        raise LookupError(f"no route {method} {path}")

    def _routes(self, method: str, path: str) -> Iterator[tuple[str, str, dict[str, str], bool]]:
        """Iterate over the routes that fit; the one for anything else is the last."""
        given, default = path.split("/"), ""
        for function, event in self.events("HttpApi"):
            properties = event["Properties"]
            if "Path" not in properties:
                default = function
                continue
            route = properties["Path"].split("/")
            fits = all(r.startswith("{") or r == g for r, g in zip(route, given, strict=False))
            if properties["Method"].upper() == method and len(route) == len(given) and fits:
                parameters = {r[1:-1]: unquote(g) for r, g in zip(route, given, strict=True) if r.startswith("{")}
                is_open = properties.get("Auth", {}).get("Authorizer") == "NONE"
                yield function, properties["Path"], parameters, is_open
        if default:
            yield default, "$default", {}, False

    def events(self, kind: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
        """Each function with each of its events, by the template."""
        for name, resource in self.template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                for event in resource["Properties"].get("Events", {}).values():
                    if kind in event["Type"]:
                        yield name.removesuffix("Function").lower(), event

    @property
    def scheduled(self) -> list[str]:
        """The functions with a schedule."""
        return sorted({function for function, _ in self.events("Schedule")})

    def next_invocation(self, function: str) -> int:
        """The number of a function's next invocation, for a fault."""
        return self._counts[function]

    def tick(self, function: str) -> Any:
        """Invoke a function as its schedule does, and again if it fails."""
        event = {
            "version": "0",
            "id": "tick",
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": "000000000001",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "region": "eu-central-1",
            "resources": ["arn:aws:events:eu-central-1:000000000001:rule/clock"],
            "detail": {},
        }
        return self._until(function, event, lambda done: not done.error).answer

    @property
    def widgets(self) -> list[str]:
        """The functions without an event, which a dashboard calls."""
        return sorted(self.functions.keys() - {function for function, _ in self.events()})

    def view(self, function: str, **parameters: Any) -> Any:
        """Invoke a function as a dashboard or a button with parameters does, and again if it fails or asks for that."""
        context = {"dashboardName": "dashboard", "timezone": {"offsetISO": offset_at_noon()}}
        event = {"widgetContext": context} | parameters
        return self._until(function, event, lambda done: not done.error and AGAIN not in str(done.answer)).answer

    def settle(self) -> None:
        """Deliver all that waits in the stream and in the queues, until both are empty."""
        while sum(self._deliver(mapping) for mapping in self._mappings):
            pass

    def catch_up(self) -> None:
        """Deliver the records, too, that the order lets wait."""
        order, self.order = self.order, in_order
        self.settle()
        self.order = order

    def _deliver(self, mapping: Any) -> bool:
        """Deliver what waits at one event source; False if nothing did."""
        source, size = mapping["EventSourceArn"], mapping["BatchSize"]
        function = self._name(mapping["FunctionArn"])
        if ":dynamodb:" in source:
            waiting = self._waiting.get(mapping["UUID"], [])
            waiting += [record for record in self._streamed(source, mapping["UUID"]) if _passes(mapping, record)]
            batches = self.order(waiting, size)
            handed = [record for batch in batches for record in batch]
            self._waiting[mapping["UUID"]] = [record for record in waiting if record not in handed]
            for batch in batches:
                self._from_stream(function, batch)
            return bool(batches)
        url = self._queue_url(source)
        messages = self._received(url)
        for part in batched(messages, size, strict=False):
            self._from_queue(function, source, url, list(part))
        return bool(messages)

    def _from_stream(self, function: str, records: list[dict[str, Any]]) -> None:
        """Deliver a batch of the stream; Lambda goes on from the first record that failed."""
        while records:
            failed = self._failed(function, records)
            numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
            first = next((at for at, number in enumerate(numbers) if number in failed), len(records))
            records = records[first:]

    def _from_queue(self, function: str, arn: str, url: str, messages: list[Any]) -> None:
        """Deliver a batch of the queue; messages that failed are redelivered, the others deleted."""
        sqs = self.client("sqs")
        while messages:
            failed = self._failed(function, [_queue_record(message, arn) for message in messages])
            for message in messages:
                if message["MessageId"] not in failed:
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            messages = [message for message in messages if message["MessageId"] in failed]

    def _failed(self, function: str, records: list[dict[str, Any]]) -> set[str]:
        """The ids of the failed records of a batch. RuntimeError when failures do not end."""
        done = self._until(function, {"Records": records}, lambda done: not done.error)
        self._partial_failures += 1 if (failures := (done.answer or {}).get("batchItemFailures")) else 0
        if self._partial_failures > MAX_PARTIAL_FAILURES * self.repeats:
            raise RuntimeError(f"{function} never accepts its batch\n{self._log_tail(function)}")
        return {item["itemIdentifier"] for item in failures or ()}

    def _queue_url(self, arn: str) -> str:
        if arn not in self._queue_urls:
            self._queue_urls[arn] = self.client("sqs").get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        return self._queue_urls[arn]

    def _received(self, url: str) -> list[Any]:
        sqs = self.client("sqs")
        messages: list[Any] = []
        while batch := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=600, AttributeNames=["All"]
        ).get("Messages", []):
            messages += batch
        return messages

    def _streamed(self, arn: str, reader: str) -> list[dict[str, Any]]:
        """The stream's next records for a reader, at most 1,000 of each shard, as Lambda has them."""
        streams = self.client("dynamodbstreams")
        records: list[dict[str, Any]] = []
        for at, position in enumerate(self._positions[reader]):
            page = streams.get_records(ShardIterator=position, Limit=1000)
            self._positions[reader][at] = page["NextShardIterator"]
            records += [_stream_record(record, arn) for record in page["Records"]]
        return records

    def _ends_of_stream(self, arn: str) -> list[str]:
        """Iterators after what is in the stream, which a reader follows for the quarter of an hour that they live."""
        streams = self.client("dynamodbstreams")
        shards = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        latest = {"StreamArn": arn, "ShardIteratorType": "LATEST"}
        return [streams.get_shard_iterator(ShardId=each["ShardId"], **latest)["ShardIterator"] for each in shards]

    def _name(self, arn: str) -> str:
        return next(name for name, physical in self.stack.functions.items() if arn.endswith(f":{physical}"))

    # ---------------------------------------------------------------------------------------------------------- results

    @property
    def table(self) -> str:
        return self.stack.outputs["AgentsTableName"]

    @property
    def tables(self) -> list[str]:
        """Every table of the stack, by physical name."""
        resources = self.template["Resources"].items()
        return [
            self.stack.resources[name] for name, resource in resources if resource["Type"] == "AWS::DynamoDB::Table"
        ]

    def items(self, table: str = "") -> list[dict[str, Any]]:
        """Everything in a table, as DynamoDB writes it; the agents' unless another is named."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=table or self.table)
        return [dict(item) for page in pages for item in page["Items"]]

    def age(self, seconds: float) -> None:
        """Let time pass: each time in the tables within a day of now becomes so much earlier."""
        dynamodb = self.client("dynamodb")
        for table in self.tables:
            for item in self.items(table):
                dynamodb.put_item(TableName=table, Item=_aged(item, seconds))

    def expire(self, agent: str) -> None:
        """Let the journal of an agent expire. DynamoDB deletes it later."""
        for item in self.items():
            if item["pk"]["S"] == agent:
                self.client("dynamodb").put_item(TableName=self.table, Item=item | {"expires_at": {"N": "1"}})

    @property
    def archive(self) -> str:
        """The bucket of the archive; empty if the parameters create none."""
        return self.stack.outputs.get("ArchiveBucketName", "")

    def files(self) -> dict[str, bytes]:
        """The files in the archive."""
        s3 = self.client("s3")
        listed = s3.list_objects_v2(Bucket=self.archive).get("Contents", [])
        return {each["Key"]: s3.get_object(Bucket=self.archive, Key=each["Key"])["Body"].read() for each in listed}

    def _empty_archive(self) -> None:
        s3, bucket = self.client("s3"), {"Bucket": self.archive}
        for each in s3.list_multipart_uploads(**bucket).get("Uploads", []):
            s3.abort_multipart_upload(**bucket, Key=each["Key"], UploadId=each["UploadId"])
        listed = s3.list_object_versions(**bucket)
        for each in (*listed.get("Versions", []), *listed.get("DeleteMarkers", [])):
            s3.delete_object(**bucket, Key=each["Key"], VersionId=each["VersionId"], BypassGovernanceRetention=True)

    def announcements(self) -> list[dict[str, Any]]:
        """Messages of the lifecycle topic since the last call."""
        return [json.loads(message["Body"]) for message in self._drained(self._announced)]

    def alerts(self) -> list[str]:
        """Messages of the alerts topic since the last call, as a queue receives them."""
        return [str(message["Body"]) for message in self._drained(self._alerted)]

    def _drained(self, url: str) -> list[Any]:
        messages = self._received(url)
        for message in messages:
            self.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def printed(self, function: str = "") -> str:
        """The output of one function or of all: logs and metrics."""
        return "".join(
            path.read_text(errors="replace") for path in sorted(self.logs.iterdir()) if function in ("", path.name)
        )

    def _log_tail(self, function: str) -> str:
        return self.printed(function)[-3000:]

    def forget(self) -> None:
        """Empty the tables, the topics' listeners and the queues, and reset all counts."""
        dynamodb = self.client("dynamodb")
        for table in self.tables:
            keys = [key["AttributeName"] for key in dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]]
            for item in self.items(table):
                dynamodb.delete_item(TableName=table, Key={name: item[name] for name in keys})
        self._positions.clear()
        self._waiting.clear()
        for mapping in self._mappings:
            source = mapping["EventSourceArn"]
            if ":dynamodb:" in source:
                self._positions[mapping["UUID"]] = self._ends_of_stream(source)
            else:
                self._drained(self._queue_url(source))
        self._drained(self._announced)
        self._drained(self._alerted)
        if self.archive:
            self._empty_archive()
        self.invocations.clear()
        self._counts.clear()
        self._partial_failures = 0
        self.fault = None


def offset_at_noon() -> str:
    """The offset of a time zone in which no midnight is near."""
    return f"{12 - datetime.now(UTC).hour:+03d}:00"


def python() -> str:
    """The interpreter without this project's environment."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)


def _aged(value: Any, seconds: float) -> Any:
    if isinstance(value, dict):
        return {name: _aged(part, seconds) for name, part in value.items()}
    if isinstance(value, list):
        return [_aged(part, seconds) for part in value]
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return value
    if value[4] == "-":
        at = datetime.fromisoformat(value)
        return _stamp(at - timedelta(seconds=seconds)) if abs(at.timestamp() - time.time()) < _DAY_SECONDS else value
    return f"{float(value) - seconds:.3f}" if abs(float(value) - time.time()) < _DAY_SECONDS else value


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|\d{10}(\.\d+)?")
_DAY_SECONDS = 86_400


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _passes(mapping: Any, record: dict[str, Any]) -> bool:
    filters = mapping.get("FilterCriteria", {}).get("Filters", [])
    return not filters or any(_matches(json.loads(rule["Pattern"]), record) for rule in filters)


def _matches(pattern: Any, value: Any) -> bool:
    """EventBridge's pattern language, as far as the template uses it: equality, prefix, exists."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(part, value.get(name)) for name, part in pattern.items())
    for condition in pattern:
        match condition:
            case {"prefix": str(start)}:
                if isinstance(value, str) and value.startswith(start):
                    return True
            case {"exists": expected}:
                if (value is not None) is expected:
                    return True
            case dict():
                raise NotImplementedError(f"the pattern {condition}")
            case _:
                if condition == value:
                    return True
    return False


def _stream_record(record: Any, arn: str) -> dict[str, Any]:
    def to_json(value: Any) -> Any:
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        if isinstance(value, dict):
            return {name: to_json(part) for name, part in value.items()}
        return [to_json(part) for part in value] if isinstance(value, list) else value

    change = {name: value for name, value in record["dynamodb"].items() if name != "ApproximateCreationDateTime"}
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "eventSourceARN": arn,
        "dynamodb": to_json(change)
        | {"ApproximateCreationDateTime": record["dynamodb"]["ApproximateCreationDateTime"].timestamp()},
    }


def _queue_record(message: Any, arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message.get("MD5OfBody", ""),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": "eu-central-1",
    }
