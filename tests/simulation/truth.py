"""The truth about one meeting of a month, and the alerts that were sent of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

from tests.simulation.calendar_events import Agent, State
from tests.simulation.findings import ALLOWANCE, RECOVERY, SLACK, VERY_LATE, Desire, Sent
from tests.simulation.world import Meeting, Month


@dataclass(frozen=True)
class Truth:
    """One meeting, and the alerts that were sent of it."""

    month: Month
    meeting: Meeting
    sent: list[Sent]

    @property
    def agents(self) -> list[Agent]:
        return self.meeting.event.agents

    def desires(self) -> list[Desire]:
        """Return what was wished, by callers and by people in the calendar."""
        desires = [
            Desire(wish.at, wish.is_wanted, wish.start, wish.end, "caller", 200 <= wish.status < 300)
            for wish in self.meeting.wishes
        ]
        desires += [
            Desire(state.at, state.is_planned, state.start, state.end, "person")
            for state in self.meeting.event.states
            if state.by == "person"
        ]
        return sorted(desires, key=lambda desire: desire.since)

    def desire_at(self, at: float) -> Desire | None:
        return next((desire for desire in reversed(self.desires()) if desire.since <= at), None)

    def is_unordered(self, desire: Desire) -> bool:
        """Return True if a call of AWS was so slow that a request sent after this one, or before, overtook the other.

        Or the two were sent at the same time, and Cronofy took one of them only; or a person changed the meeting in the
        calendar while a request was on its way.
        """
        disturbed = self.month.disturbed.get(self.meeting.agent_id, ())
        if desire.by == "person":
            return any(wish.at <= desire.since <= wish.answered_at for wish in self.meeting.wishes)
        at_once = [
            pair
            for pair in pairwise(self.meeting.wishes)
            if pair[1].at <= pair[0].answered_at and (pair[0].status < 300) != (pair[1].status < 300)
        ]
        return any(desire.since in (first.at, second.at) for first, second in at_once) or any(
            first.at <= second.at <= first.answered_at
            and desire.since in (first.at, second.at)
            and any(first.at <= at <= first.answered_at for at in disturbed)
            for first, second in combinations(self.meeting.wishes, 2)
        )

    def is_off_and_on_at_once(self, desire: Desire) -> bool:
        """Return True if two requests at the same time, in this spell, may have brought two agents of one attempt."""
        return any(
            desire.since <= second.at and first.at < desire.end and second.at <= first.answered_at
            for first, second in pairwise(self.meeting.wishes)
            if first.is_wanted != second.is_wanted
        )

    def is_effect_unknown(self, at: float) -> bool:
        """Return True if Cronofy answered a request with an error after which it may have taken it, or not at all."""
        unclear = ("503", "hangs", "answers late", "a page")
        windows = [w for w in self.month.windows if w.part == "cronofy" and w.since < at]
        is_down = any(wish.at in w for wish in self.meeting.wishes for w in windows)
        is_down |= any(wish.status >= 500 and wish.at < at for wish in self.meeting.wishes)
        return is_down or any(fate in unclear for _, fate in self.meeting.script.fates)

    def is_prolonged(self, desire: Desire, deadline: float) -> bool:
        """Return True if a meeting that was over was moved to a time until after its deadline: it is judged then."""
        later = (d for d in self.desires() if desire.end <= d.since < deadline)
        return any(d.is_wanted and d.start < deadline for d in later)

    def is_changed_unconfirmed(self, desire: Desire, deadline: float) -> bool:
        """Return True if the agent was cancelled, or its meeting moved, after the end, and no trigger confirmed that.

        It was not due yet to report its end.
        """
        later = next((d for d in self.desires() if d.since >= desire.end), None)
        is_other = later is not None and (not later.is_wanted or later.start != desire.start)
        is_cancelled = is_other and later is not None and later.since < deadline
        confirmed = [at for at, name in self.meeting.event.deliveries if name == "trigger" and at >= desire.end]
        return is_cancelled and later is not None and not any(at < later.since for at in confirmed)

    def last_complete(self, at: float) -> list[Agent]:
        """Return the newest agent that was complete by a time, rather one of an earlier start that left nothing."""
        complete = [agent for agent in self.agents if agent.complete_at and agent.complete_at <= at]
        lacking = [agent for agent in complete if not agent.captured_at and agent.start != complete[-1].start]
        return (lacking or complete)[-1:]

    @property
    def is_reused(self) -> bool:
        """True if Cronofy has used a `sub` again, so that no one can know of which agent a report is."""
        return self.meeting.script.reuses_sub and len(self.agents) > 1

    def came_very_late(self, at: float) -> bool:
        """True if a callback that was written before a time was delivered much later: its order says nothing."""
        return any(delivered > written + VERY_LATE for delivered, written in self.meeting.event.written if written < at)

    def state_at(self, at: float) -> State | None:
        return next((state for state in reversed(self.meeting.event.states) if state.at <= at), None)

    def spells(self) -> Iterator[tuple[Desire, float]]:
        """Yield each time of the meeting at which an agent was wanted, with the time until which that was the wish."""
        merged: list[Desire] = []
        began: list[float] = []
        desires, was_off = self.desires(), False
        for desire, following in zip(desires, [*desires[1:], None], strict=True):
            is_revoked = following is not None and following.is_wanted and following.since < desire.since + ALLOWANCE
            if is_revoked and not desire.is_wanted and not desire.is_answered:
                was_off = True
                continue  # its caller got an error, and wanted the agent again: from then on
            last = merged[-1] if merged else None
            if last and (last.is_wanted, last.start) == (desire.is_wanted, desire.start):
                is_in_time = desire.since < last.end or last.end <= last.since  # it was over when it was first wished
                is_answered = last.is_answered or (desire.is_answered and is_in_time)
                is_old = (last.is_answered or last.end <= last.since) and not was_off
                since = last.since if is_old else desire.since
                end = desire.end if desire.since < desire.end else min(last.end, max(desire.end, desire.since))
                merged[-1] = Desire(since, last.is_wanted, last.start, end, last.by, is_answered)
            else:
                merged.append(desire)
                began.append(desire.since)
            was_off = False
        for desire, until in zip(merged, [*began[1:], float("inf")], strict=True):
            if desire.is_wanted and max(desire.since, desire.start) < min(until, desire.end):
                yield desire, min(until, desire.end)

    def reported(self, agent: Agent, name: str) -> float | None:
        """Return the time at which a callback about an agent was delivered."""
        times = [at for at, interaction in agent.known if interaction.startswith(f"meeting_agent_{name}")]
        return min(times, default=None)

    def delivered(self, since: float, until: float) -> bool:
        """True if any callback about the calendar event was written and delivered in a time."""
        return any(since < at <= until and since <= written for at, written in self.meeting.event.written)

    def is_by_hand(self, desire: Desire, at: float) -> bool:
        """True if a person did it in the calendar, and no callback can have sent of it: none tells of a deletion."""
        same = [
            d for d in self.desires() if (d.is_wanted, d.start, d.end) == (desire.is_wanted, desire.start, desire.end)
        ]
        word = next(
            (d for d in reversed(same) if d.since <= at), desire
        )  # a spell has several: only its end was changed
        is_reported = word.is_wanted and self.delivered(word.since, at - SLACK)
        return word.by == "person" and not is_reported

    def is_readable(self, desire: Desire, at: float) -> bool:
        """True if the calendar could be read before an alert about a silent agent, and showed the wish by then."""
        parts = ("cronofy", "token", "aws", f"grant {self.meeting.script.account}")
        windows = [w for w in self.month.windows if w.part in parts]
        is_down = any(w.since - ALLOWANCE < at < w.until + ALLOWANCE for w in windows)
        is_settled = all(d.since < at - 3 * ALLOWANCE for d in self.desires() if d.since <= at)
        return self.meeting.script.caller == "account" and desire.since < at - ALLOWANCE and is_settled and not is_down

    def was_disturbed(self, since: float, until: float) -> bool:
        """True if AWS did not work in a time, or shortly before it."""
        since -= RECOVERY
        windows = [w for w in self.month.windows if w.part in ("aws", "sweep", "sns", "stream", "index")]
        times = [*self.month.disturbed.get(self.meeting.agent_id, ()), *self.month.disturbed.get("", ())]
        return any(w.since < until and w.until > since for w in windows) or any(since < at < until for at in times)
