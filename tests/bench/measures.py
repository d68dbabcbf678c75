"""Numbers from repetitions: the middle, and how far they spread."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any


def spread(values: Sequence[float], digits: int = 1) -> dict[str, Any]:
    """Median, quartiles and count."""
    low, _, high = quantiles(values, n=4) if len(values) > 1 else (values[0],) * 3
    return {
        "median": round(median(values), digits),
        "quartiles": [round(low, digits), round(high, digits)],
        "n": len(values),
    }


def ratio(values: Sequence[float], base: Sequence[float]) -> dict[str, Any]:
    """Ratio of the medians; the spread is that of pairs, which were measured one after the other."""
    pairs = [value / beside for value, beside in zip(values, base, strict=True)]
    return spread(pairs, 2) | {"median": round(median(values) / median(base), 2)}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
