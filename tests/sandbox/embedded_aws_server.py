"""The process behind `EmbeddedAws`: ministack on a given socket, with corrections where it differs from AWS."""

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from zipfile import BadZipFile, LargeZipFile, ZipFile

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app as ministack  # type: ignore[import-untyped]
from ministack.core import iam_actions, iam_evaluator, lambda_runtime  # type: ignore[import-untyped]
from ministack.services import athena, dynamodb, lambda_svc, s3, sns  # type: ignore[import-untyped]
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]

# Requests to functions that run at once; the others wait their turn. Without a limit each of 50 senders at once gets a
# process of its own, and on two cores the last one waits 35 seconds for it to start.
CONCURRENT_REQUESTS = 8
LEAST_PART_BYTES = 5 * 1024 * 1024
"""The least size of each part of an upload but the last."""


def main(descriptor: int) -> None:
    """Serve on the listening socket until standard input ends."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    record_emails(Path(os.environ["TMPDIR"]) / "emails")
    require_confirmations(Path(os.environ["TMPDIR"]) / "confirmations")
    allow_batches()
    repeat_failed_entries()
    accept_sums()
    keep_tables()
    keep_archives()
    speak_tls()
    save_queries()
    finish_invocations()
    charge_reads_by_size()
    extract_once(Path(os.environ["TMPDIR"]) / "extracted")
    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.keep_alive_timeout = 75
    limit = asyncio.Semaphore(CONCURRENT_REQUESTS)

    async def limited(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/_aws/execute-api/"):
            async with limit:
                await ministack(scope, receive, send)
        else:
            await ministack(scope, receive, send)

    asyncio.run(serve(limited, config))  # type: ignore[arg-type]


def record_emails(file: Path) -> None:
    """Append each e-mail of SNS, which ministack only logs, to the file as a line of JSON."""
    fanout = sns._fanout

    def keeping(topic: str, id_: str, text: str, subject: str, structure: str = "", *more: Any, **options: Any) -> None:
        fanout(topic, id_, text, subject, structure, *more, **options)
        chosen = sns._resolve_message_for_protocol(text, structure, "email")
        for subscription in sns._topic_by_arn_any_scope(topic)["subscriptions"]:
            if subscription["protocol"] == "email" and subscription["confirmed"]:
                email = {"topic": topic, "to": subscription["endpoint"], "subject": subject, "text": chosen}
                with file.open("a", encoding="utf-8") as emails:
                    emails.write(json.dumps(email) + "\n")

    sns._fanout = keeping


def require_confirmations(file: Path) -> None:
    """Leave a subscription by e-mail pending until it is confirmed with its token; ministack confirms it at once.

    AWS mails the token; here each is a line of JSON in the file.
    """
    subscribe, create = sns._subscribe, provisioners._sns_sub_create

    def pend(topic_arn: str) -> None:
        topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
        for subscription in topic["subscriptions"]:
            if subscription["protocol"] == "email" and "is_mailed" not in subscription:
                subscription |= {"is_mailed": True, "confirmed": False, "token": str(uuid4())}
                email = {"topic": topic_arn, "to": subscription["endpoint"], "token": subscription["token"]}
                with file.open("a", encoding="utf-8") as confirmations:
                    confirmations.write(json.dumps(email) + "\n")

    def subscribing(params: Any) -> Any:
        answer = subscribe(params)
        pend(sns._p(params, "TopicArn"))
        return answer

    def creating(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        answer = create(logical_id, properties, stack)
        pend(properties["TopicArn"])
        return answer

    sns._subscribe = subscribing
    provisioners._sns_sub_create = creating
    provisioners._RESOURCE_HANDLERS["AWS::SNS::Subscription"]["create"] = creating


def allow_batches() -> None:
    """Treat a batch to a topic or queue as its single action, as AWS does: a batch is no action of its own."""
    extract = iam_actions.extract_iam_action

    def extracting(*request: Any, **options: Any) -> Any:
        action = extract(*request, **options)
        is_batch = isinstance(action, str) and action.startswith(("sns:", "sqs:"))
        return action.removesuffix("Batch") if is_batch else action

    iam_actions.extract_iam_action = extracting


def repeat_failed_entries() -> None:
    """Redeliver a stream's batch when the function reports failed entries, which ministack ignores."""
    execute = lambda_svc._execute_function

    def executing(function: Any, event: Any) -> Any:
        result = execute(function, event)
        records = event.get("Records") or [{}]
        is_from_stream = records[0].get("eventSource") == "aws:dynamodb" and "eventID" in records[0]
        if is_from_stream and not result.get("error"):
            body = result.get("body") or {}
            answer = body if isinstance(body, dict) else json.loads(body)
            if answer.get("batchItemFailures"):
                return {**result, "error": True, "body": {"errorType": "BatchItemFailures", **answer}}
        return result

    lambda_svc._execute_function = executing


def accept_sums() -> None:
    """Store an alarm on a sum of metrics, which ministack rejects, as one on the first of them."""
    describe = provisioners._cw_metric_alarm_record

    def describing(name: str, properties: dict[str, Any]) -> Any:
        summed = [metric["MetricStat"] for metric in properties.get("Metrics", []) if "MetricStat" in metric]
        if summed:
            alone = {"Period": summed[0]["Period"], "Statistic": summed[0]["Stat"], **summed[0]["Metric"]}
            properties = {key: value for key, value in properties.items() if key != "Metrics"} | alone
        return describe(name, properties)

    provisioners._cw_metric_alarm_record = describing


def keep_tables() -> None:
    """Update an imported table in place, and note each table's expiry and backups; ministack does neither.

    It would replace a table whose name it did not make itself. The expiry is never more than `ENABLING`: AWS deletes an
    expired item within days, and ministack's next look at it may be within a test.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    create, update = handlers["create"], handlers["update"]

    def note(name: str, properties: dict[str, Any]) -> None:
        if expiry := properties.get("TimeToLiveSpecification"):
            setting = {"TimeToLiveStatus": "ENABLING", "AttributeName": expiry["AttributeName"]}
            dynamodb._ttl_settings[name] = setting
        if backups := properties.get("PointInTimeRecoverySpecification"):
            dynamodb._update_continuous_backups({"TableName": name, "PointInTimeRecoverySpecification": backups})

    def creating(*request: Any) -> Any:
        name, attributes = create(*request)
        note(name, request[1])
        return name, attributes

    def updating(name: str, before: Any, after: Any, stack: str, logical_id: str | None = None) -> Any:
        own = {"TableName": name}
        result = update(name, own | before, own | after, stack, logical_id)
        if before != after:
            note(name, after)
        return result

    handlers |= {"create": creating, "update": updating}


def keep_archives() -> None:
    """Give a bucket its encryption and its Object Lock, which a template has, and lock and refuse as S3 does.

    ministack ignores both properties, locks no file that was uploaded in parts, and takes parts of any size:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    create, update, complete = handlers["create"], handlers["update"], s3._complete_multipart_upload

    def note(name: str, properties: dict[str, Any]) -> None:
        for rule in properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", []):
            how = rule["ServerSideEncryptionByDefault"]
            key = f"<KMSMasterKeyID>{how['KMSMasterKeyID']}</KMSMasterKeyID>" if "KMSMasterKeyID" in how else ""
            by_default = f"<SSEAlgorithm>{how['SSEAlgorithm']}</SSEAlgorithm>{key}"
            s3._put_bucket_encryption(
                name,
                f"<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>{by_default}"
                "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>".encode(),
            )
        if properties.get("ObjectLockEnabled") in (True, "true"):
            rule = properties.get("ObjectLockConfiguration", {}).get("Rule", {}).get("DefaultRetention")
            retention = {"Mode": rule["Mode"], "Days": int(rule["Days"])} if rule else None
            s3._bucket_object_lock[name] = {"enabled": True, "default_retention": retention}

    def creating(*request: Any) -> Any:
        name, attributes = create(*request)
        note(name, request[1])
        return name, attributes

    def updating(name: str, before: Any, after: Any, *rest: Any) -> Any:
        result = update(name, before, after, *rest)
        note(name, after)
        return result

    def completing(bucket: str, key: str, body: bytes, query: Any, headers: Any = None) -> Any:
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId")) or {"parts": {}}
        sizes = [part["size"] for _, part in sorted(upload["parts"].items())]
        if any(size < LEAST_PART_BYTES for size in sizes[:-1]):
            return s3._error("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size", 400)
        result = complete(bucket, key, body, query, headers)
        if result[0] == 200:
            s3._apply_object_lock_from_headers(bucket, key, {}, s3._buckets[bucket]["objects"][key].get("version_id"))
        return result

    handlers |= {"create": creating, "update": updating}
    s3._complete_multipart_upload = completing


def speak_tls() -> None:
    """Count a request on the loopback interface as one through TLS, which AWS's own clients always use."""
    resolve = iam_evaluator._resolve_condition_key

    def resolving(key: str, context: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolving


def save_queries() -> None:
    """Create the saved queries of Athena, a type of resource that ministack does not know."""

    def creating(logical_id: str, properties: dict[str, Any], stack: str) -> Any:
        body = json.loads(athena._create_named_query(properties)[2])
        return body["NamedQueryId"], {"NamedQueryId": body["NamedQueryId"]}

    def deleting(query_id: str, properties: dict[str, Any]) -> None:
        athena._delete_named_query({"NamedQueryId": query_id})

    provisioners._RESOURCE_HANDLERS["AWS::Athena::NamedQuery"] = {"create": creating, "delete": deleting}


def finish_invocations() -> None:
    """Let an invocation end on the code with which it began while its function is updated; ministack kills it."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    update, kill, current = handlers["update"], lambda_runtime.kill_workers, threading.local()

    def updating(*request: Any) -> Any:
        current.is_update = True
        try:
            return update(*request)
        finally:
            current.is_update = False

    def killing(workers: list[Any]) -> None:
        if getattr(current, "is_update", False):
            threading.Thread(target=kill_when_done, args=(workers,), daemon=True).start()
        else:
            kill(workers)

    def kill_when_done(workers: list[Any]) -> None:
        while any(worker.in_use for worker in workers):
            time.sleep(0.05)
        kill(workers)

    handlers["update"], lambda_runtime.kill_workers = updating, killing


def charge_reads_by_size() -> None:
    """Count the units of a read by the bytes that it reads; for ministack each query and each item is a small one.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html: a query is charged for
    all that it reads before its filter and its projection, each other read for whole items.
    """
    paginate, add, get_all = (
        dynamodb._paginate_evaluated_items,
        dynamodb._add_consumed_capacity,
        dynamodb._batch_get_item,
    )
    sizes: list[int] = []

    def paginating(items: Any, limit: Any, table: Any, index_name: Any = None) -> Any:
        page, has_more = paginate(items, limit, table, index_name)
        shown = (dynamodb._apply_index_projection(item, table, index_name) if index_name else item for item in page)
        sizes[:] = [dynamodb._item_size_bytes(item) for item in shown]
        return page, has_more

    def adding(result: Any, data: Any, table_name: str, write: bool = False, **more: Any) -> None:
        add(result, data, table_name, write=write, **more)
        if write or "ConsumedCapacity" not in result:
            return
        if "Key" in data:
            sizes[:] = [_size_of(table_name, data["Key"])]
        consumed = result["ConsumedCapacity"]
        for part in [consumed, consumed.get("Table", {}), *consumed.get("GlobalSecondaryIndexes", {}).values()]:
            if "CapacityUnits" in part:
                part["CapacityUnits"] *= _blocks(sum(sizes))

    def getting_all(data: Any) -> Any:
        status, headers, body = get_all(data)
        if status != 200 or data.get("ReturnConsumedCapacity", "NONE") == "NONE":
            return status, headers, body
        consumed = []
        for name, config in data["RequestItems"].items():
            blocks = sum(_blocks(_size_of(name, key)) for key in config["Keys"])
            units = blocks if config.get("ConsistentRead") else blocks / 2
            consumed.append({"TableName": name, "CapacityUnits": float(units)})
        return status, headers, json.dumps({**json.loads(body), "ConsumedCapacity": consumed}).encode()

    dynamodb._paginate_evaluated_items = paginating
    dynamodb._add_consumed_capacity = adding
    dynamodb._batch_get_item = getting_all


def _size_of(table_name: str, key: Any) -> int:
    item = dynamodb._get_item_by_key(dynamodb._tables[dynamodb._normalize_table_name(table_name)], key)
    return int(dynamodb._item_size_bytes(item or {}))


def _blocks(size: int) -> int:
    """Return the number of blocks of 4 KB, which is at least one."""
    return max(1, -(-size // 4096))


def extract_once(folder: Path) -> None:
    """Extract each zip into the folder once; ministack does it for every process, which takes longer than the start."""
    alone = threading.Lock()

    class Kept(ZipFile):
        def namelist(self) -> list[str]:
            """Return the names at the top only, because ministack checks each name's path on the disk."""
            return sorted({name.partition("/")[0] for name in super().namelist()})

        def extractall(self, path: Any = None, *_: Any, **__: Any) -> None:
            """Link to the extracted files."""
            tree = folder / sha256(Path(str(self.filename)).read_bytes()).hexdigest()
            with alone:
                if not tree.exists():
                    super().extractall(tree, self.infolist())
            for part in tree.iterdir():
                Path(path, part.name).symlink_to(part)

    lambda_runtime.zipfile = SimpleNamespace(ZipFile=Kept, BadZipFile=BadZipFile, LargeFileError=LargeZipFile)


def end_with_parent() -> None:
    """Wait for the end of the pipe from the parent, which comes even if it is killed, and remove all files."""
    sys.stdin.read()
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # the functions' processes too, a busy one included


if __name__ == "__main__":
    main(int(sys.argv[1]))
