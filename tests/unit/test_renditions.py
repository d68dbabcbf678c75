"""A transcript as WebVTT, as text and as lines for queries, from Cronofy's JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from meeting_agents.cronofy.transcripts import Transcript, read_transcript
from meeting_agents.domain.model import Meeting
from meeting_agents.renditions import as_sentences, as_text, as_webvtt
from tests.sandbox.deployment import source_template

MARTY, DOC = {"identifier": "speaker_1", "name": "Marty <McFly>"}, {"identifier": "speaker_2"}
BODY: dict[str, Any] = {
    "meeting_agent": {"sub": "agt_1"},
    "transcript": {
        "summary": "They began\n and ended.",
        "paragraphs": [
            {
                "speaker": MARTY,
                "start": 0.4,
                "end": 4.0,
                "sentences": [
                    {"text": "Grüß Gott, shall we begin?", "start": 0.4, "end": 2.1},
                    {"text": "Yes & no --> perhaps", "start": 2.1, "end": 2.1},
                ],
            },
            {"speaker": DOC, "sentences": [{"text": "An hour later", "start": 3725.0005, "end": 3726}]},
            {"speaker": {}, "sentences": [{"text": "Without a time"}]},
        ],
    },
}


def transcript(body: object = BODY) -> Transcript:
    found = read_transcript(json.dumps(body).encode())
    assert found
    return found


def test_webvtt_has_a_cue_with_a_voice_for_each_sentence_that_has_a_time() -> None:
    assert as_webvtt(transcript()) == (
        "WEBVTT\n\n"
        "00:00:00.400 --> 00:00:02.100\n<v Marty &lt;McFly&gt;>Grüß Gott, shall we begin?</v>\n\n"
        "00:00:02.100 --> 00:00:02.101\n<v Marty &lt;McFly&gt;>Yes &amp; no --&gt; perhaps</v>\n\n"
        "01:02:05.000 --> 01:02:06.000\n<v speaker_2>An hour later</v>\n"
    )


def test_cues_are_in_the_order_of_their_times() -> None:
    body = json.loads(json.dumps(BODY))
    body["transcript"]["paragraphs"].reverse()
    assert as_webvtt(transcript(body)) == as_webvtt(transcript())


def test_text_has_title_summary_and_paragraphs_with_speakers() -> None:
    assert as_text(transcript(), "Weekly\nsync") == (
        "Weekly sync\n\nThey began and ended.\n\n"
        "[00:00:00] Marty <McFly>\nGrüß Gott, shall we begin? Yes & no --> perhaps\n\n"
        "[01:02:05] speaker_2\nAn hour later\n\n"
        "Unknown speaker\nWithout a time\n"
    )


def lines() -> list[dict[str, Any]]:
    meeting = Meeting(summary="Weekly sync", start=datetime(2026, 4, 29, 15, 30, tzinfo=UTC))
    text = as_sentences(transcript(), agent_id="ma_1", attempt=1, account="acc_1", meeting=meeting)
    return [json.loads(line) for line in text.splitlines()]


def test_each_sentence_is_a_line_with_its_agent_and_its_speaker() -> None:
    assert len(lines()) == 4
    assert lines()[0] == {
        "account": "acc_1",
        "agent_id": "ma_1",
        "attempt": 1,
        "title": "Weekly sync",
        "meeting_start": "2026-04-29T15:30:00.000Z",
        "number": 1,
        "speaker": "speaker_1",
        "speaker_name": "Marty <McFly>",
        "start_seconds": 0.4,
        "end_seconds": 2.1,
        "sentence": "Grüß Gott, shall we begin?",
    }


def test_the_columns_of_the_table_are_the_members_of_a_line() -> None:
    """Athena shows nothing of a member without a column, and null in a column without a member."""
    table = source_template()["Resources"]["ArchiveTable"]["Properties"]["TableInput"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert list(columns) == list(lines()[0])
    types = {"string": str, "int": int, "double": float}
    for line in lines():
        assert all(value is None or isinstance(value, types[columns[name]]) for name, value in line.items())


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", b"not JSON", b'{"transcript": 7}', b'{"transcript": {"paragraphs": {}}}', b"[" * 100_000],
)
def test_a_body_of_another_shape_is_no_transcript(content: bytes) -> None:
    assert read_transcript(content) is None


def test_what_is_wrong_in_a_transcript_is_left_out() -> None:
    sentences = [
        7,
        {"text": 7},
        {"text": " "},
        {"text": "a", "start": "0", "end": -1},
        {"text": "\ud800", "start": True},
    ]
    body = {"transcript": {"paragraphs": [7, {"speaker": 7, "sentences": sentences}, {"sentences": 7}]}}
    [paragraph] = transcript(body).paragraphs
    assert [(each.text, each.start, each.end) for each in paragraph] == [("a", None, None), ("?", None, None)]
    assert as_webvtt(transcript(body)) == "WEBVTT\n"
