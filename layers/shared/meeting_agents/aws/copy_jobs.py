"""The jobs of the archive: one for each resource, as messages of its queue. Pure.

A job says which file is copied, and of what: that cannot be read anywhere else when the next invocation goes on. How
far the copy has come is read from S3, where the parts are.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from meeting_agents.cronofy.downloads import FileVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that is copied in parts."""

    id: str
    key: str
    version: FileVersion
    """The source, as it was when the copy began: all parts must be of it."""
    part_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyJob:
    """One resource that is to be in the archive."""

    agent_id: str
    attempt: int
    resource: str
    """The id of the resource."""
    base: str
    """The key, without its extension."""
    upload: Upload | None = None
    """None: the copy has not begun, or the file is small."""
    is_copied: bool = False
    """The file is there; only its sum is to be computed."""
    restarts: int = 0
    """The times that the copy began anew, because the source changed or the upload was gone."""

    def to_body(self) -> str:
        """Return the message. Its `subject` is the agent, as in an announcement."""
        values = {name: value for name, value in asdict(self).items() if value and name != "agent_id"}
        return json.dumps({"subject": self.agent_id, "copy": values})


def job_of(body: str) -> CopyJob | str:
    """Return the job of a message, or the agent of an announcement, whose jobs are to be made. Raises `ValueError`."""
    match json.loads(body):
        case {"subject": str(agent_id), "copy": {"attempt": int(), "resource": str(), "base": str()} as values}:
            return CopyJob(agent_id=agent_id, **{**values, "upload": _upload(values.get("upload"))})
        case {"subject": str(agent_id)}:
            return agent_id
    raise ValueError("the message names no agent")


def _upload(values: dict[str, Any] | None) -> Upload | None:
    return Upload(**{**values, "version": FileVersion(**values["version"])}) if values else None
