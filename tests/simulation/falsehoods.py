"""The alerts of a month that were not true when they were sent: critical ones and warnings."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.simulation.calendar_events import Agent
from tests.simulation.findings import (
    ACTIVATION,
    ALLOWANCE,
    AT_ONCE,
    BY_HAND,
    CALLER_KNOWS,
    KILLED,
    LOOKED_AT_EVERY,
    LOST,
    NO_END,
    NOT_MOVED,
    REUSED,
    SLACK,
    STAYS,
    UNANSWERED,
    UNDER_WAY,
    UNHEARD,
    VERY_LATE,
    Desire,
    Fault,
    Sent,
)
from tests.simulation.scripts import HOUR
from tests.simulation.truth import Truth

type Verdict = tuple[str, str] | None
"""Why an alert is false, and why no one could know; None if it is true."""
_LATER = ("failed", "never_activated", "not_finished", "resources_missing", "conflicting")
"""The warnings about a meeting that is over, of which the last wish says nothing more."""


@dataclass(frozen=True)
class Falsehoods(Truth):
    """One meeting, and the alerts about it that were not true."""

    def false_alerts(self) -> Iterator[Fault]:
        """Yield the alerts that were false: a moment before, too, so that none is only a moment late."""
        for sent in self.sent:
            if sent.status != "firing":
                continue
            reported = [t for a in self.agents if (t := self.reported(a, "failed")) and 0 < sent.at - t < ALLOWANCE]
            # As long as a request is on its way, its caller does not know either what will be.
            on_its_way = [wish.at - SLACK for wish in self.meeting.wishes if wish.at <= sent.at <= wish.answered_at]
            moments = [*on_its_way, *(reported if sent.type == "failed" else ()), sent.at - SLACK, sent.at]
            verdicts = [self._falsehood(sent, at) for at in moments]
            if all(verdict is not None for verdict in verdicts):
                reason, excuse = verdicts[-1] or ("", "")
                excuse = excuse or next((each[1] for each in verdicts[: len(on_its_way)] if each), "")
                yield Fault(f"false {sent.severity}", self.meeting, sent.at, f"{sent.type}: {reason}", excuse)

    def _falsehood(self, sent: Sent, at: float) -> Verdict:
        """Return why an alert is false at a time, and why no one could know; None if it is true."""
        desire = self.desire_at(at)
        if desire is None:
            return "no one wished for anything", ""
        if sent.type == "account_disconnected":
            return self.is_connected(at)
        if sent.type == "unwanted":
            return self._is_wanted(desire, at)
        same_incident = [t.at for t in self.sent if t.type == sent.type and t.start in (sent.start, None)]
        first = min(same_incident)  # it was read before that
        is_read = sent.type == "never_activated" and self.is_readable(desire, min(at, first))
        is_by_hand = self.is_by_hand(desire, at) and not is_read
        known = BY_HAND if is_by_hand else self._known(desire)
        is_warning = sent.severity == "warning"
        if not desire.is_wanted and not (is_warning and sent.type in _LATER):
            return "the agent is not wanted", known
        if at >= desire.end and not sent.group and not is_warning:
            known = known or NOT_MOVED * self._is_not_moved(desire, at)
            return "the meeting is over", known if self.meeting.event.key[0] else NO_END
        same = [d for d in self.desires() if d.start == desire.start and d.since <= at]
        if sent.type == "never_activated" and all(d.since >= d.end for d in same):
            return "the meeting was over when its agent was requested", known
        found = self._checks(is_warning=is_warning)[sent.type](desire, at)
        return found and (found[0], known or found[1])

    def _is_not_moved(self, desire: Desire, at: float) -> bool:
        """Return True if the meeting runs at the time before its last move, as an alert said if there was time."""
        state = self.state_at(at)
        runs = state is not None and state.is_planned and state.start <= at < state.end
        types = ("not_arranged", "account_disconnected")
        alerted = [t for t in self.sent if t.type in types and t.status == "firing" and t.at >= desire.since]
        is_other = state is not None and (state.start, state.end) != (desire.start, desire.end)
        return runs and is_other and (bool(alerted) or desire.end < desire.since + 2 * ALLOWANCE)

    def _known(self, desire: Desire) -> str:
        if not desire.is_answered:
            return CALLER_KNOWS
        return AT_ONCE if self.is_unordered(desire) else ""

    def _checks(self, *, is_warning: bool) -> dict[str, Callable[[Desire, float], Verdict]]:
        """Return the check of each type of incident."""
        return {
            "never_activated": self._is_active,
            "failed": self._has_never_failed if is_warning else self._is_without_failure,
            "not_arranged": self._is_arranged,
            "rejected": self._is_arranged,
            "no_conference": self._has_conference,
            "not_finished": self._has_ended,
            "resources_missing": self._has_resources,
            "conflicting": self._has_one_end,
            "mismatched": lambda *_: ("no callback was about another calendar event", ""),
        }

    def _active(self, at: float) -> list[Agent]:
        return [a for a in self.agents if not a.is_over_at(at) and a.activated_at and a.activated_at <= at]

    def _is_wanted(self, desire: Desire, at: float) -> Verdict:
        state = self.state_at(at)
        if desire.is_wanted and desire.since < desire.end:
            return "the agent is wanted", self._known(desire)
        if self._active(at) or any(a.is_present(at) for a in self.agents) or (state and state.is_planned):
            return None
        taken = state.at if state else desire.since  # when Cronofy took the cancellation
        is_under_way = any(a.activated_at and a.activated_at <= taken for a in self.agents)
        is_unknown = not desire.is_answered or self.is_effect_unknown(at)
        is_end_unheard = any(a.complete_at and a.complete_at <= at and self._is_end_lost(a) for a in self.agents)
        return "the agent will not come", (
            UNDER_WAY if is_under_way else UNANSWERED if is_unknown else LOST * is_end_unheard
        )

    def is_connected(self, at: float) -> Verdict:
        """Return why an alert about the meeting's account is false at a time; None if it waits for a person's deed."""
        account, conference_at = self.meeting.script.account, self.meeting.event.conference_at
        waits = conference_at is None or at < conference_at + ALLOWANCE
        allowances = {f"grant {account}": ALLOWANCE, f"profile {account}": LOOKED_AT_EVERY if waits else 0.0}
        windows = [w for w in self.month.windows if w.part in allowances]
        is_lost = any(w.since <= at <= w.until + allowances[w.part] for w in windows)
        return None if is_lost else ("the account is connected", "")

    def _is_active(self, desire: Desire, at: float) -> Verdict:
        if at + 1 < desire.start + ACTIVATION and not self._was_silent(desire, at):
            return "the meeting has not begun", ""
        left = [a for a in self.agents if a.captured_at and a.start == a.last_start == desire.start and not a.is_gone]
        switched_off = max((d.since for d in self.desires() if not d.is_wanted and d.since <= at), default=0.0)
        left = [a for a in left if switched_off < (a.left_at or 0.0) and (a.captured_at or 0.0) <= at - SLACK]
        left = [a for a in left if not self._is_another_due(a, at)]
        if left:
            known = [t for a in left if (t := self.reported(a, "complete")) and t < at - SLACK]
            return "the agent was there, and left what it had", REUSED if self.is_reused else "" if known else LOST
        active = self._active(at)
        if not active and not any(a.is_present(at) for a in self.agents):
            return None
        known = [t for a in active if (t := self.reported(a, "activated")) and t < at - SLACK]
        then = self.state_at(max(known)) if known else None
        was_over = then is not None and then.end < desire.start  # no agent waits from one time to the other
        is_from_before = bool(known) and (max(known) < desire.since or was_over)
        return "the agent is there", LOST if not known else STAYS if is_from_before else ""

    def _is_another_due(self, left: Agent, at: float) -> bool:
        """Return True if an agent left a meeting that had been switched off, and another one was sent to it since."""
        off = [d.since for d in self.desires() if not d.is_wanted and d.is_answered and d.since <= at]
        was_off = left.joined_at is not None and max(off, default=0.0) > left.since
        return was_off and any(a.since > (left.left_at or at) and not a.is_over_at(at) for a in self.agents)

    def _was_silent(self, desire: Desire, at: float) -> bool:
        """Return True if the agent was due already when the meeting was moved to a start that had passed as well."""
        before = [d for d in self.desires() if d.since < desire.since and d.is_answered][-1:]
        was_due = any(d.is_wanted and d.start + ACTIVATION <= desire.since for d in before)
        return was_due and desire.start <= at

    def _is_without_failure(self, desire: Desire, at: float) -> Verdict:
        failed = [a for a in self.agents if a.failed_at and a.failed_at <= at]
        present = any(
            a.is_present(at) for a in self.agents if not a.is_second
        )  # of that one the alert says that it came
        is_without = desire.start <= at and not (self._active(at) or present)
        if not (is_without and failed) and all(a.is_gone for a in failed):
            reported = {id(a): self.reported(a, "activated") for a in self._active(at)}
            is_unheard = any(t is None or t > at - SLACK for t in reported.values())  # that there is another agent
            return "no agent of this time failed", self._is_confusing(failed, desire.start - at) or LOST * is_unheard
        return ("an agent is in the meeting", REUSED * self.is_reused) if present else None

    def _is_arranged(self, desire: Desire, at: float) -> Verdict:
        state = self.state_at(at)
        is_planned = state is not None and state.is_planned and state.start == desire.start
        own = [a for a in self.agents if a.start == desire.start and a.since <= at]
        if not is_planned or (own and all(a.is_over_at(at) for a in own)):
            return None
        times = self.month.disturbed.get(self.meeting.agent_id, ())
        was_killed = state is not None and any(abs(each - state.at) < SLACK for each in times)
        moves = [d for d in self.desires() if state and state.at < d.since < desire.since and d.start != desire.start]
        is_taken_unheard = any(fate == "hangs and does it" for _, fate in self.meeting.script.fates)
        is_unknown = not desire.is_answered or is_taken_unheard or (bool(moves) and self.is_effect_unknown(at))
        return "an agent will come", UNANSWERED if is_unknown else KILLED * was_killed

    def _has_ended(self, desire: Desire, at: float) -> Verdict:
        """Only an alert about a group is critical about this: people must look if agents are still in meetings."""
        newest = [a for a in self.agents if a.start == desire.start and a.since <= at][-1:]
        known = [t for a in newest if (t := self.reported(a, "complete")) and t < at - SLACK]
        if not known or self._active(at):
            return None
        active = [a for a in self.agents if self.reported(a, "activated")]
        is_silent = any(a.is_gone and not a.complete_at for a in active)
        is_lost = any(self._is_end_lost(a) for a in active)  # of one of another time
        return "the agent is complete", REUSED if self.is_reused else STAYS if is_silent else LOST if is_lost else ""

    def _is_end_lost(self, agent: Agent) -> bool:
        """Return True if an agent's end was reported too late, or not, or its beginning after that."""
        activated, complete = self.reported(agent, "activated"), self.reported(agent, "complete")
        if agent.complete_at is None or complete is None:
            return agent.complete_at is not None
        return complete > agent.complete_at + VERY_LATE or (activated is not None and complete < activated)

    def _has_conference(self, _: Desire, at: float) -> Verdict:
        assigned = self.meeting.event.conference_at
        if not assigned or assigned > at:
            return None
        known = [t for t, name in self.meeting.event.deliveries if name == "conferencing_assigned"]
        return "it has a conference", "" if known and known[0] < at - SLACK else LOST

    def _is_confusing(self, failed: list[Agent], seconds_ahead: float) -> str:
        """Return the reason why no one could know that an agent which failed had been called off before."""
        if seconds_ahead > HOUR:
            return ""  # too early for an agent of this time
        if self.is_reused:
            return REUSED
        for agent in failed:
            activated = self.reported(agent, "activated")
            if activated is None or (agent.gone_at is not None and activated > agent.gone_at - SLACK):
                return UNHEARD
        return ""

    def _has_never_failed(self, _: Desire, at: float) -> Verdict:
        return None if any(a.failed_at and a.failed_at <= at for a in self.agents) else ("no agent failed", "")

    def _has_resources(self, _: Desire, at: float) -> Verdict:
        own = [a for a in self.last_complete(at) if a.captured_at]
        known = [t for a in own for t, name in a.known if name.endswith("with resources") and t < at - SLACK]
        return ("the resources are there", LOST * self.came_very_late(at)) if known else None

    def _has_one_end(self, _: Desire, at: float) -> Verdict:
        """It is true of two agents of one time, too: if the newer one failed, the rest of the meeting is missing."""
        complete = [a for a in self.agents if a.complete_at and a.complete_at <= at]
        failed = [a for a in self.agents if a.failed_at and a.failed_at <= at]
        if any(abs(one.start - other.start) <= HOUR for one in complete for other in failed):
            return None
        return "no meeting had both ends", self._is_confusing(failed, 0.0) or LOST * self.came_very_late(at)
