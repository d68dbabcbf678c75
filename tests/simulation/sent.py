"""The alerts that were sent in a month, by agent: alone, or by one about a group."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tests.simulation.findings import SLACK, Sent
from tests.simulation.stack import Published
from tests.simulation.world import Included, Month


@dataclass
class _Spell:
    """The time in which the alert about a group is firing."""

    since: float
    until: float = float("inf")
    agents: dict[str, Sent] = field(default_factory=dict)
    """The first alert about each agent."""

    def __contains__(self, at: float) -> bool:
        return self.since - SLACK <= at <= self.until + SLACK

    def alerts(self) -> Iterator[tuple[str, Sent]]:
        """Yield the alerts about each agent."""
        for agent_id, alert in self.agents.items():
            yield agent_id, alert
            if self.until < float("inf"):
                yield agent_id, replace(alert, at=self.until, status="resolved")


def sent_of(month: Month) -> dict[str, list[Sent]]:
    """Return the alerts that were sent, by agent, in the order of their times.

    An alert about a group is one about each agent that it lists, and about each that the journal says it includes, if
    that is so while it is firing. When it is resolved it says of no agent any more that its incident is open.
    """
    spells: dict[str, list[_Spell]] = {}
    alone: list[tuple[str, Sent]] = []
    for published in month.alerts:
        if group := published.content.get("group"):
            _take(spells.setdefault(group["dedup_key"], []), published, group["dedup_key"])
        else:
            alone += _listed(published)
    _include(month.included, spells)
    all_spells = [spell for of_group in spells.values() for spell in of_group]
    sent: dict[str, list[Sent]] = {}
    for agent_id, alert in [*alone, *(pair for spell in all_spells for pair in spell.alerts())]:
        sent.setdefault(agent_id, []).append(alert)
    return {agent_id: _keyed(sorted(alerts, key=lambda alert: alert.at)) for agent_id, alerts in sent.items()}


def _keyed(alerts: Sequence[Sent]) -> list[Sent]:
    """Return the alerts, each of a list that was too long for its agents with the key of the one that follows it."""
    keyed: list[Sent] = []
    for number, alert in enumerate(alerts):
        following = (later.key for later in alerts[number + 1 :] if later.type == alert.type and not later.group)
        is_omitted = not alert.group and alert.start is None and alert.key.endswith(f"/{alert.type}")
        keyed.append(replace(alert, key=next(following, alert.key)) if is_omitted else alert)
    return keyed


def _take(of_group: list[_Spell], published: Published, group: str) -> None:
    """Take an alert about a group."""
    if published.content["status"] == "resolved":
        of_group[-1].until = published.at
        return
    if not of_group or of_group[-1].until < published.at:
        of_group.append(_Spell(published.at))
    for agent_id, alert in _listed(published):
        of_group[-1].agents.setdefault(agent_id, replace(alert, group=group))


def _include(included: Mapping[str, Sequence[Included]], spells: Mapping[str, Sequence[_Spell]]) -> None:
    """Let the alerts about groups be about the agents that they do not list, or only later, but include."""
    for agent_id, entries in included.items():
        for entry in (entry for entry in entries if entry.status == "firing"):
            for spell in (spell for spell in spells.get(entry.group, ()) if entry.at in spell):
                key = f"{agent_id}/{entry.attempt}/{entry.type}"
                alert = Sent(entry.at, "firing", "critical", entry.type, key, None, entry.group)
                listed = spell.agents.get(agent_id)
                spell.agents[agent_id] = listed if listed and listed.at <= entry.at else alert


def _listed(published: Published) -> Iterator[tuple[str, Sent]]:
    content = published.content
    words = published.at, content["status"], content["severity"]
    for agent in content["agents"]:
        start = agent["meeting"].get("start")
        key = agent.get("dedup_key") or f"{agent['agent_id']}/{agent['type']}"
        seconds = datetime.fromisoformat(start).timestamp() if start else None
        yield agent["agent_id"], Sent(*words, agent["type"], key, seconds)
    for type_, agent_ids in content["omitted"].items():
        for agent_id in agent_ids:
            yield agent_id, Sent(*words, type_, f"{agent_id}/{type_}", None)
