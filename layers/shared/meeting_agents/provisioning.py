"""Asking Cronofy for something so that nothing is lost: written down before, called, written down after.

The API asks for the first time, the sweep asks again; both through here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from meeting_agents.cronofy import Answer, Call, Cronofy, Outcome
from meeting_agents.errors import StoreUnavailable, Unreachable
from meeting_agents.journal import Journal, Line
from meeting_agents.lifecycle import Action, Entry, Kind, Record, Request, Step, fold, next_request, steps

RACES = 5
"""How often another request for the same agent may come first before we give up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to Cronofy. `body_for` makes what is sent, given the attempt that it belongs to."""

    agent_id: str
    request: Request
    method: str
    path: str
    body_for: Callable[[int], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it: Cronofy's answer, and the agent as the journal has it now."""

    answer: Answer
    record: Record


class Provisioning:
    """The one way by which anything is asked of Cronofy for an agent."""

    def __init__(self, journal: Journal, cronofy: Cronofy, clock: Callable[[], datetime] = lambda: datetime.now(UTC)):
        self._journal = journal
        self._cronofy = cronofy
        self._clock = clock

    def ask(self, asked: Asked, token: str) -> Told:
        """Journal `requested`, ask, journal what Cronofy answered.

        Raises `Unreachable` (and `TimedOut`) when Cronofy did not answer, with `unconfirmed` in the journal, and
        `StoreUnavailable` when the journal cannot be written: then Cronofy was not asked, or may be asked the same again.
        """
        attempt, revision, body = self._written_down(asked)
        call = Call(asked.method, asked.path, asked.request.data_center, body)
        try:
            answer = self._cronofy.send(call, token)
        except Unreachable as error:
            self._note(asked, Kind.UNCONFIRMED, attempt, revision, f"{error.detail}; nobody tries again but the caller")
            raise
        if answer.outcome is Outcome.ACCEPTED:
            kind = Kind.CANCELLED if asked.request.action is Action.CANCEL else Kind.ACCEPTED
            reason = f"Cronofy accepted the {'cancellation' if kind is Kind.CANCELLED else 'request'} ({answer.status})"
        elif answer.status >= 500:
            kind, reason = Kind.UNCONFIRMED, f"Cronofy answered {answer.status}; nobody tries again but the caller"
        else:
            kind, reason = Kind.REJECTED, f"Cronofy refused the request ({answer.status})"
        self._note(asked, kind, attempt, revision, reason)
        return Told(answer, fold(line.entry for line in self._journal.read(asked.agent_id, self._clock())))

    def _written_down(self, asked: Asked) -> tuple[int, int, str]:
        """The attempt and revision that the request has in the journal, and what is sent for it."""
        for _ in range(RACES):
            now = self._clock()
            lines = self._journal.read(asked.agent_id, now)
            attempt, revision, is_news = next_request(_record(lines), asked.request, now)
            body = asked.body_for(attempt)
            if not is_news:
                return attempt, revision, body
            entry = Entry(
                key=f"requested#{revision:04d}",
                kind=Kind.REQUESTED,
                at=now,
                attempt=attempt,
                revision=revision,
                request=asked.request,
            )
            if self._journal.append(asked.agent_id, entry, body):
                return attempt, revision, body
        raise StoreUnavailable("too many requests for this agent at the same time; try again")

    def _note(self, asked: Asked, kind: Kind, attempt: int, revision: int, reason: str) -> None:
        """An answer is noted once for each request: a repeated request that is answered the same adds nothing."""
        entry = Entry(
            key=f"{kind}#{revision:04d}", kind=kind, at=self._clock(), attempt=attempt, revision=revision, reason=reason
        )
        self._journal.append(asked.agent_id, entry)


def timeline(lines: Sequence[Line]) -> list[Step]:
    """The lines' entries in order, each with its verdict."""
    return list(steps(line.entry for line in lines))


def _record(lines: Sequence[Line]) -> Record | None:
    return fold(line.entry for line in lines) if lines else None
