"""The story of an archive on the deployed sandbox: a recording of a real size goes from Cronofy into the bucket."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from functions.archive.app import MAX_RECEIVES, STOP_BEFORE_TIMEOUT_MS
from tests.component.test_events import given
from tests.component.test_terminal import run
from tests.sandbox.embedded_aws import ACCOUNT, EmbeddedAws
from tests.sandbox.stage import CALENDAR, HOME, Stage, wait_until
from tests.system.template import RESOURCES, TEMPLATE, of_type, processed, target

SIZE = 100 * 1000 * 1000 + 7
"""Bytes of each recording: some minutes of video, seven parts."""
WAIT = 240.0


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with EmbeddedAws() as aws, Stage(aws, parameters={"Archive": "all"}) as stage:
        stage.cronofy.behaviour.recording_bytes = SIZE
        yield stage


def complete(stage: Stage, event_id: str) -> str:
    """Let an agent be complete as Cronofy reports it; its id."""
    start = datetime.now(UTC) - timedelta(minutes=30)
    response = stage.request(event_id, "Quarterly review", start, start + timedelta(minutes=29))
    agent: str = response.json()["agent"]["id"]
    stage.cronofy.activate((HOME, CALENDAR, event_id))
    stage.cronofy.complete((HOME, CALENDAR, event_id))
    return agent


def files_of(stage: Stage, agent: str) -> dict[str, dict[str, Any]]:
    """The archived files of an agent, by category, when all are there."""

    def find() -> dict[str, dict[str, Any]] | None:
        files = {file["resource"]["category"]: file for file in stage.read(agent)["attempts"][-1]["archived"]}
        return files if len(files) == 3 else None

    found = wait_until(find, WAIT)
    assert found, stage.aws.log_tail()
    return found


@pytest.fixture(scope="module")
def agent(stage: Stage) -> str:
    return complete(stage, "review")


@pytest.fixture(scope="module")
def files(stage: Stage, agent: str) -> dict[str, dict[str, Any]]:
    return files_of(stage, agent)


def test_the_recordings_are_in_the_bucket_byte_by_byte(stage: Stage, files: dict[str, dict[str, Any]]) -> None:
    s3 = stage.stack.session.client("s3")
    for category in ("audio", "video"):
        media = stage.cronofy.recording((HOME, CALENDAR, "review"), category)
        assert (files[category]["size"], files[category]["sha256"]) == (SIZE, media.sha256)
        stored = s3.get_object(Bucket=files[category]["bucket"], Key=files[category]["key"])
        digest = hashlib.sha256()
        for piece in stored["Body"].iter_chunks(1 << 20):
            digest.update(piece)
        assert digest.hexdigest() == media.sha256


def test_subscribers_get_the_key_of_each_file_and_the_manifest_has_all(
    stage: Stage, agent: str, files: dict[str, dict[str, Any]]
) -> None:
    announced = [
        message["data"]["entry"]["reason"]["values"]
        for message in stage.lifecycle.messages()
        if message["type"] == "meeting_agents.archived" and message["subject"] == agent
    ]
    assert {values["key"] for values in announced} == {file["key"] for file in files.values()}
    folder = files["video"]["key"].rpartition("/")[0]
    s3, bucket = stage.stack.session.client("s3"), stage.stack.outputs["ArchiveBucketName"]
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=f"{folder}/manifest.json")["Body"].read())
    assert {file["key"]: file["sha256"] for file in manifest["files"]} == {
        file["key"]: file["sha256"] for file in files.values()
    }
    assert (manifest["agent_id"], manifest["meeting"]["summary"]) == (agent, "Quarterly review")


def test_the_route_hands_out_the_archives_address_and_renditions(
    stage: Stage, agent: str, files: dict[str, dict[str, Any]]
) -> None:
    assert files
    path = f"/v1/meeting_agents/{agent}/resources/transcript"
    before = stage.cronofy.count("GET", "/resources")
    address = stage.api.get(path, params={"format": "json"}).json()
    assert address["source"] == "archive"
    assert httpx.get(address["url"], trust_env=False).json()["transcript"]["summary"] == "They began."
    redirect = stage.api.get(path, params={"rendition": "vtt"})
    assert redirect.status_code == 302
    assert httpx.get(redirect.headers["location"], trust_env=False).text.startswith("WEBVTT\n\n00:00:00.400 --> ")
    text = httpx.get(stage.api.get(path, params={"rendition": "txt"}).headers["location"], trust_env=False).text
    assert text.startswith("Quarterly review\n\nThey began.\n\n[00:00:00] Marty\n")
    assert stage.cronofy.count("GET", "/resources") == before
    assert stage.api.get(f"/v1/meeting_agents/{agent}/resources/audio", params={"rendition": "vtt"}).status_code == 404
    assert stage.api.get(path, params={"rendition": "doc"}).status_code == 422


def test_the_terminal_shows_the_files_and_the_timeline(
    stage: Stage, agent: str, files: dict[str, dict[str, Any]]
) -> None:
    assert files
    shown = run(stage.aws, ACCOUNT, stage.stack.name, "agent", "--id", agent).stdout
    assert "archive   audio 100.0 MB, transcript 284 bytes, video 100.0 MB\n" in shown
    assert "archived: video is in the archive: account=none/dt=" in " ".join(shown.split())


def test_erasing_the_agent_erases_its_files(stage: Stage) -> None:
    stage.cronofy.behaviour.recording_bytes = 4096
    agent = complete(stage, "erased")
    folder = files_of(stage, agent)["video"]["key"].rpartition("/")[0]
    erased = stage.api.delete(f"/v1/meeting_agents/{agent}/data")
    assert erased.json()["locked_files"] == []
    s3, bucket = stage.stack.session.client("s3"), stage.stack.outputs["ArchiveBucketName"]
    for prefix in (folder, "sentences/"):
        keys = [each["Key"] for each in s3.list_object_versions(Bucket=bucket, Prefix=prefix).get("Versions", [])]
        assert not [key for key in keys if agent in key]


def test_an_empty_recording_is_not_archived_and_keeps_no_other_from_it(stage: Stage) -> None:
    stage.cronofy.behaviour.recording_bytes = 0
    agent = complete(stage, "empty")
    assert wait_until(lambda: stage.read(agent)["attempts"][-1]["archived"], WAIT)
    assert [file["resource"]["category"] for file in stage.read(agent)["attempts"][-1]["archived"]] == ["transcript"]


def test_a_job_that_was_dead_lettered_is_redriven(stage: Stage) -> None:
    """Its agent is complete, and the copy is made after all."""
    stage.cronofy.behaviour.recording_bytes = 0
    agent = complete(stage, "redriven")
    assert wait_until(lambda: stage.read(agent)["attempts"][-1]["archived"], WAIT)
    stage.cronofy.behaviour.recording_bytes = 4096
    sqs, queues = stage.stack.session.client("sqs"), stage.stack.outputs
    sqs.send_message(QueueUrl=queues["ArchiveDeadLetterQueueUrl"], MessageBody=json.dumps({"subject": agent}))
    shown = run(stage.aws, ACCOUNT, stage.stack.name, "redrive", "--queue", "archive").stdout
    assert "1 messages redriven, 0 kept" in shown
    assert set(files_of(stage, agent)) == {"audio", "transcript", "video"}


def test_the_examples_of_its_messages_are_handled(stage: Stage) -> None:
    """The agent of the examples is unknown here, so there is nothing to copy."""
    assert given(stage, "archive", "complete") == {"batchItemFailures": []}
    assert given(stage, "archive", "job") == {"batchItemFailures": []}


# ------------------------------------------------------------------------------------------------------------ template


def test_off_by_default_makes_nothing() -> None:
    assert TEMPLATE["Parameters"]["Archive"]["Default"] == "off"
    named = {name for name in processed() if name.startswith("Archive")}
    assert len(named) > 15
    assert {processed()[name].get("Condition") for name in named} == {"HasArchive"}


@pytest.mark.parametrize("name", of_type("S3::Bucket"))
def test_a_bucket_is_private_encrypted_versioned_and_takes_nothing_without_tls(name: str) -> None:
    bucket = RESOURCES[name]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(bucket["PublicAccessBlockConfiguration"]) == 4
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    [policy] = [each for each in of_type("S3::BucketPolicy").values() if target(each["Bucket"]) == name]
    denied = [each for each in policy["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]
    assert [(each["Action"], each["Principal"], each["Condition"]) for each in denied] == [
        ("s3:*", "*", {"Bool": {"aws:SecureTransport": "false"}})
    ]
    assert len(denied[0]["Resource"]) == 2


def test_the_archive_has_its_own_key_logs_and_a_lock_by_parameter() -> None:
    bucket = RESOURCES["ArchiveBucket"]["Properties"]
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert target(rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"]) == "ArchiveKey"
    assert rule["BucketKeyEnabled"] is True
    assert target(bucket["LoggingConfiguration"]["DestinationBucketName"]) == "ArchiveLogBucket"
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Fn::If"][0] == "HasArchiveLock"
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7


def test_the_queue_waits_for_the_function_and_both_agree_on_the_tries() -> None:
    """AWS: six times the function's time limit."""
    queue, function = RESOURCES["ArchiveQueue"]["Properties"], RESOURCES["ArchiveFunction"]["Properties"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == MAX_RECEIVES
    assert 1000 * function["Timeout"] / 2 > STOP_BEFORE_TIMEOUT_MS
    assert function["Events"]["Jobs"]["Properties"]["BatchSize"] == 1
    assert function["RecursiveLoop"] == "Allow"


@pytest.mark.parametrize("name", of_type("Athena::NamedQuery"))
def test_a_saved_query_names_columns_of_the_table_and_bounds_the_days(name: str) -> None:
    query = RESOURCES[name]["Properties"]["QueryString"]
    table = RESOURCES["ArchiveTable"]["Properties"]["TableInput"]
    columns = {column["Name"] for column in table["StorageDescriptor"]["Columns"]} | {"dt"}
    code = re.sub(r"'[^']*'|--.*", "", query)
    aliases = set(re.findall(r"\bAS (\w+)", code))
    known = columns | aliases | {"sentences", "coalesce", "date_format", "current_date", "interval", "day", "count"}
    known |= {"round", "sum", "lower"}
    assert set(re.findall(r"\b[a-z_]+\b", code)) <= known
    assert "dt >=" in code
