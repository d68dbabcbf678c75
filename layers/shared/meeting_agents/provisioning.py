"""Asking Cronofy for something so that nothing is lost: written down before, called, written down after.

The API asks for the first time, the sweep asks again; both through here.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from meeting_agents.accounts import Accounts
from meeting_agents.calls import Answer, Authority, Call, Outcome
from meeting_agents.credentials import Credentials
from meeting_agents.cronofy.client import BUDGET, Cronofy
from meeting_agents.errors import (
    InProgress,
    KeyReused,
    LimitReached,
    MeetingAgentsError,
    NeedsAuthorisation,
    StoreUnavailable,
    TimedOut,
    UnknownAccount,
)
from meeting_agents.journal import Journal, Line
from meeting_agents.lifecycle import fold, next_request
from meeting_agents.pacing import Permit
from meeting_agents.vendor import read_resources
from meeting_agents.vocabulary import Action, Cause, Entry, Kind, Record, Request

_ANSWERS = frozenset({Kind.ACCEPTED, Kind.CANCELLED, Kind.REJECTED})
RACES = 5
"""How often another request for the same agent may come first before we give up."""
LEASE = timedelta(seconds=60)
"""How long a request belongs to whoever sends it: longer than a function that died could have been at it."""
SOONEST, LATEST = timedelta(seconds=15), timedelta(minutes=15)
"""Between two tries: the first pause, which doubles each time, and the longest."""
PERSEVERANCE = timedelta(days=3)
"""For how long a request is tried at most, if its meeting is not over before."""
WAIT_FOR_ANSWER = timedelta(seconds=10)
"""How long a repeated request waits for the answer to the first."""
SWEEPS_SHARE = 0.8
"""The part of Cronofy's limits that the sweep may use up; the rest is for those who wait for an answer."""
_TRIED_AGAIN = "; it is tried again"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to Cronofy. `body_for` makes what is sent, given the attempt that it belongs to."""

    agent_id: str
    request: Request
    method: str
    path: str
    authority: Authority
    body_for: Callable[[int], str] = field(repr=False)
    correlation_id: str = ""
    is_sent_once: bool = False
    """What Cronofy makes of the same request twice is unknown: once it is answered, a repetition gets that answer."""
    is_repeatable: bool = True
    """Whether it may be sent again though it may have arrived."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it: the agent as the journal has it now, and Cronofy's answer, or why there is none."""

    record: Record
    answer: Answer | None = None
    error: MeetingAgentsError | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """One request's turn at Cronofy. `tries`: how often its outcome was noted as open before."""

    agent_id: str
    request: Request
    call: Call
    authority: Authority
    attempt: int
    revision: int
    tries: int
    asked_at: datetime
    correlation_id: str
    is_again: bool = False
    """An earlier try may have arrived."""
    is_open: bool = True
    """Its outcome is not known yet, so that it is worth noting."""


class Provisioning:
    """The one way by which anything is asked of Cronofy for an agent."""

    def __init__(
        self,
        journal: Journal,
        cronofy: Cronofy,
        credentials: Credentials,
        accounts: Accounts,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._journal = journal
        self._cronofy = cronofy
        self._credentials = credentials
        self._accounts = accounts
        self._clock = clock
        self._sleep = sleep

    def ask(self, asked: Asked) -> Told:
        """Journal `requested`, ask, journal what Cronofy answered.

        Raises `LimitReached`, for a caller's own token, before anything is written down; `StoreUnavailable` when the
        journal cannot be written: then Cronofy was not asked, or may be asked the same again; `InProgress` and
        `KeyReused` for a request that is only sent once.
        """
        permit = None if asked.authority.is_durable else self._cronofy.permit(asked.request.data_center)
        turn, lines, is_news = self._written_down(asked)
        before = self._answered_before(asked, lines) if asked.is_sent_once and not is_news else None
        return before or self._take(turn, permit)

    def pass_on(self, call: Call, authority: Authority) -> Answer:
        """Ask something that concerns no agent: nothing is written down. Raises what `Cronofy.send` does."""
        return self._sent(call, authority)

    def retry(self, agent_id: str) -> Told | None:
        """Ask again what is due to be asked again; none if nothing is, or another is at it.

        Raises `LimitReached`: then it stays due.
        """
        now = self._clock()
        lines = self._journal.read(agent_id, now)
        record = _record(lines)
        pending = record.current.pending if record else None
        if record is None or pending is None or pending.retry_at is None or pending.retry_at > now:
            return None
        line = next(line for line in lines if line.entry.request and line.entry.revision == pending.revision)
        if line.call is None:
            return None
        turn = _Turn(
            agent_id,
            pending.request,
            line.call,
            Authority(account=pending.request.account),
            record.current.number,
            pending.revision,
            pending.tries,
            pending.asked_at,
            line.entry.correlation_id,
            is_again=True,
        )
        if now >= self._until(turn):
            self._note(turn, Kind.REJECTED, _too_late(turn, _last_words(lines, pending.revision)))
            return self._told(turn)
        permit = self._cronofy.permit(line.call.data_center, SWEEPS_SHARE)
        if not self._journal.claim(agent_id, now, now + LEASE):
            return None
        if not line.call.is_repeatable:  # should we die now, nobody is to send it a second time
            self._note(turn, Kind.UNCONFIRMED, "sent now; it may have taken effect, and nobody tries again")
            turn = replace(turn, tries=turn.tries + 1)
        return self._take(turn, permit)

    # ------------------------------------------------------------------------------------------------------ before

    def _written_down(self, asked: Asked) -> tuple[_Turn, list[Line], bool]:
        """The request's turn, the journal before it, and whether it is news there."""
        request = asked.request
        for _ in range(RACES):
            now = self._clock()
            lines = self._journal.read(asked.agent_id, now)
            record = _record(lines)
            attempt, revision, is_news = next_request(record, request, now)
            pending = record.current.pending if record else None
            body = asked.body_for(attempt)
            call = Call(asked.method, asked.path, request.data_center, body, asked.is_repeatable)
            turn = _Turn(
                asked.agent_id, request, call, asked.authority, attempt, revision, 0, now, asked.correlation_id
            )
            if not is_news and pending:
                return replace(turn, tries=pending.tries, asked_at=pending.asked_at, is_again=True), lines, False
            if not is_news or (lines and not asked.is_repeatable):
                return replace(turn, is_open=False), lines, False
            entry = Entry(
                key=f"requested#{revision:04d}",
                kind=Kind.REQUESTED,
                at=now,
                attempt=attempt,
                revision=revision,
                request=request,
                # Should we die before the answer is noted, the sweep asks again; if asking twice is asking once.
                retry_at=now + LEASE if asked.authority.is_durable and asked.is_repeatable else None,
                correlation_id=asked.correlation_id,
            )
            if self._journal.append(asked.agent_id, entry, call=call):
                return turn, lines, True
        raise StoreUnavailable("too many requests for this agent at the same time; try again")

    def _answered_before(self, asked: Asked, lines: list[Line]) -> Told | None:
        """The answer that the newest request got, waited for if on its way; none: it may be sent again."""
        until = self._clock() + WAIT_FOR_ANSWER
        while True:
            record = fold(line.entry for line in lines)
            newest = next(line for line in lines[::-1] if line.entry.request is not None)
            if newest.entry.request and newest.entry.request.digest != asked.request.digest:
                raise KeyReused("this Idempotency-Key came with another body before; take a new key for a new agent")
            noted = [line for line in lines if line.entry.revision == newest.entry.revision and line is not newest]
            answered = next((line.answer for line in noted if line.answer and line.entry.kind in _ANSWERS), None)
            pending = record.current.pending
            if answered or (noted and pending and pending.retry_at):
                return Told(record, answered)
            if noted or self._clock() > newest.entry.at + LEASE:
                unknown = TimedOut("Cronofy did not answer; it may have acted all the same")
                return None if asked.is_repeatable else Told(record, error=unknown)
            if self._clock() > until:
                raise InProgress("the same request is being answered at this moment; ask again in a few seconds")
            self._sleep(0.2)
            lines = self._journal.read(asked.agent_id, self._clock())

    # ------------------------------------------------------------------------------------------------ asking Cronofy

    def _take(self, turn: _Turn, permit: Permit | None) -> Told:
        try:
            answer = self._sent(turn.call, turn.authority, permit)
        except MeetingAgentsError as error:
            self._note_failure(turn, error)
            return self._told(turn, error=error)
        return self._told(turn, self._note_answer(turn, answer))

    def _sent(self, call: Call, authority: Authority, permit: Permit | None = None) -> Answer:
        """Cronofy's answer; after a 401, that to another token, if we have one to try."""
        until = time.monotonic() + BUDGET
        token = self._token(call, authority, until=until)
        answer = self._cronofy.send(call, token, permit=permit, until=until)
        if answer.status == 401:
            other = self._token(call, authority, refused=token, until=until)
            if other != token:
                return self._cronofy.send(call, other, until=until)
        return answer

    def _token(self, call: Call, authority: Authority, refused: str = "", *, until: float) -> str:
        if authority.token:
            return authority.token
        if authority.account:
            return self._accounts.access_token(authority.account, refused, until)
        return self._credentials.api_key(call.data_center, refused)

    # ------------------------------------------------------------------------------------------------------ afterwards

    def _note_answer(self, turn: _Turn, answer: Answer) -> Answer:
        """Write down what an answer means, and return what it comes to for whoever asked."""
        said = f"Cronofy answered {answer.status}"
        what = _what(turn.request)
        is_again = turn.is_again or answer.tries > 1
        may_be_taken = is_again and bool(turn.request.scheduling_key) and answer.wrong_fields == {"scheduling_key"}
        if answer.outcome is Outcome.ACCEPTED:
            kind = Kind.CANCELLED if turn.request.action is Action.CANCEL else Kind.ACCEPTED
            self._note(turn, kind, f"Cronofy accepted the {what} ({answer.status})", answer)
        elif may_be_taken:
            reason = (
                f"Cronofy named the scheduling_key as wrong ({answer.status}) after an earlier try that may have"
                " arrived; whether it has the request is unknown"
            )
            self._note(turn, Kind.UNCONFIRMED, reason, answer)
            answer = Answer(202)
        elif answer.outcome is Outcome.REFUSED:
            complaint = f": {answer.complaint}" if answer.complaint else ""
            self._note(turn, Kind.REJECTED, f"Cronofy refused the {what} ({answer.status}){complaint}", answer)
        elif not turn.authority.is_durable and answer.status in (423, 429):
            self._note(turn, Kind.REJECTED, f"{said}; nobody tries again but the caller", answer)
        else:
            self._postpone(turn, said, answer.status in (423, 429), answer, retry_after=answer.retry_after)
        return answer

    def _note_failure(self, turn: _Turn, error: MeetingAgentsError) -> None:
        if isinstance(error, UnknownAccount):
            self._note(turn, Kind.REJECTED, error.detail)
            return
        is_first = isinstance(error, NeedsAuthorisation) and self._accounts.claim_alert(
            turn.authority.account, LEASE.total_seconds()
        )
        cause = Cause.REAUTHORISATION if is_first else None
        wait = error.retry_after if isinstance(error, LimitReached) else None
        self._postpone(turn, error.detail, not isinstance(error, TimedOut), retry_after=wait, cause=cause)
        if is_first:
            self._accounts.told(turn.authority.account)

    def _postpone(
        self,
        turn: _Turn,
        reason: str,
        had_no_effect: bool,
        answer: Answer | None = None,
        *,
        retry_after: float | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Note that the outcome is open, and when the sweep asks again, if it can and may."""
        now = self._clock()
        if not (turn.authority.is_durable and (turn.call.is_repeatable or had_no_effect)):
            self._note(turn, Kind.UNCONFIRMED, f"{reason}; nobody tries again but the caller", answer)
            return
        retry_at = now + pause(turn.tries, retry_after)
        if retry_at >= self._until(turn) and cause is None:
            self._note(turn, Kind.REJECTED, _too_late(turn, reason), answer)
            return
        self._note(turn, Kind.UNCONFIRMED, f"{reason}{_TRIED_AGAIN}", answer, retry_at=retry_at, cause=cause)

    def _until(self, turn: _Turn) -> datetime:
        """When to try no more: the meeting is over, or it has been too long.

        A cancellation is tried until the meeting begins, if it was asked for before: then people must hear of it, for
        they alone can still keep the agent out.
        """
        meeting = turn.request.meeting
        end = meeting.end or (meeting.start or turn.asked_at) + self._journal.graces.longest_meeting
        if turn.request.action is Action.CANCEL and meeting.start and meeting.start > turn.asked_at:
            end = meeting.start
        return min(end, turn.asked_at + PERSEVERANCE)

    def _note(
        self,
        turn: _Turn,
        kind: Kind,
        reason: str,
        answer: Answer | None = None,
        *,
        retry_at: datetime | None = None,
        cause: Cause | None = None,
    ) -> None:
        """Write down what came of a turn; each outcome once for each request, an open one once for each try."""
        if not turn.is_open:
            return
        agent = answer.agent if answer else {}
        entry = Entry(
            key=f"{kind}#{turn.revision:04d}" + (f"#{turn.tries + 1:03d}" if kind is Kind.UNCONFIRMED else ""),
            kind=kind,
            at=self._clock(),
            attempt=turn.attempt,
            revision=turn.revision,
            retry_at=retry_at,
            cause=cause,
            sub=agent.get("sub", ""),
            resources=tuple(read_resources(agent)),
            reason=reason,
            correlation_id=turn.correlation_id,
        )
        self._journal.append(turn.agent_id, entry, answer=answer)

    def _told(self, turn: _Turn, answer: Answer | None = None, error: MeetingAgentsError | None = None) -> Told:
        record = fold(line.entry for line in self._journal.read(turn.agent_id, self._clock()))
        return Told(record, answer, error)


def pause(tries: int, retry_after: float | None = None) -> timedelta:
    """How long to wait before the next try: twice as long each time, half of it by chance; or as Cronofy asks."""
    seconds = min(SOONEST.total_seconds() * 2.0 ** min(tries, 16), LATEST.total_seconds())
    chosen = seconds * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
    return timedelta(seconds=max(chosen, retry_after or 0))


def _what(request: Request) -> str:
    return "cancellation" if request.action is Action.CANCEL else "request"


def _too_late(turn: _Turn, last: str) -> str:
    return f"the {_what(turn.request)} could not be delivered in time; the last time: {last}"


def _last_words(lines: Sequence[Line], revision: int) -> str:
    """What came of the newest try of a request."""
    tries = [one.entry for one in lines if one.entry.kind is Kind.UNCONFIRMED and one.entry.revision == revision]
    newest = max(tries, key=lambda entry: entry.at, default=None)
    return newest.reason.removesuffix(_TRIED_AGAIN) if newest else "nothing was heard"


def _record(lines: Sequence[Line]) -> Record | None:
    return fold(line.entry for line in lines) if lines else None
