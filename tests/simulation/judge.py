"""The judge of a month. It sees what took place and the alerts that were sent, and no rule of the product.

What took place is the truth: who was in which meeting, who wished what last. For each meeting it says if people had to
be alerted, and by when; for each critical alert, if it was true when it was sent; and at the end, if the last word is.
What no one could know is no fault: it is counted by its kind.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.simulation.calendar_events import Agent
from tests.simulation.falsehoods import Falsehoods
from tests.simulation.findings import (
    ACTIVATION,
    ALLOWANCE,
    ARRANGEMENT,
    ASSUMED_DURATION,
    AT_ONCE,
    AWS,
    BY_HAND,
    CALLED_AFTER,
    CALLER_KNOWS,
    COMPLETION,
    KILLED,
    LOOKED_AT_EVERY,
    LOST,
    NO_END,
    NOT_CALLED_OFF,
    PATIENCE,
    RESOURCES,
    RETRIED_WITHIN,
    REUSED,
    SLACK,
    STAYS,
    UNCONFIRMED,
    UNDER_WAY,
    VERY_LATE,
    Desire,
    Fault,
    Figures,
    Sent,
)
from tests.simulation.scripts import HOUR, MINUTE, format_time
from tests.simulation.second_agents import counted
from tests.simulation.sent import sent_of
from tests.simulation.world import Month


def judge(month: Month) -> Figures:
    """Return the figures of a month."""
    sent = sent_of(month)
    figures = Figures(len(month.meetings), len(month.alerts), happened=month.happened, dead_letters=month.dead_letters)
    figures.second_agents = counted(month.meetings)
    for meeting in month.meetings:
        case = _Case(month, meeting, sent.get(meeting.agent_id, []))
        figures.faults += case.faults()
        figures.obligations += case.obligations
    for published in month.alerts:
        content = published.content
        for type_, count in content["types"].items():
            figures.sent[f"{content['status']} {content['severity']} {type_}"] += count
    return figures


@dataclass(frozen=True)
class _Case(Falsehoods):
    """One meeting, judged."""

    @property
    def obligations(self) -> int:
        return sum(1 for _ in (*self._obligations(), *self._profiles_due()))

    def faults(self) -> list[Fault]:
        return [
            *self._unsent(),
            *self._uncovered(),
            *self._without_profile(),
            *self.false_alerts(),
            *self._wrong_last_words(),
            *self._doubled(),
            *self._unwanted(),
            *self._without_verdict(),
            *self._repeated(),
        ]

    # ------------------------------------------------------------------------------------------------ an alert was due

    def _obligations(self) -> Iterator[tuple[Desire, float, float, str]]:
        """Yield what an alert was due: the wish, the deadline, until when it is true, and what it is."""
        for desire, until in self.spells():
            if not self._is_arranged_in_time(desire, until):
                yield (
                    desire,
                    desire.start - ARRANGEMENT + PATIENCE,
                    until,
                    "Cronofy had not accepted it half an hour before",
                )
            since = max(desire.since, desire.start)
            there = [a for a in self.agents if a.joined_at and a.joined_at < until and (a.left_at or until) > since]
            if not there:
                deadline = self._deadline_without(desire, until)
                is_lasting = until == desire.end and not self.is_prolonged(desire, deadline or until)
                if deadline and (deadline <= until or is_lasting):
                    yield desire, deadline, until, "no agent was in the meeting"
                continue
            last = there[-1]
            failed, complete = self.reported(last, "failed"), self.reported(last, "complete")
            if last.failed_at and not last.complete_at and not last.is_gone:
                if failed and (failed + ALLOWANCE < until or failed < until == desire.end):
                    yield desire, failed, until, "the agent failed in the meeting"
            elif (
                complete
                and not last.captured_at
                and not (last.is_gone or self.is_prolonged(desire, complete + RESOURCES))
            ):
                yield desire, complete + RESOURCES, until, "the agent captured nothing"

    def _is_arranged_in_time(self, desire: Desire, until: float) -> bool:
        """True if an agent was planned half an hour before the start, or the wish was too late for that."""
        deadline = desire.start - ARRANGEMENT
        if desire.since > deadline - ALLOWANCE - 10 * MINUTE or until < desire.start:
            return True
        desire_then = self.desire_at(deadline)
        if desire_then is None or not desire_then.is_answered:
            return True  # its caller got the error
        states = [self.state_at(at) for at in (deadline, deadline + PATIENCE + ALLOWANCE)]
        return any(state is not None and state.is_planned and state.start == desire.start for state in states)

    def _deadline_without(self, desire: Desire, until: float) -> float | None:
        """Return when an alert was due of a meeting without its agent; None if it was too short, or all is there.

        What Cronofy reports of an agent that is not in the meeting changes what can be known, and when.
        """
        gone = [self.reported(a, end) or 0.0 for a in self.agents if a.is_gone for end in ("complete", "failed")]
        made_way = [at for at in gone if 0.0 <= at - desire.since < ALLOWANCE]  # from then on another one is expected
        off = [d for d in self.desires() if d.since < desire.since][-1:]
        was_refused = any(not d.is_wanted and not d.is_answered for d in off)
        # The agent of a refused cancellation ended by itself, as far as is known: its resources are waited for.
        patience = RESOURCES if made_way and was_refused else ACTIVATION
        deadline = max(desire.since, desire.start, *made_way) + patience
        if until <= deadline + ALLOWANCE + MINUTE:
            return None
        if self._has_left_early(desire):
            return None
        own = [a for a in self.agents if not a.is_moot and a.since < until and not a.is_over_at(desire.since)]
        own = [a for a in own if a.start == desire.start or desire.start <= desire.since]
        failures = [at for a in own if not a.is_gone and (at := self.reported(a, "failed"))]
        stayed = [a for a in self.agents if not a.is_gone or (a.gone_at or 0.0) >= desire.end]
        ends = [at for a in stayed if (at := self.reported(a, "complete"))]
        ends = [at for at in ends if at >= desire.since]
        own += [a for a in self.agents if self._is_believed_there(a, desire, deadline)]
        is_active = any((at := self.reported(a, "activated")) and at < deadline for a in own)
        again = [d.since for d in self.desires() if failures and -SLACK < d.since - failures[0] < ALLOWANCE]
        if again:
            later = [at for at in failures if at > again[-1]]
            is_there = any((self.reported(a, "activated") or 0.0) > again[-1] for a in own)
            by = self._known_end(desire) + COMPLETION if is_there else again[-1] + ACTIVATION
            return max(deadline, by, *later)  # its caller has requested another one since
        if failures:
            return failures[0] if is_active else max(deadline, failures[0])
        if ends:  # it was there for a while, and may have left what it had
            return None if any(a.captured_at for a in self.agents) else max(deadline, ends[0] + RESOURCES)
        return self._known_end(desire) + COMPLETION if is_active else deadline

    def _is_believed_there(self, agent: Agent, desire: Desire, deadline: float) -> bool:
        """True if an agent is over at the time of a wish, and Cronofy neither reported it nor accepted a cancellation.

        The cancellation that ended it had an effect, but was refused.
        """
        is_of_it = agent.start == desire.start or desire.start <= desire.since
        if not (is_of_it and agent.activated_at and agent.is_over_at(desire.since)):
            return False
        ends = [self.reported(agent, end) for end in ("complete", "failed")]
        off = [d for d in self.desires() if not d.is_wanted and agent.activated_at < d.since <= desire.since]
        is_off = any(d.is_answered for d in off) or (agent.is_gone and not off)
        return not is_off and not any(at is not None and at <= deadline for at in ends)

    def _has_left_early(self, desire: Desire) -> bool:
        """True if an agent left at this time with what it had, and no accepted cancellation since had an effect."""
        own = [a for a in self.agents if a.joined_at and not a.is_gone and self._was_there_at(a, desire.start)]
        left = [a.captured_at for a in own if a.captured_at]
        taken = [state.at for state in self.meeting.event.states if not state.is_planned and state.at <= desire.since]
        off = [
            d.since for d in self.desires() if not d.is_wanted and d.is_answered and d.since <= max(taken, default=0.0)
        ]
        return any(max(off, default=0.0) < at <= desire.since for at in left)

    def _was_there_at(self, agent: Agent, start: float) -> bool:
        """True if an agent came at a start or later, or was there then and left before its meeting was over."""
        joined, left = agent.joined_at or 0.0, agent.left_at or 0.0
        desire = self.desire_at(left)
        return joined >= start or (left > start and desire is not None and left < desire.end)

    def _known_end(self, desire: Desire) -> float:
        """Return the end of a meeting; an agent without a calendar event has no known one."""
        return desire.end if self.meeting.event.key[0] else desire.start + ASSUMED_DURATION

    def _unsent(self) -> Iterator[Fault]:
        for desire, deadline, until, what in self._obligations():
            since = self._since(desire)
            firing = [t for t in self.sent if t.status == "firing" and (t.at >= since or self._is_still_sent(t, since))]
            by = deadline + ALLOWANCE
            in_time = [t for t in firing if t.at <= by]
            is_alerted = any(t.at < since or t.at > deadline for t in in_time) or self._is_believed(since, by)
            if in_time and is_alerted:
                continue
            later = [t.at for t in firing if t.at > by]
            kind = "late" if later else "missed"
            detail = f"{what}; an alert was due by {format_time(by)}"
            if later:
                detail += f", and were sent {(later[0] - by) / MINUTE:.1f} minutes later"
            yield Fault(
                kind,
                self.meeting,
                by,
                detail,
                self._excuse(desire, deadline, later[0] if later else until, is_late=bool(later)),
            )

    def _is_still_sent(self, sent: Sent, at: float) -> bool:
        """True if an alert about the account, which is true of each meeting that waits for it, is still the last.

        Or if the one that it is connected says that the meeting still waits.
        """
        connected = [t.at for t in self.sent if t.key == sent.key and t.status == "resolved"]
        is_over = any(sent.at < each <= at - RETRIED_WITHIN for each in connected)
        return sent.type == "account_disconnected" and sent.at < at and not is_over

    def _uncovered(self) -> Iterator[Fault]:
        """Yield silent agents of which nothing was sent alone after the alert about their group was resolved."""
        for sent in self.sent:
            if not sent.group or sent.status != "resolved":
                continue
            is_of_account = sent.type == "account_disconnected"
            by = sent.at + ALLOWANCE + (RETRIED_WITHIN if is_of_account else 0.0)
            state = self.state_at(by)
            for desire, deadline, until, what in self._obligations():
                if is_of_account and state and state.is_planned and state.start == desire.start:
                    continue  # it was requested again as soon as the account was connected
                is_lasting = until == desire.end and not is_of_account
                is_open = deadline <= sent.at and (by + MINUTE < until or is_lasting)
                is_heard_of = any(at > deadline - SLACK and at < by for a in self.agents for at, _ in a.known)
                is_newest = self.desire_at(by + MINUTE) == self.desire_at(sent.at)
                alone = [t for t in self.sent if not t.group and t.status == "firing" and self._since(desire) <= t.at]
                if is_open and is_newest and not is_heard_of and not any(t.at <= by for t in alone):
                    excuse = self._excuse(desire, sent.at, by, is_late=True)
                    yield Fault(
                        "missed", self.meeting, by, f"{what}; its group was resolved {format_time(sent.at)}", excuse
                    )

    def _without_profile(self) -> Iterator[Fault]:
        """Yield meetings whose disconnected profile was not in an alert about the account half an hour before."""
        for by in self._profiles_due():
            last = [t.status for t in self.sent if t.type == "account_disconnected" and t.at <= by + ALLOWANCE][-1:]
            alone = any(t.type == "no_conference" and t.at <= by + ALLOWANCE for t in self.sent)
            if last != ["firing"] and not (alone and self._is_account_alerted(by + ALLOWANCE)):
                excuse = AWS if self.was_disturbed(by - HOUR, by + ALLOWANCE) else ""
                yield Fault("missed", self.meeting, by, "the conferencing profile was disconnected", excuse)

    def _is_account_alerted(self, at: float) -> bool:
        """Return True if the last alert about the account says that it is disconnected, whichever meetings it lists."""
        key = f"account_disconnected/{self.meeting.script.account}"
        groups = [(p.content.get("group") or {}, p.content["status"]) for p in self.month.alerts if p.at <= at]
        of_account = [status for group, status in groups if group.get("dedup_key") == key]
        return of_account[-1:] == ["firing"]

    def _profiles_due(self) -> Iterator[float]:
        """Yield the times by which a disconnected profile had to be known, as far as it could be: Cronofy said so."""
        script, event = self.meeting.script, self.meeting.event
        parts = ("cronofy", "token", "callbacks", f"grant {script.account}")
        for desire, _ in self.spells() if script.caller == "account" else ():
            since, by = desire.start - ARRANGEMENT - LOOKED_AT_EVERY, desire.start - ARRANGEMENT + PATIENCE
            windows = [w for w in self.month.windows if w.since < by + ALLOWANCE and w.until > since - HOUR]
            is_lost = any(w.part == f"profile {script.account}" and w.since < since and by < w.until for w in windows)
            off = [d.since for d in self.desires() if not d.is_wanted and d.since < by + ALLOWANCE]
            came = [at for at, name in event.deliveries if name == "meeting_agent_activated" and at < since]
            believed = max((*off, *came), default=0.0)  # an agent that comes has a conference
            is_known = any(name == "conferencing_failing" and believed < at < since for at, name in event.deliveries)
            has_conference = event.conference_at is not None and event.conference_at < by + ALLOWANCE
            is_settled = all(d.since < since for d in self.desires() if d.since < by + ALLOWANCE)
            state = self.state_at(since)
            is_planned = state is not None and state.is_planned and state.start == desire.start
            is_readable = desire.is_answered and not any(w.part in parts for w in windows)
            if is_lost and is_known and is_planned and is_settled and is_readable and not has_conference:
                yield by

    def _since(self, desire: Desire) -> float:
        """Return the time from which alerts count.

        A meeting that moves while it runs leaves an alert true; so does one that is off for a moment.
        """
        before = [d for d in self.desires() if d.since < desire.since - 5 * MINUTE][-1:]
        is_same = any(d.is_wanted and (desire.start <= desire.since or d.start == desire.start) for d in before)
        return 0.0 if is_same else desire.since

    def _is_believed(self, since: float, at: float) -> bool:
        """True if the last that an alert was sent of an incident, since a time, is that it is open.

        The one that an account is connected says that the meeting still waits.
        """
        last: dict[str, Sent] = {}
        for sent in self.sent:
            still_waits = sent.type == "account_disconnected" and at < sent.at + RETRIED_WITHIN
            if since <= sent.at <= at and not (still_waits and sent.status == "resolved"):
                last[sent.key] = sent
        return any(sent.status == "firing" for sent in last.values())

    def _excuse(self, desire: Desire, deadline: float, at: float, *, is_late: bool) -> str:
        if self.is_unordered(desire) or self.is_off_and_on_at_once(desire):
            return AT_ONCE
        has_other_end = any(a.complete_at and a.complete_at >= desire.since for a in self.agents[:-1])
        if self.is_reused and (is_late or has_other_end):
            return REUSED
        if self._is_end_unknown(desire):
            return NO_END
        if self.is_by_hand(desire, deadline):
            return BY_HAND
        written = [each for each in self.meeting.event.written if each[1] >= desire.start - HOUR]
        delay = max((delivered - at_first for delivered, at_first in written), default=0.0)
        is_lost = desire.start <= deadline and any(lost < at for lost in self.meeting.event.lost)
        if delay > VERY_LATE or (is_late and (delay > ALLOWANCE or is_lost or self._is_end_unheard(desire, deadline))):
            return LOST
        if is_late and self.was_disturbed(deadline - ALLOWANCE, at):
            return AWS
        if not is_late and self.was_disturbed(at - ALLOWANCE, at):
            return AWS  # it did not work again before it was over
        if not desire.is_answered:
            return CALLER_KNOWS
        if self.is_changed_unconfirmed(desire, deadline):
            return UNCONFIRMED
        return STAYS if is_late and self._has_left_in_silence(desire) else ""

    def _is_end_unknown(self, desire: Desire) -> bool:
        """Return True if the agent of a meeting without a known end has left before it was moved, or wished for again.

        It was there after the start that is known, so that this may be over.
        """
        left = [a.complete_at for a in self.agents if a.complete_at and desire.start < a.complete_at <= desire.since]
        return not self.meeting.event.key[0] and (bool(left) or desire.end <= desire.since)

    def _is_end_unheard(self, desire: Desire, deadline: float) -> bool:
        """Return True if Cronofy could not report that an agent failed, or call after the end: it may be prolonged."""
        windows = [w for w in self.month.windows if w.part == "cronofy"]
        failed = [a for a in self.agents if a.failed_at and a.failed_at <= deadline]
        is_unreported = any(self.reported(a, "failed") is None for a in failed)
        is_uncalled = desire.end <= deadline and any(desire.end + CALLED_AFTER in window for window in windows)
        return is_uncalled or is_unreported

    def _has_left_in_silence(self, desire: Desire) -> bool:
        """True if the agent was active at this time, and left when the meeting was moved away for a while."""
        left = [a for a in self.agents if a.gone_at and a.gone_at <= desire.since + SLACK]
        left = [a for a in left if a.start == desire.start or (a.activated_at or 0.0) > desire.since - SLACK]
        return any(
            self.reported(a, "activated")
            and not (self.reported(a, "complete") or self.reported(a, "failed"))
            and all(d.is_wanted for d in self.desires() if d.since >= (a.gone_at or 0.0) - SLACK)
            for a in left
        )

    # ------------------------------------------------------------------------------------------------------- last words

    def _wrong_last_words(self) -> Iterator[Fault]:
        last = {sent.key: sent for sent in self.sent}
        for sent in last.values():
            reason = self._is_over(sent) if sent.status == "firing" else self._is_still_bad(sent)
            if reason:
                excuse = AWS if self.was_disturbed(sent.at, sent.at + HOUR) and self.month.dead_letters else ""
                excuse = excuse or (REUSED if self.is_reused else "")
                excuse = excuse or (AT_ONCE if any(map(self.is_unordered, self.desires()[-2:])) else "")
                excuse = excuse or (CALLER_KNOWS if not self.desires()[-1].is_answered else "")
                excuse = excuse or (NO_END if self._is_end_unknown(self.desires()[-1]) else "")
                excuse = excuse or (KILLED if self._was_killed(sent) else "")
                yield Fault("wrong last word", self.meeting, sent.at, f"{sent.status} {sent.type}: {reason}", excuse)

    def _was_called_off(self, agent: Agent, at: float) -> bool:
        """Return True if an accepted cancellation had ended an agent by a time: what it reports is not of the next."""
        off = [d.since for d in self.desires() if not d.is_wanted and d.is_answered and d.by == "caller"]
        return agent.gone_at is not None and agent.gone_at <= at and any(agent.gone_at - SLACK < t <= at for t in off)

    def _was_killed(self, sent: Sent) -> bool:
        """Return True if the function may have ended between an alert and its entry in the journal."""
        times = (*self.month.disturbed.get(self.meeting.agent_id, ()), *self.month.disturbed.get("", ()))
        return any(abs(at - sent.at) < SLACK for at in times)

    def _is_over(self, sent: Sent) -> str:
        """Return why a firing alert is not true any more at the end; empty if it is."""
        agents = [a for a in self.agents if sent.start is None or a.start == sent.start]
        newest = self.last_complete(sent.at)
        good = [a for a in agents if (at := self.reported(a, "complete")) and at > sent.at and a.joined_at]
        stayed = [a for a in good if not a.is_gone and sent.start in (None, a.last_start)]
        desire, connected = self.desires()[-1], self.is_connected(self.month.until)
        match sent.type:
            case "never_activated" | "not_finished" if not all(self._was_called_off(a, sent.at) for a in good):
                return "the agent is complete"
            case "failed" if any((a.complete_at or 0) > sent.at for a in stayed) and all(not a.failed_at for a in good):
                return "another agent is complete"
            case "not_arranged" | "rejected" if desire.is_wanted and any(a.start == desire.start for a in good):
                return "the agent came"
            case "no_conference" if good:
                return "the agent came"
            case "resources_missing" if any(name.endswith("with resources") for a in newest for _, name in a.known):
                return "the resources are there"
            case "account_disconnected" if connected:
                return connected[0]
            case "unwanted" if desire.is_wanted and desire.is_answered and good and desire.since < desire.end:
                return "the agent is wanted again, and came"
        return ""

    def _is_still_bad(self, sent: Sent) -> str:
        """Return why a resolved alert is not true at the end; empty if it is."""
        if sent.type in ("unwanted", "rejected", "no_conference"):
            return ""
        later = [t for t in self.sent if t.at >= sent.at and t.status == "firing"]
        if sent.type == "not_arranged":
            return "" if later else self._has_not_come(sent)
        waits_until = sent.at + (RETRIED_WITHIN if sent.type == "account_disconnected" else 0.0)
        for desire, deadline, _, what in self._obligations():
            is_same = sent.start is None or sent.start == desire.start
            if (
                is_same
                and not later
                and deadline > waits_until
                and not self._excuse(desire, deadline, deadline, is_late=True)
            ):
                return what
        return ""

    def _has_not_come(self, sent: Sent) -> str:
        """Return why people must be alerted again after an alert that an agent is arranged; empty if they need not."""
        by = sent.at + ACTIVATION + 2 * ALLOWANCE
        for desire, deadline, until, what in self._obligations():
            is_same = sent.start in (None, desire.start) and desire.since <= sent.at
            is_silent = what == "no agent was in the meeting" and deadline < until and by < until
            if is_same and is_silent and not self._excuse(desire, deadline, by, is_late=True):
                return what
        return ""

    # ---------------------------------------------------------------------------------------------------------- agents

    def _doubled(self) -> Iterator[Fault]:
        agents = [a for a in self.agents if a.joined_at]
        for number, agent in enumerate(agents):
            for other in agents[number + 1 :]:
                ends = [a.left_at or float("inf") for a in (agent, other)]
                if max(agent.joined_at or 0, other.joined_at or 0) < min(ends):
                    is_later = (agent.is_second and other.since > agent.since) or (
                        other.is_second and agent.since > other.since
                    )
                    detail, excuse = f"{agent.sub} and {other.sub}", NOT_CALLED_OFF if is_later else ""
                    yield Fault("doubled agent", self.meeting, other.joined_at or 0, detail, excuse)

    def _unwanted(self) -> Iterator[Fault]:
        """Yield agents that were in a meeting against the last wish, of which people were not sent."""
        alerts = [t for t in self.sent if t.status == "firing" and t.type == "unwanted"]
        for agent in self.agents:
            if agent.joined_at is None:
                continue
            since = self._unwanted_since(agent)
            left = agent.left_at or float("inf")
            if since is None or left - since < 5 * MINUTE:
                continue
            desire = self.desire_at(since)
            reports = [at for at, _ in agent.known if at >= (desire.since if desire else since) or self._waits(since)]
            known = reports[0] if reports else None
            by = max(known or since, since) + ALLOWANCE + 2 * MINUTE
            if not any(t.at <= by for t in alerts):
                excuse = self._excuse_of_unwanted(agent, since, known, by)
                yield Fault("unwanted without an alert", self.meeting, since, agent.sub, excuse)

    def _excuse_of_unwanted(self, agent: Agent, since: float, known: float | None, by: float) -> str:
        """Return why no one could know that an agent is there against the last wish. `known`: its first report then."""
        desire = self.desire_at(since)
        until = next((d.since for d in self.desires() if d.since > since and d.is_wanted), float("inf"))
        if desire and desire.by == "person":
            return BY_HAND
        if desire and (self.is_unordered(desire) or not desire.is_answered):
            return AT_ONCE if desire.is_answered else CALLER_KNOWS
        left = agent.left_at or float("inf")
        if known is None or known >= left:
            return STAYS
        if known >= until or by >= left:
            return LOST
        if desire and (agent.activated_at or known) < desire.since <= known < desire.since + SLACK:
            return UNDER_WAY
        return AWS if self.was_disturbed(known, by) else ""

    def _waits(self, since: float) -> bool:
        """Return True if a cancellation still waits when people must have been sent that the agent is there."""
        states = [self.state_at(at) for at in (since, since + 5 * MINUTE)]
        return all(state is not None and state.is_planned for state in states)

    def _unwanted_since(self, agent: Agent) -> float | None:
        """Return the time from which an agent was in the meeting and no one wanted it there."""
        joined = agent.joined_at or 0.0
        times = [joined, *(d.since for d in self.desires() if d.since > joined)]
        for at in times:
            desire = self.desire_at(at)
            if desire and not desire.is_wanted and agent.is_present(at + MINUTE):
                later = self.desire_at(at + 5 * MINUTE)
                if later and not later.is_wanted:
                    return at
        return None

    def _without_verdict(self) -> Iterator[Fault]:
        announced: Mapping[str, str] = self.month.verdicts.get(self.meeting.agent_id, {})
        for key in self.month.notifications.get(self.meeting.agent_id, set()) - announced.keys():
            yield Fault("notification without verdict", self.meeting, 0.0, key)

    def _repeated(self) -> Iterator[Fault]:
        """Yield the alerts that were sent again although nothing had changed since."""
        last: dict[str, Sent] = {}
        for sent in self.sent:
            before = last.get(sent.key)
            if before and not sent.group and (before.status, before.severity) == (sent.status, sent.severity):
                between = [d for d in self.desires() if before.at < d.since <= sent.at]
                is_other = any(d.start != sent.start or not d.is_wanted for d in between)
                is_other |= any(before.at < at <= sent.at for at in self.meeting.retries)
                is_new_time = before.start != sent.start or is_other
                excuse = AWS if self.was_disturbed(before.at - ALLOWANCE, sent.at) else ""
                if not is_new_time:
                    yield Fault("repeated", self.meeting, sent.at, f"{sent.status} {sent.type}", excuse)
            last[sent.key] = sent
