"""AWS in memory: clients with the operations that the product calls, and the faults that a world puts before them."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from tests.simulation.memory_dynamodb import MemoryDynamoDb

type Observer = Callable[[str, str, Mapping[str, Any]], None]
"""Called before an operation with the service, the operation (`PutItem`) and what is sent; it may raise."""


@dataclass(eq=False)
class MemoryAws:
    """A whole AWS; each account is its own."""

    url: str = "memory://aws"
    _sessions: dict[str, "MemorySession"] = field(default_factory=dict)

    def session(self, account: str = "123456789012") -> "MemorySession":
        return self._sessions.setdefault(account, MemorySession())


class MemorySession:
    """The clients of one account; botocore's session and boto3's at once."""

    def __init__(self) -> None:
        self.dynamodb = MemoryDynamoDb()
        self.sqs = MemorySqs()
        self.sns = MemorySns(self.sqs)
        self._clients: dict[str, object] = {
            "dynamodb": self.dynamodb,
            "sqs": self.sqs,
            "sns": self.sns,
            "kms": MemoryKms(),
            "secretsmanager": MemorySecrets(),
        }
        self.before: Observer = lambda *_: None
        self.after: Observer = lambda *_: None

    def client(self, service: str, **_: Any) -> Any:
        """Return a client that calls nothing but the service."""
        return self._clients[service]

    def create_client(self, service: str, **_: Any) -> Any:
        """Return a client whose calls are observed, as botocore's session makes it."""
        return Observed(self, service, self._clients[service])

    def register(self, event: str, handler: Callable[..., None]) -> None:
        """Call a handler before each operation (botocore's event `before-send`), or after one (`needs-retry.…`)."""

        def observe(service: str, operation: str, _: Mapping[str, Any]) -> None:
            name = f"{event.partition('.')[0]}.{service}.{operation}"
            if name.startswith(event):
                handler(event_name=name, request=SimpleNamespace(url="memory://aws"))

        if event.startswith("before-send"):
            self.before = observe
        else:
            self.after = observe


class Observed:
    """A client whose operations are observed before and after they take place."""

    def __init__(self, session: MemorySession, service: str, client: object) -> None:
        self._session = session
        self._service = service
        self._client = client

    def __getattr__(self, name: str) -> Any:
        made = self._paginator if name == "get_paginator" else self._observed(name)
        self.__dict__[name] = made
        return made

    def _observed(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)
        operation = "".join(word.title() for word in name.split("_"))

        def observed(**sent: Any) -> Any:
            self._session.before(self._service, operation, sent)
            response = call(**sent)
            self._session.after(self._service, operation, sent)
            return response

        return observed

    def _paginator(self, name: str) -> Any:
        observed = getattr(self, name)
        return SimpleNamespace(paginate=lambda **sent: iter((observed(**sent),)))


class MemorySns:
    """Topics, with queues as subscribers. `published` is called with each message of `publish` and `publish_batch`."""

    def __init__(self, sqs: "MemorySqs") -> None:
        self._sqs = sqs
        self._queues: dict[str, list[str]] = {}
        self.confirmed = 1
        self.published: Callable[[Mapping[str, Any]], None] = lambda _: None

    def create_topic(self, Name: str) -> dict[str, str]:  # noqa: N803 - AWS's names
        return {"TopicArn": f"arn:aws:sns:eu-central-1:123456789012:{Name}"}

    def subscribe(self, TopicArn: str, Endpoint: str, **_: Any) -> None:  # noqa: N803
        self._queues.setdefault(TopicArn, []).append(Endpoint.rpartition(":")[2])

    def get_topic_attributes(self, TopicArn: str) -> dict[str, Any]:  # noqa: N803
        return {"Attributes": {"SubscriptionsConfirmed": str(self.confirmed)}}

    def publish(self, TopicArn: str, **message: Any) -> dict[str, Any]:  # noqa: N803
        self.published({"TopicArn": TopicArn, **message})
        for queue in self._queues.get(TopicArn, ()):
            self._sqs.send_message(QueueUrl=queue, MessageBody=message["Message"])
        return {}

    def publish_batch(self, TopicArn: str, PublishBatchRequestEntries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803
        for entry in PublishBatchRequestEntries:
            self.publish(TopicArn, **entry)
        return {"Failed": []}


class MemorySqs:
    """Queues; a message that is received stays until it is deleted. Their visibility timeouts are noted, not kept."""

    def __init__(self) -> None:
        self.queues: dict[str, dict[str, str]] = {}
        self.visibility: dict[str, int] = {}
        self.functions: dict[str, Callable[[str], None]] = {}
        """The takers of each message of a queue, in place of `receive_message`."""
        self._numbers = itertools.count()

    def create_queue(self, QueueName: str) -> dict[str, str]:  # noqa: N803 - AWS's names
        self.queues[QueueName] = {}
        return {"QueueUrl": QueueName}

    def set_queue_attributes(self, **_: Any) -> None:
        """Every queue takes what is sent to it."""

    def send_message(self, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        if take := self.functions.get(QueueUrl):
            take(MessageBody)
        else:
            self.queues.setdefault(QueueUrl, {})[str(next(self._numbers))] = MessageBody

    def receive_message(self, QueueUrl: str, MaxNumberOfMessages: int = 1, **_: Any) -> dict[str, Any]:  # noqa: N803
        messages = list(self.queues[QueueUrl].items())[:MaxNumberOfMessages]
        return {"Messages": [{"ReceiptHandle": handle, "Body": body} for handle, body in messages]} if messages else {}

    def delete_message(self, QueueUrl: str, ReceiptHandle: str) -> None:  # noqa: N803
        self.queues[QueueUrl].pop(ReceiptHandle)

    def change_message_visibility_batch(self, QueueUrl: str, Entries: Sequence[Mapping[str, Any]]) -> None:  # noqa: N803
        for entry in Entries:
            self.visibility[entry["ReceiptHandle"]] = entry["VisibilityTimeout"]


class MemoryKms:
    """A key that encrypts by writing the context beside the text; another context cannot decrypt it."""

    def create_key(self) -> dict[str, Any]:
        return {"KeyMetadata": {"KeyId": "key"}}

    def encrypt(self, KeyId: str, Plaintext: bytes, EncryptionContext: Mapping[str, str]) -> dict[str, bytes]:  # noqa: N803 - AWS's names
        context = json.dumps(EncryptionContext, sort_keys=True).encode()
        return {"CiphertextBlob": b"encrypted " + (context + b"\n" + Plaintext)[::-1]}

    def decrypt(self, KeyId: str, CiphertextBlob: bytes, EncryptionContext: Mapping[str, str]) -> dict[str, bytes]:  # noqa: N803
        context, _, plaintext = CiphertextBlob.removeprefix(b"encrypted ")[::-1].partition(b"\n")
        if json.loads(context) != EncryptionContext:
            raise ClientError({"Error": {"Code": "InvalidCiphertextException"}}, "Decrypt")
        return {"Plaintext": plaintext}


class MemorySecrets:
    """Secrets by their names."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    def create_secret(self, Name: str, SecretString: str) -> dict[str, str]:  # noqa: N803 - AWS's names
        self._secrets[Name] = SecretString
        return {"ARN": Name}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803
        self._secrets[SecretId] = SecretString

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803
        return {"SecretString": self._secrets[SecretId], "CreatedDate": datetime(2026, 1, 1, tzinfo=UTC)}
