"""The topics: the messages of one call, and SNS's errors as ours."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError
from botocore.session import Session
from botocore.stub import Stubber

from meeting_agents.aws.topic_message import MAX_BATCH, MAX_TEXT_BYTES, Message
from meeting_agents.aws.topics import AlertsTopic, LifecycleTopic
from meeting_agents.errors import MessageRejected, TopicUnavailable

ARN = "arn:aws:sns:eu-central-1:111122223333:topic"


@pytest.fixture
def client() -> Any:
    return Session().create_client(
        "sns",
        "eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def sns(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubbed:
        yield stubbed


def alert(client: Any) -> None:
    AlertsTopic(client, ARN).publish("Subject", "{}", {"severity": ("warning",)})


def announce(client: Any) -> None:
    LifecycleTopic(client, ARN).publish([Message("{}", {"kind": "failed"})])


PUBLISHERS = [(alert, "publish"), (announce, "publish_batch")]


@pytest.mark.parametrize(("publish", "operation"), PUBLISHERS)
def test_a_topic_that_does_not_answer_is_unavailable(
    client: Any, sns: Stubber, publish: Callable[[Any], None], operation: str
) -> None:
    """A retry may succeed."""
    sns.add_client_error(operation, "Throttled", http_status_code=429)
    with pytest.raises(TopicUnavailable, match="Throttled"):
        publish(client)

    def time_out(**_: object) -> None:
        raise ConnectTimeoutError(endpoint_url="https://sns.eu-central-1.amazonaws.com")

    sns.deactivate()
    client.meta.events.register("before-send", time_out)
    with pytest.raises(TopicUnavailable, match="did not answer"):
        publish(client)


@pytest.mark.parametrize(("publish", "operation"), PUBLISHERS)
def test_a_message_that_sns_always_rejects_is_a_defect(
    client: Any, sns: Stubber, publish: Callable[[Any], None], operation: str
) -> None:
    """A retry fails again."""
    sns.add_client_error(operation, "InvalidParameter")
    with pytest.raises(MessageRejected, match="InvalidParameter"):
        publish(client)


@pytest.mark.parametrize(("is_sender_fault", "error"), [(True, MessageRejected), (False, TopicUnavailable)])
def test_a_message_that_fails_in_a_batch_raises_the_same_error(
    client: Any, sns: Stubber, is_sender_fault: bool, error: type[Exception]
) -> None:
    """The call itself succeeds."""
    failed = {"Id": "0", "Code": "InternalError", "SenderFault": is_sender_fault}
    sns.add_response("publish_batch", {"Successful": [], "Failed": [failed]})
    with pytest.raises(error, match="InternalError"):
        announce(client)


@pytest.mark.parametrize(("lengths", "calls"), [([1] * (2 * MAX_BATCH + 1), 3), ([MAX_TEXT_BYTES, 1], 2)])
def test_a_call_has_as_many_messages_as_the_limits_allow(client: Any, lengths: list[int], calls: int) -> None:
    """The limits are for their number and their size; their order stays."""
    sent: list[dict[str, Any]] = []

    def record(params: dict[str, Any], **_: object) -> None:
        sent.append(params)

    client.meta.events.register("provide-client-params.sns.PublishBatch", record)
    with Stubber(client) as sns:
        for _ in range(calls):
            sns.add_response("publish_batch", {"Successful": [], "Failed": []})
        LifecycleTopic(client, ARN).publish(Message("x" * length, {}) for length in lengths)
    assert len(sent) == calls
    entries = [entry["Message"] for call in sent for entry in call["PublishBatchRequestEntries"]]
    assert [len(message) for message in entries] == lengths
