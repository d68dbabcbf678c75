"""CloudWatch's evaluation of alarms, minute by minute.

The rules of https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, and of its
neighbours `alarm-evaluation.html`, `alarm-warm-up.html` and, for FILL, `using-metric-math.html`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import ge, gt, lt
from statistics import mean
from typing import Any, NamedTuple

type Samples = Mapping[int, Sequence[float]]
"""The values that a metric was sent, by the minute."""
type Watched = tuple[str, str]
"""A metric: the values of its dimensions, joined with `/`, and its name."""

_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {"Sum": sum, "Maximum": max, "Average": mean}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": ge,
    "GreaterThanThreshold": gt,
    "LessThanThreshold": lt,
}


class State(StrEnum):
    """The three that an alarm can be in. It is made in the last one."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Change(NamedTuple):
    """An alarm that changed its state, and the minute in which it did."""

    minute: int
    before: State
    after: State


@dataclass(frozen=True)
class Reading:
    """An interpretation of what the documentation leaves open.

    `beyond`: the points that are considered besides the newest evaluation periods; in the documentation's tables, two.
    `lag`: the minutes by which metrics come late.
    """

    beyond: int = 2
    lag: int = 0


def evaluate(points: Sequence[bool | None], needed: int, periods: int, missing: str, before: State) -> State:
    """Return the state that follows on the evaluation range `points`, newest last: breaching, not breaching or missing.

    Real points count first, even old ones; missing ones are filled in only where real ones are fewer than `periods`.
    """
    real = [point for point in points if point is not None][-periods:]
    filled = periods - len(real)
    breaching = sum(real) + (filled if missing == "breaching" else 0)
    if breaching >= needed:
        return State.ALARM
    if missing in ("breaching", "notBreaching") or not all(real):
        return State.OK
    if missing == "ignore":
        return before
    oldest = next((len(points) - index for index, point in enumerate(points) if point), 0)
    return State.ALARM if oldest >= needed else State.INSUFFICIENT_DATA


@dataclass(frozen=True)
class Alarm:
    """An alarm as CloudFormation is given it, on one metric or, `is_filled`, on the sum of several filled with 0."""

    metrics: tuple[Watched, ...]
    is_filled: bool
    statistic: str
    period: int
    periods: int
    needed: int
    comparison: str
    threshold: float
    missing: str
    warm_up: int

    @classmethod
    def declared(cls, properties: Mapping[str, Any], name_of: Callable[[Any], str]) -> "Alarm":
        """Read an alarm's properties; `name_of` names the value of a dimension."""
        queries = properties.get("Metrics", [])
        if stats := [each["MetricStat"] for each in queries if "MetricStat" in each]:
            total = " + ".join(f"FILL({each['Id']}, 0)" for each in queries if "MetricStat" in each)
            assert [each["Expression"] for each in queries if each.get("ReturnData", True)] == [total], "another sum"
        else:
            stats = [{"Metric": properties, "Period": properties["Period"], "Stat": properties["Statistic"]}]
        [(period, statistic)] = {(each["Period"], each["Stat"]) for each in stats}
        return cls(
            metrics=tuple(_watched(each["Metric"], name_of) for each in stats),
            is_filled=bool(queries),
            statistic=statistic,
            period=period // 60,
            periods=properties["EvaluationPeriods"],
            needed=properties.get("DatapointsToAlarm", properties["EvaluationPeriods"]),
            comparison=properties["ComparisonOperator"],
            threshold=properties["Threshold"],
            missing=properties.get("TreatMissingData", "missing"),
            warm_up=properties.get("WarmUpConfiguration", {}).get("WarmUpPeriodDurationInMinutes", 0),
        )

    def changes(self, world: Mapping[Watched, Samples], until: int, reading: Reading) -> list[Change]:
        """Evaluate the alarm every minute, from its creation in minute 0 on."""
        found: list[Change] = []
        state, is_warm = State.INSUFFICIENT_DATA, False
        for now in range(1, until + 1):
            points = self._points(world, now, reading)
            is_warm = is_warm or now > self.warm_up or None not in points[-self.periods :]
            if is_warm and (after := evaluate(points, self.needed, self.periods, self.missing, state)) is not state:
                found.append(Change(now, state, after))
                state = after
        return found

    def _points(self, world: Mapping[Watched, Samples], now: int, reading: Reading) -> list[bool | None]:
        known = range(now - reading.lag)
        return [
            self._point(world, range(now - (ago + 1) * self.period, now - ago * self.period), known)
            for ago in reversed(range(self.periods + reading.beyond))
        ]

    def _point(self, world: Mapping[Watched, Samples], minutes: range, known: range) -> bool | None:
        total = 0.0
        for metric in self.metrics:
            samples = world.get(metric, {})
            sent = [value for minute in minutes if minute in known for value in samples.get(minute, ())]
            if not (sent or self.is_filled):
                return None
            total += _STATISTICS[self.statistic](sent) if sent else 0
        return _COMPARISONS[self.comparison](total, self.threshold)


def drawn(row: str) -> list[bool | None]:
    """Read a row of the documentation's tables, such as `0 - X - X`."""
    return [{"0": False, "X": True, "-": None}[each] for each in row.split()]


def _watched(metric: Mapping[str, Any], name_of: Callable[[Any], str]) -> Watched:
    values = [name_of(each["Value"]) or each["Value"] for each in metric.get("Dimensions", [])]
    return "/".join(values), metric["MetricName"]
