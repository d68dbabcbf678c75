"""Resources are copied into the archive: whole, once, in parts, through the faults of downloads and of processes."""

import json
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from meeting_agents.archiving import GONE_AFTER, MAX_RESTARTS
from meeting_agents.aws.archive_bucket import KeyTaken
from meeting_agents.aws.copy_jobs import CopyJob
from meeting_agents.cronofy.downloads import DownloadFailed
from meeting_agents.domain.model import ArchiveScope, EntryType
from meeting_agents.domain.reasons import ReasonCode
from meeting_agents.errors import ArchiveRejected, ArchiveUnavailable
from tests.archive_desk import KEY, MEBIBYTE, PART_BYTES, ArchiveDesk, Killed, without_upload
from tests.sandbox.embedded_aws import EmbeddedAws

LARGE = 2 * PART_BYTES + 1234
"""A file of three parts."""


@pytest.fixture
def desk(aws: EmbeddedAws) -> Iterator[ArchiveDesk]:
    with ArchiveDesk(aws) as desk:
        yield desk


def archived(desk: ArchiveDesk, agent: str, category: str = "video") -> None:
    """Assert that a recording is in the archive, byte by byte, and that nothing is left of its copy."""
    file, media = desk.files(agent)[category], desk.media(category)
    assert (file.size, file.sha256) == (media.size, media.sha256)
    assert desk.content(file.key) == b"".join(media.pieces())
    assert desk.uploads() == []


# ------------------------------------------------------------------------------------------------------------- copying


def test_all_resources_of_a_complete_agent_are_copied_once(desk: ArchiveDesk) -> None:
    """Each has its entry with key, size and sum; the page in the dashboard is for a browser."""
    agent = desk.completed()
    desk.run(agent)
    folder = f"account=none/dt=2026-04-30/agent={agent}/attempt=1"
    assert {category: file.key for category, file in desk.files(agent).items()} == {
        "audio": f"{folder}/audio.m4a",
        "transcript": f"{folder}/transcript.json",
        "video": f"{folder}/video.mp4",
    }
    archived(desk, agent, "audio")
    archived(desk, agent, "video")
    assert desk.archiver().jobs(agent, desk.desk.now) == []
    kinds = [stored.entry.kind for stored in desk.entries(agent)]
    assert kinds.count(EntryType.ARCHIVED) == 3


def test_the_scope_decides_what_is_copied(aws: EmbeddedAws) -> None:
    with ArchiveDesk(aws, scope=ArchiveScope.TRANSCRIPTS) as desk:
        agent = desk.completed()
        assert [job.base.rpartition("/")[2] for job in desk.run(agent)] == ["transcript"]
    with ArchiveDesk(aws, scope=ArchiveScope.OFF) as desk:
        assert desk.run(desk.completed()) == []


@pytest.mark.parametrize("size", [1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES, LARGE])
def test_a_file_of_any_size_is_copied_byte_by_byte(desk: ArchiveDesk, size: int) -> None:
    agent = desk.completed(size, ("video",))
    desk.run(agent)
    archived(desk, agent)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_large_file_is_copied_in_several_invocations(desk: ArchiveDesk, parts: int) -> None:
    """Each begins where the last one stopped, at a new address."""
    desk.parts = parts
    agent = desk.completed(LARGE, ("video",))
    jobs = desk.run(agent)
    archived(desk, agent)
    assert len(jobs) >= 1 + 3 / parts
    ranges = [each.headers.get("range", "") for each in desk.cronofy.requests if "/presigned/" in each.path]
    assert f"bytes={parts * PART_BYTES}-" in ranges


def test_the_sum_of_a_file_that_took_several_invocations_is_that_of_the_bucket(desk: ArchiveDesk) -> None:
    desk.parts = 1
    agent = desk.completed(LARGE, ("video",))
    desk.run(agent)
    assert [job.is_copied for job in desk.run(agent)] == []
    manifest = json.loads(desk.content(desk.files(agent)["video"].key.rpartition("/")[0] + "/manifest.json"))
    [file] = manifest["files"]
    assert file["sha256"] == desk.media().sha256
    assert file["sha256_of_parts"].endswith("-3")


def test_a_host_that_ignores_ranges_is_read_from_the_beginning(desk: ArchiveDesk) -> None:
    desk.cronofy.behaviour.ranges = False
    desk.parts = 1
    agent = desk.completed(LARGE, ("video",))
    desk.run(agent)
    archived(desk, agent)


def test_a_host_that_answers_a_part_of_a_range_is_read_to_the_end(desk: ArchiveDesk) -> None:
    """Fewer bytes than a part has, each time."""
    desk.cronofy.behaviour.range_bytes = 2 * MEBIBYTE
    desk.cronofy.faults.add("GET", "/presigned", skip=1, cut=MEBIBYTE)
    agent = desk.completed(LARGE, ("video",))
    desk.run(agent)
    archived(desk, agent)


def test_bytes_that_came_before_a_reset_are_not_read_again(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", skip=1, cut=PART_BYTES + 1000)
    desk.run(agent)
    archived(desk, agent)
    ranges = [each.headers.get("range") for each in desk.cronofy.requests if "/presigned/" in each.path]
    assert ranges == [None, None, f"bytes={PART_BYTES + 1000}-"]


def test_of_two_uploads_of_one_file_the_first_that_is_whole_counts(desk: ArchiveDesk) -> None:
    """It has no second version, which Object Lock would keep."""
    key, uploads = "k/video.mp4", [desk.bucket.begin("k/video.mp4", "video/mp4", "r", "") for _ in range(2)]
    parts = [[desk.bucket.add(key, upload, 1, b"x")] for upload in uploads]
    desk.bucket.finish(key, uploads[0], parts[0])
    with pytest.raises(KeyTaken):
        desk.bucket.finish(key, uploads[1], parts[1])
    assert desk.versions() == [key]


def test_the_same_job_twice_copies_nothing_twice(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    job = desk.job(agent)
    desk.run(agent)
    before = len(desk.cronofy.requests)
    assert desk.step(job) is None
    assert len(desk.cronofy.requests) == before
    assert desk.versions().count(desk.files(agent)["video"].key) == 1


def test_two_agents_of_one_attempt_have_a_file_each(desk: ArchiveDesk) -> None:
    """Their resources have addresses of their own, and the second one does not replace the first."""
    agent = desk.completed(4096, ("audio",))
    desk.run(agent)
    first = desk.files(agent)["audio"].key
    desk.completed(4096, ("audio", "video"))
    body = json.loads(desk.cronofy.complete(KEY, deliver=False).body)
    for each in body["meeting_agent"]["resources"]:
        each["url"] += "?other=1"
    desk.notify(agent, body)
    desk.run(agent)
    attempt = desk.record(agent).current
    keys = {file.key for file in attempt.archived}
    assert first in keys
    assert len(keys) == sum(each.category != "cronofy" for each in attempt.resources)


# -------------------------------------------------------------------------------------------------- faults of downloads


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"cut": PART_BYTES + 1000}, id="reset in the middle"),
        pytest.param({"cut": 0}, id="reset at once"),
        pytest.param({"close": "unanswered"}, id="no answer"),
        pytest.param({"announce": 100}, id="a longer file is announced"),
        pytest.param({"announce": -100}, id="a shorter file is announced"),
        pytest.param({"status": 403}, id="the address has expired"),
        pytest.param({"status": 404}, id="the address is unknown"),
        pytest.param({"status": 503}, id="the host is busy"),
        pytest.param({"status": 302, "headers": {"Location": "http://127.0.0.1:1/elsewhere"}}, id="a redirect"),
    ],
)
def test_a_download_that_fails_goes_on_at_a_new_address(desk: ArchiveDesk, fault: dict[str, Any]) -> None:
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", **fault)
    desk.cronofy.faults.add("GET", "/presigned", **fault, skip=1)
    desk.run(agent)
    archived(desk, agent)


@pytest.mark.parametrize("status", [403, 404])
def test_an_address_that_expires_at_part_seven_is_resolved_anew(aws: EmbeddedAws, status: int) -> None:
    """Each two parts are read from an address of their own, and that of the last two is refused."""
    with ArchiveDesk(aws, parts=2) as desk:
        agent = desk.completed(7 * PART_BYTES + 5, ("video",))
        desk.cronofy.faults.add("GET", "/presigned", status=status, skip=4)  # of the first answer, parts 1-2, 3-4, 5-6
        desk.run(agent)
        archived(desk, agent)
        refused = [each.headers["range"] for each in desk.cronofy.requests if each.status == status]
        assert refused == [f"bytes={6 * PART_BYTES}-"]


def test_an_address_may_be_used_once(desk: ArchiveDesk) -> None:
    desk.cronofy.behaviour.address_uses = 1
    desk.parts = 1
    agent = desk.completed(LARGE, ("video",))
    desk.run(agent)
    archived(desk, agent)


def test_a_slow_download_is_given_up_and_tried_again_later(desk: ArchiveDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It drips: each wait is short, and all together would take hours."""
    monkeypatch.setattr("meeting_agents.cronofy.downloads.PATIENCE", 0.2)
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", drip=0.05, times=None)
    with pytest.raises(DownloadFailed) as raised:
        desk.run(agent)
    assert raised.value.code == "download_slow"
    desk.cronofy.faults.clear()
    desk.run(agent)
    archived(desk, agent)


def test_an_empty_file_is_not_archived(desk: ArchiveDesk) -> None:
    agent = desk.completed(0, ("video",))
    with pytest.raises(DownloadFailed) as raised:
        desk.run(agent)
    assert raised.value.code == "download_empty"
    assert desk.keys() == []
    desk.cronofy.behaviour.recording_bytes = 7
    desk.run(agent)
    archived(desk, agent)


@pytest.mark.parametrize("parts", [1, 2])
def test_a_file_that_changes_while_it_is_copied_is_copied_anew(desk: ArchiveDesk, parts: int) -> None:
    """No file is a mix of two: it is all of the new one."""
    desk.parts = parts
    agent = desk.completed(LARGE, ("video",))
    job = desk.job(agent)
    for _ in range(2):
        again = desk.step(job)
        assert isinstance(again, CopyJob)
        job = again
    desk.cronofy.edit_recordings(KEY)
    while isinstance(again := desk.step(job), CopyJob):
        job = again
    archived(desk, agent)
    assert desk.media().edition == 2


def test_a_file_that_changes_within_one_invocation_is_copied_anew(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", skip=1, cut=PART_BYTES + 9)
    desk.cronofy.faults.add("GET", "/presigned", skip=1, hold=lambda: desk.cronofy.edit_recordings(KEY))
    desk.run(agent)
    archived(desk, agent)
    assert desk.media().edition == 2


def test_a_file_that_changes_each_time_is_given_up(desk: ArchiveDesk) -> None:
    desk.parts = 1
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", times=None, hold=lambda: desk.cronofy.edit_recordings(KEY))
    with pytest.raises(DownloadFailed) as raised:
        desk.run(agent)
    assert raised.value.code == "download_changed"
    assert desk.uploads() == []
    assert sum(each.status == 302 for each in desk.cronofy.requests) <= 2 * (MAX_RESTARTS + 1)


def test_a_download_that_never_works_ends_the_invocation(desk: ArchiveDesk) -> None:
    agent = desk.completed(4096, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", times=None, close="unanswered")
    with pytest.raises(DownloadFailed):
        desk.run(agent)
    assert sum("/presigned/" in each.path for each in desk.cronofy.requests) == 5


def test_an_invocation_without_progress_does_not_go_on(desk: ArchiveDesk) -> None:
    """Otherwise it would be continued for ever."""
    agent = desk.completed(LARGE, ("video",))
    begun = desk.step(desk.job(agent))
    assert isinstance(begun, CopyJob)
    desk.parts = 0
    with pytest.raises(DownloadFailed):
        desk.step(begun)


# ------------------------------------------------------------------------------------------------------------- cronofy


def test_the_api_key_never_reaches_the_presigned_host(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    desk.cronofy.faults.add("GET", "/presigned", cut=9)
    desk.run(agent)
    sent = [each for each in desk.cronofy.requests if "/presigned/" in each.path]
    assert sent
    assert all(each.token is None and "CRN_" not in str(each.headers) for each in sent)
    assert {"authorization", "cookie"} & {name for each in sent for name in each.headers} == set()


def test_what_cronofy_no_longer_has_is_expired_and_is_not_tried_again(desk: ArchiveDesk) -> None:
    agent = desk.completed(4096, ("video",))
    desk.cronofy.expire_resources(KEY)
    with pytest.raises(DownloadFailed):  # it may be still to come
        desk.run(agent)
    desk.desk.now += GONE_AFTER
    desk.run(agent)
    [entry] = [stored.entry for stored in desk.entries(agent) if stored.entry.kind is EntryType.ARCHIVE_FAILED]
    assert entry.reason
    assert (entry.reason.code, entry.reason["status"]) == (ReasonCode.RESOURCE_EXPIRED, "404")
    assert desk.archiver().jobs(agent, desk.desk.now) == []


def test_cronofy_that_does_not_answer_gets_one_request(desk: ArchiveDesk) -> None:
    agent = desk.completed(4096, ("video",))
    desk.cronofy.faults.add("GET", "/resources", status=503, times=None)
    with pytest.raises(DownloadFailed) as raised:
        desk.run(agent)
    assert raised.value.code == "503"
    assert desk.cronofy.count("GET", "/resources") == 1


# -------------------------------------------------------------------------------------------------------------- killed


@pytest.mark.parametrize(
    "call",
    [
        "CreateMultipartUpload",
        "UploadPart",
        "ListParts",
        "CompleteMultipartUpload",
        "HeadObject",
        "ListObjectsV2",
        "PutObject",
    ],
)
@pytest.mark.parametrize("size", [4096, LARGE])
def test_a_copy_that_is_killed_is_whole_in_the_end(desk: ArchiveDesk, call: str, size: int) -> None:
    """The queue delivers the job again; what had been done is found."""
    agent = desk.completed(size, ("audio", "transcript", "video"))
    waiting = desk.archiver().jobs(agent, desk.desk.now)
    with desk.killed_after(call):
        while waiting:
            job, *waiting = waiting
            try:
                again = desk.step(job)
            except Killed:
                waiting.append(job)
            else:
                waiting += [again] if isinstance(again, CopyJob) else []
    archived_keys = {file.key for file in desk.record(agent).current.archived}
    assert len(archived_keys) == 3
    archived_size = {desk.files(agent)[name].size for name in ("audio", "video")}
    assert archived_size == {size}
    assert all(desk.versions().count(key) == 1 for key in archived_keys)
    assert desk.content(desk.files(agent)["video"].key) == b"".join(desk.media().pieces())


def test_a_killed_copy_keeps_the_parts_that_were_done(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    job = desk.step(desk.job(agent))
    assert isinstance(job, CopyJob)
    with desk.killed_after("UploadPart"), pytest.raises(Killed):
        desk.step(job)
    before = len(desk.cronofy.requests)
    while isinstance(again := desk.step(job), CopyJob):
        job = again
    ranges = [each.headers.get("range") for each in desk.cronofy.requests[before:] if "/presigned/" in each.path]
    assert ranges == [f"bytes={PART_BYTES}-"]
    archived(desk, agent)


def test_two_copies_of_one_file_at_the_same_time_make_one(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    first, second = desk.step(desk.job(agent)), desk.step(desk.job(agent))
    assert isinstance(first, CopyJob)
    assert isinstance(second, CopyJob)
    for job in (first, second):
        again: object = job
        while isinstance(again, CopyJob):
            again = desk.step(again)
    archived(desk, agent)
    assert desk.versions().count(desk.files(agent)["video"].key) == 1


def test_an_upload_that_is_gone_is_begun_anew(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    job = desk.step(desk.job(agent))
    assert isinstance(job, CopyJob)
    assert job.upload
    desk.bucket.abort(job.upload.key, job.upload.id)
    again = desk.step(job)
    assert isinstance(again, CopyJob)
    assert again.upload is None
    while isinstance(again := desk.step(again), CopyJob):
        pass
    archived(desk, agent)


def test_one_part_is_in_memory(desk: ArchiveDesk) -> None:
    """The peak of a copy of twelve parts is a few parts: what is read, and what boto holds of it."""
    agent = desk.completed(12 * PART_BYTES, ("video",))
    job = desk.step(desk.job(agent))
    assert isinstance(job, CopyJob)
    tracemalloc.start()
    desk.step(job)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * PART_BYTES, f"{peak / MEBIBYTE:.0f} MiB"


# ------------------------------------------------------------------------------------------------------------- erasing


def test_erasing_an_agent_erases_its_archive_with_all_versions(desk: ArchiveDesk) -> None:
    agent = desk.completed(4096)
    desk.run(agent)
    desk.s3.put_object(Bucket=desk.bucket_name, Key=desk.files(agent)["video"].key, Body=b"another version")
    desk.desk.now += timedelta(days=3)
    _, locked = desk.eraser().erase(agent, "ann", desk.desk.now)
    assert (desk.versions(), locked) == ([], [])


def test_a_copy_that_is_under_way_leaves_nothing_of_an_erased_agent(desk: ArchiveDesk) -> None:
    agent = desk.completed(LARGE, ("video",))
    job = desk.step(desk.job(agent))
    assert isinstance(job, CopyJob)
    desk.desk.now += timedelta(days=3)
    desk.eraser().erase(agent, "ann", desk.desk.now)
    assert desk.uploads() == []
    assert desk.step(job) is None
    assert desk.step(without_upload(job)) is None
    assert desk.versions() == []


def test_a_file_that_is_stored_after_the_erasure_is_deleted_by_its_job(desk: ArchiveDesk) -> None:
    """The process ends between the file and its entry, and the agent is erased before the job is delivered again."""
    agent = desk.completed(4096, ("video",))
    job = desk.job(agent)
    with desk.killed_after("PutObject"), pytest.raises(Killed):
        desk.step(job)
    desk.desk.now += timedelta(days=3)
    desk.eraser().erase(agent, "ann", desk.desk.now)
    desk.bucket.put(f"{job.base}.mp4", b"late", "video/mp4", job.resource)
    assert desk.step(job) is None
    assert desk.versions() == []


def test_the_files_that_object_lock_keeps_are_listed_and_deleted_later(aws: EmbeddedAws) -> None:
    """No list shows it any more, and the same request deletes it when its lock is over."""
    with ArchiveDesk(aws, lock={"Mode": "GOVERNANCE", "Days": 1}) as desk:
        agent = desk.completed(LARGE)
        desk.run(agent)
        desk.desk.now += timedelta(days=3)
        first, locked = desk.eraser().erase(agent, "ann", desk.desk.now)
        assert {file.key.rpartition(".")[2] for file in locked} == {"m4a", "mp4", "json", "vtt", "txt", "jsonl"}
        assert all(file.until for file in locked)
        assert desk.keys() == []
        found, left = desk.eraser().find(agent, desk.desk.now)
        assert (found, sorted(map(str, left))) == (first, sorted(map(str, locked)))
        kinds = {stored.entry.kind for stored in desk.journal().read_with_erasure(agent, desk.desk.now)[0]}
        assert kinds == {EntryType.ARCHIVED}
        desk.end_locks()
        again, locked = desk.eraser().erase(agent, "ann", desk.desk.now)
        assert (again, locked, desk.versions()) == (first, [], [])
        assert desk.journal().read_with_erasure(agent, desk.desk.now)[0] == []


# -------------------------------------------------------------------------------------------------------------- errors


def test_a_bucket_that_refuses_is_a_defect_and_one_that_is_down_an_outage(desk: ArchiveDesk) -> None:
    agent = desk.completed(4096, ("video",))
    job = desk.job(agent)
    with desk.answering("PutObject", 503, "SlowDown"), pytest.raises(ArchiveUnavailable):
        desk.step(job)
    with desk.answering("PutObject", 403, "AccessDenied"), pytest.raises(ArchiveRejected):
        desk.step(job)
    with desk.answering("ListObjectsV2", 403, "AccessDenied"), pytest.raises(ArchiveRejected):
        desk.step(job)
    desk.run(agent)
    archived(desk, agent)
