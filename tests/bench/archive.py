"""A recording of a real size through the function that copies it: memory, invocations, and what it costs on AWS."""

import json
from collections import Counter
from typing import Any

from meeting_agents.archiving import PART_BYTES
from operate_cost import PRICES
from tests.bench.cost import AWS_CALL_MS, MEGABYTES_PER_PROCESSOR
from tests.runtime.stories import CALENDAR, Scene, complete

HOUR_BYTES = 1_500_000_000
"""An hour of video; assumed, from what people report of such recordings: 1 to 2 GB."""
READS = ("GetObject", "HeadObject")
"""Requests that S3 prices as reads; a list counts as a write."""


def archive(scene: Scene, size: int) -> dict[str, Any]:
    """Copy a recording of `size` bytes; amounts and US dollars for 1,000 meetings with one each.

    The time of a copy is the function's processor time on the part of a processor that its memory has, and waits for
    AWS: how fast Cronofy's files come is unknown. RuntimeError if the file is another one in the end.
    """
    platform = scene.platform
    platform.forget()
    agent = complete(scene, "recorded", size, "video")
    runs = [run for run in platform.invocations if run.function == "archive"]
    calls = Counter(call["operation"] for run in runs for call in run.calls if call["service"] == "s3")
    answer = platform.request("GET", f"/v1/meeting_agents/{agent}")
    [file] = json.loads(answer["body"])["attempts"][-1]["archived"]
    if (file["size"], file["sha256"]) != (size, scene.cronofy.recording(("us", CALENDAR, "recorded"), "video").sha256):
        raise RuntimeError("the file in the archive is not the recording")
    memory = platform.template["Resources"]["ArchiveFunction"]["Properties"]["MemorySize"]
    processor = sum(sum(run.cpu) for run in runs)
    waited = sum(len(run.calls) for run in runs) * AWS_CALL_MS / 1000
    usd, reads = PRICES["usd"], sum(calls[name] for name in READS)
    copying = (
        usd["Lambda GB-seconds"] * (processor * MEGABYTES_PER_PROCESSOR / memory + waited) * memory / 1024
        + usd["Lambda requests"] * len(runs)
        + usd["SQS requests"] * 3 * len(runs)
        + usd["S3 writes"] * (calls.total() - reads)
        + usd["S3 reads"] * reads
    )
    platform.forget()
    return {
        "bytes": size,
        "peak_mb": round(max(run.peak for run in runs) / 1024),
        "memory_mb": memory,
        "part_mb": round(PART_BYTES / 1e6, 1),
        "parts_in_memory": 1,
        "invocations": len(runs),
        "calls": dict(calls),
        "processor_s": round(processor, 1),
        "usd_per_1000_copied": round(1000 * copying, 3),
        "usd_per_1000_kept_a_month": round(1000 * size / 1e9 * usd["archive GB-months"], 2),
    }
