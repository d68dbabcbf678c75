"""The layout of the archive's bucket: the key of each file. Pure.

| file | key |
|---|---|
| resource | `account=…/dt=…/agent=…/attempt=…/{category}.{extension}` |
| transcript as WebVTT, as text | the same with `.vtt`, `.txt` |
| manifest of an attempt | `account=…/dt=…/agent=…/attempt=…/manifest.json` |
| sentences of a transcript, for queries | `sentences/dt=…/{agent}.{attempt}.{category}.jsonl` |

`dt` is the day on which the meeting begins, in UTC; the account of an agent that has none is `none`. Of several
resources of one category each has its id behind the category. Sentences are apart, because Athena reads every file of
a table's folder, recordings too.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote

from meeting_agents.domain.archive import resource_id
from meeting_agents.domain.grace_periods import start_of
from meeting_agents.domain.model import Resource
from meeting_agents.domain.record import Attempt, Record

SENTENCES = "sentences/"
"""The folder of the Glue table in the template."""
_EXTENSIONS = {
    "application/json": "json",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/webm": "webm",
    "audio/flac": "flac",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "text/plain": "text",
    "text/vtt": "webvtt",
}
"""The extension of each content type. `txt` and `vtt` are those that are made of a transcript."""


def base_key(agent_id: str, record: Record, attempt: Attempt, resource: Resource) -> str:
    """Return the key of a resource without its extension, which the download tells."""
    name = re.sub(r"[^a-z0-9_-]", "_", resource.category.lower())[:40] or "resource"
    is_only = sum(each.category == resource.category for each in attempt.resources) == 1
    name = name if is_only else f"{name}-{resource_id(resource)[:8]}"
    day = _days(attempt)[0]
    return f"{_folder(agent_id, record, day)}attempt={attempt.number}/{name}"


def extension(content_type: str, address: str) -> str:
    """Return the extension for a content type, else that of the address, else `bin`."""
    path = address.partition("?")[0].rpartition("/")[2]
    found = re.search(r"\.([a-z0-9]{1,5})$", path.lower())
    return _EXTENSIONS.get(content_type) or (found[1] if found else "bin")


def manifest_key(base: str) -> str:
    """Return the key of the manifest of the attempt of a resource."""
    return f"{base.rpartition('/')[0]}/manifest.json"


def sentences_key(base: str) -> str:
    """Return the key of the sentences of a transcript."""
    values = dict(part.split("=", 1) for part in base.split("/")[:-1])
    name = base.rpartition("/")[2]
    return f"{SENTENCES}dt={values['dt']}/{values['agent']}.{values['attempt']}.{name}.jsonl"


def prefixes(agent_id: str, record: Record) -> tuple[str, ...]:
    """Return the prefixes of all keys that files of an agent may have."""
    known = {day for attempt in record.attempts for day in _days(attempt)}
    folders = {_folder(agent_id, record, day) for day in known}
    for file in (file for attempt in record.attempts for file in attempt.archived):
        folders.add(f"{file.key.partition(f'/agent={agent_id}/')[0]}/agent={agent_id}/")
    days = {found[1] for folder in folders if (found := re.search(r"/dt=([^/]+)/", folder))}
    return tuple(sorted([*folders, *(f"{SENTENCES}dt={day}/{agent_id}." for day in days)]))


def prefixes_of(base: str) -> tuple[str, str]:
    """Return the prefixes of all files of an agent on the day of one of its resources."""
    folder, found = f"{base.partition('/attempt=')[0]}/", re.search(r"/dt=([^/]+)/agent=([^/]+)/", base)
    day, agent_id = found.groups() if found else ("", "")
    return folder, f"{SENTENCES}dt={day}/{agent_id}."


def _folder(agent_id: str, record: Record, day: str) -> str:
    account = record.identity.account if record.identity else ""
    return f"account={quote(account, safe='') or 'none'}/dt={day}/agent={agent_id}/"


def _days(attempt: Attempt) -> list[str]:
    """Return the day of an attempt's meeting, and the days that it had before it was moved."""
    return list(dict.fromkeys(_day(at) for at in (start_of(attempt), *attempt.known_starts)))


def _day(at: datetime) -> str:
    return at.astimezone(UTC).date().isoformat()


def renditions(base: str) -> Iterator[str]:
    """Iterate over the keys of the files that are made of a transcript."""
    yield from (f"{base}.vtt", f"{base}.txt", sentences_key(base))
