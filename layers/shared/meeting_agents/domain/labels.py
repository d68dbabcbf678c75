"""Labels: the caller's own words about an agent, by which its alerts are routed and lists are narrowed down. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?")
VALUE = re.compile(r"[!-+\--~](?:[ -+\--~]{0,62}[!-+\--~])?")
"""Visible ASCII and spaces inside, no comma: with one, two headers of the same name arrive as one."""

type Labels = Mapping[str, str]
"""The value of each label by its name, which is in lower case."""
type WantedLabels = Mapping[str, tuple[str, ...]]
"""The values that each label may have, by its name; no names: any agent."""


def pairs(labels: Labels) -> tuple[str, ...]:
    """Return each label as `name:value`, in the order of their names. No name contains a colon."""
    return tuple(f"{name}:{value}" for name, value in sorted(labels.items()))


def most_frequent(of_agents: Iterable[Labels], limit: int) -> tuple[str, ...]:
    """Return the labels that most of these agents have as `name:value`, at most `limit`, in order."""
    counted = Counter(pair for labels in of_agents for pair in pairs(labels))
    return tuple(sorted(pair for pair, _ in counted.most_common(limit)))


def parse_wanted(texts: Iterable[str]) -> WantedLabels:
    """Return `name:value` texts as the labels that are wanted. Raises `ValueError` for what no label can be."""
    wanted: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, _, value = text.partition(":")
        name = name.lower()
        if not (NAME.fullmatch(name) and VALUE.fullmatch(value)):
            raise ValueError("not a label like team:sales")
        wanted[name] = (*wanted.get(name, ()), value)
    return wanted


def matches(labels: Labels, wanted: WantedLabels) -> bool:
    """Return True if each wanted label has one of its values."""
    return all(labels.get(name) in values for name, values in wanted.items())


def match_pairs(labels: Collection[str], wanted: WantedLabels) -> bool:
    """Return True if each wanted label has one of its values among these `name:value`, of one agent or of several."""
    return all(any(f"{name}:{value}" in labels for value in values) for name, values in wanted.items())
