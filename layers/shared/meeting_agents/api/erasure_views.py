"""The responses to callers about erasures. Pure."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from meeting_agents.api.views import View
from meeting_agents.domain.erasures import Erasure, LockedFile


class LockedFileView(View):
    """A file of an agent whose data was erased, which Object Lock keeps."""

    key: str
    until: datetime | None = Field(description="the end of its lock; null: its bucket is not the stack's any more")


class ErasureView(View):
    """The remains of an agent whose data was erased."""

    agent_id: str
    at: datetime
    by: str = Field(description="the caller's IAM ARN or JWT subject; empty if the caller was not signed in")
    entries: int = Field(description="the entries of its journal that were erased")
    locked_files: tuple[LockedFileView, ...] = Field(
        default=(), description="files in the archive that cannot be deleted yet; the same request deletes them later"
    )

    @classmethod
    def of(cls, agent_id: str, erasure: Erasure, locked: Sequence[LockedFile]) -> "ErasureView":
        files = tuple(LockedFileView.model_validate(file) for file in locked)
        return cls(agent_id=agent_id, at=erasure.at, by=erasure.by, entries=erasure.entries, locked_files=files)
