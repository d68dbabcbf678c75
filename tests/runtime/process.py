"""The process of one function, without this project's environment: `python -I -S -B process.py FOLDER LAYER REPORT`.

It imports the function once, then forks for each line of JSON on standard input: a fresh process without the price of
one. What a fork calls, and how it ends, goes to the descriptor REPORT as lines of JSON. The fields of a line:

    event      the argument of the handler
    log        the file for what the function prints
    fault      {"call": 3, "how": "lost"}: the fault of that outside call, counted from 0; or none
    remaining  milliseconds until the function's time limit
    events     instead of one event: one process handles them all, without the wire, so that the processor time of
               each is the function's own
"""

import json
import os
import resource
import signal
import sys
import time
from base64 import b64encode
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

FOLDER, LAYER, REPORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
ROOT_USER = "arn:aws:lambda:eu-central-1:000000000001:function:"


class Clock:
    """The process's clock, which skips waits (retries, leases, rate limits) unless time is measured."""

    skips = False
    skipped = 0.0
    wait, wall, steady = time.sleep, time.time, time.monotonic

    @classmethod
    def install(cls) -> None:
        """Replace the clock before anything of the function is imported, so that it has no other."""
        time.sleep, time.time, time.monotonic = cls.sleep, cls.time, cls.monotonic

    @classmethod
    def sleep(cls, seconds: Any) -> None:
        if cls.skips:
            cls.skipped += float(seconds)
        else:
            cls.wait(seconds)

    @classmethod
    def time(cls) -> float:
        return cls.wall() + cls.skipped

    @classmethod
    def monotonic(cls) -> float:
        return cls.steady() + cls.skipped


class Wire:
    """Passes every outside call on: each is reported, and the chosen one gets the fault."""

    def __init__(self, fault: dict[str, Any] | None) -> None:
        self.fault = fault
        self.calls: list[str] = []  # the identity of each call; its retries have the same

    def pass_on(self, identity: str, call: dict[str, Any], send: Any, refused: Exception, lost: Exception) -> Any:
        """Send, unless this call has the fault. A retried call stays one call, and its fault lasts."""
        is_retry = bool(self.calls) and self.calls[-1] == identity
        if not is_retry:
            self.calls.append(identity)
        here = self.fault is not None and self.fault["call"] == len(self.calls) - 1
        how = self.fault["how"] if self.fault and here else ""
        if not is_retry:
            report({"call": call})
        if how == "killed before":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "refused" or (how == "lost" and is_retry):
            raise refused
        answer = send()
        if how == "killed after":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "lost":
            raise lost
        return answer


def report(line: dict[str, Any]) -> None:
    os.write(REPORT, json.dumps(line).encode() + b"\n")


def prepare_clients() -> None:
    """Set timeouts and counting before anything of the function is imported, because it may make clients then."""
    http = import_module("botocore.httpsession").URLLib3Session
    sessions = import_module("botocore.session").Session
    create, begin = sessions.create_client, http.__init__

    def begun(session: Any, *arguments: Any, **named: Any) -> None:
        """Begin with a long timeout, because an emulator on a busy machine is slow; timeouts come from faults alone."""
        begin(session, *arguments, **named | {"timeout": 120})

    def create_client(session: Any, *arguments: Any, **named: Any) -> Any:
        client = create(session, *arguments, **named)
        if client.meta.service_model.service_name == "dynamodb":
            client.meta.events.register("provide-client-params.dynamodb.*", count_units)
        return client

    http.__init__, sessions.create_client = begun, create_client


def count_units(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any]:
    """Let DynamoDB return the units of each call, unless processor time is measured."""
    option = "ReturnConsumedCapacity"
    return params | {option: "INDEXES"} if Clock.skips and option in model.input_shape.members else params


def listen_to_aws(wire: Wire) -> None:
    """Put the wire below botocore."""
    http = import_module("botocore.httpsession").URLLib3Session
    exceptions = import_module("botocore.exceptions")
    original = http.send

    def send(session: Any, request: Any) -> Any:
        body = request.body or b""
        body = body if isinstance(body, bytes | str) else body.getvalue()
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        target = request.headers.get("X-Amz-Target", "")
        authorization = request.headers.get("Authorization", "")
        authorization = authorization.decode() if isinstance(authorization, bytes) else authorization
        target = target.decode() if isinstance(target, bytes) else target
        service = authorization.split("/")[3] if authorization.count("/") > 3 else ""
        if service == "s3":
            fields = files_of(request.url)
            operation = operation_of_s3(request.method, fields)
        else:
            fields = json.loads(text) if target else dict(parse_qsl(text))
            operation = target.rpartition(".")[2] or fields.get("Action", urlsplit(request.url).path)
        call = {"service": service, "operation": operation, "fields": fields, "bytes": len(body)}
        began = time.perf_counter()

        def sent() -> Any:
            response = original(session, request)
            content = json.loads(response.content) if target and response.content else {}
            consumed = content.get("ConsumedCapacity") if isinstance(content, dict) else None
            milliseconds = (time.perf_counter() - began) * 1000
            answered = {"consumed": consumed, "status": response.status_code, "ms": milliseconds}
            report({"answered": {"operation": operation, **answered}})
            return response

        identity = request.headers.get("amz-sdk-invocation-id", b"")
        return wire.pass_on(
            str(identity),
            call,
            sent,
            exceptions.EndpointConnectionError(endpoint_url=request.url),
            exceptions.ReadTimeoutError(endpoint_url=request.url),
        )

    http.send = send


def files_of(url: str) -> dict[str, str]:
    """Return the bucket, the key and the query of a request to S3, which is addressed by its path here."""
    parts = urlsplit(url)
    _, bucket, *key = parts.path.split("/", 2)
    return {"bucket": bucket, "key": unquote("".join(key)), **dict(parse_qsl(parts.query, keep_blank_values=True))}


def operation_of_s3(method: str, fields: dict[str, str]) -> str:
    """Return the name of an operation, which S3 has in no header."""
    operations = {
        ("GET", "uploads"): "ListMultipartUploads",
        ("GET", "versions"): "ListObjectVersions",
        ("GET", "list-type"): "ListObjectsV2",
        ("GET", "uploadId"): "ListParts",
        ("POST", "uploads"): "CreateMultipartUpload",
        ("POST", "uploadId"): "CompleteMultipartUpload",
        ("PUT", "uploadId"): "UploadPart",
        ("DELETE", "uploadId"): "AbortMultipartUpload",
    }
    names = (operations[method, name] for name in fields if (method, name) in operations)
    plain = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
    return next(names, "") or plain[method]


def listen_to_http(wire: Wire) -> None:
    """Put the wire below httpx: calls to Cronofy, by the address in the settings, and to others."""
    cronofy = os.environ.get("CRONOFY_URL", "-").partition("{host}")[0]
    httpx: Any = import_module("httpx")
    original = httpx.HTTPTransport.handle_request

    def handle_request(transport: Any, request: Any) -> Any:
        content = request.read()
        call = {
            "service": "cronofy" if str(request.url).startswith(cronofy) else "http",
            "operation": request.method,
            "fields": {"path": request.url.path, "body": content.decode(errors="replace")},
            "bytes": len(content),
        }
        # a retry repeats the request just before it
        return wire.pass_on(
            f"{request.method} {request.url} {b64encode(content).decode()}",
            call,
            lambda: original(transport, request),
            httpx.ConnectError("refused on purpose", request=request),
            httpx.ReadTimeout("lost on purpose", request=request),
        )

    httpx.HTTPTransport.handle_request = handle_request


def context(remaining: float) -> Any:
    """The documented part of Lambda's context object."""
    end = time.monotonic() + remaining / 1000
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "function")
    return SimpleNamespace(
        function_name=name,
        function_version="$LATEST",
        invoked_function_arn=ROOT_USER + name,
        memory_limit_in_mb="512",
        aws_request_id="00000000-0000-4000-8000-000000000000",
        log_group_name=f"/aws/lambda/{name}",
        log_stream_name="1",
        tenant_id=None,
        get_remaining_time_in_millis=lambda: max(0, int((end - time.monotonic()) * 1000)),
    )


def invoke(handler: Any, request: dict[str, Any]) -> None:
    """Run the handler once, in this process."""
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "events" not in request:
        Clock.skips = True
        wire = Wire(request.get("fault"))
        listen_to_aws(wire)
        listen_to_http(wire)
    cpu: list[float] = []
    answer = None
    try:
        for event in request.get("events") or [request["event"]]:
            began = time.process_time()
            answer = handler(event, context(request.get("remaining", 30_000)))
            cpu.append(time.process_time() - began)
    except Exception as error:  # noqa: BLE001 (any error fails the invocation, as in Lambda)
        report({"error": f"{type(error).__name__}: {error}", "cpu": cpu})
    else:
        report({"answer": answer, "cpu": cpu, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss})


def main() -> None:
    sys.path[:0] = [FOLDER, f"{LAYER}/python"]
    Clock.install()
    prepare_clients()
    app = import_module("app")
    if wiring := sys.modules.get("meeting_agents.wiring"):
        wiring.client_secrets.cache_clear()  # read anew in each invocation, so that the call can have a fault

    report({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            invoke(app.handler, request)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        report({"ended": os.waitstatus_to_exitcode(status)})


if __name__ == "__main__":
    main()
