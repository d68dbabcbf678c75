"""Many agents requested within a minute, against Cronofy's limits, on a clock of its own: until all have arrived."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from meeting_agents.aws.rate_limiter import Limits
from meeting_agents.errors import RateLimited
from tests.desk import Desk
from tests.sandbox.embedded_aws import EmbeddedAws

SWEEPING = timedelta(seconds=30)
"""The time of the sweep for waiting requests, in each minute."""


def rush(aws: EmbeddedAws, limits: Limits, count: int) -> dict[str, Any]:
    """Request `count` agents, evenly, within a minute; the sweep delivers those that the limits delayed.

    most_in_a_second, most_in_a_minute  the most requests at Cronofy in any stretch of that length
    minutes                             from the first request until the last agent is at Cronofy
    statuses                            what Cronofy answered
    """
    with Desk(aws, limits) as desk:
        sent = list[float]()
        desk.http.event_hooks["request"] = [lambda _: sent.append(desk.seconds())]
        began = desk.seconds()
        provisioning = desk.provisioning()
        for request in [desk.schedule(f"key_{number}") for number in range(count)]:
            provisioning.submit(request)
            desk.sleep(60 / count)
            desk.track(request.agent_id)
        at_once, minutes = len(sent), 0
        while len(sent) < count and minutes < count:
            minutes += 1
            minute = desk.now
            _sweep(desk, until=minute + SWEEPING)
            desk.now = minute + timedelta(seconds=60)
        return {
            "wanted": count,
            "at_once": at_once,
            "agents_at_cronofy": len(desk.cronofy.agents),
            "requests": len(sent),
            "statuses": {str(status): n for status, n in Counter(r.status for r in desk.cronofy.requests).items()},
            "most_in_a_second": most_within(1, sent),
            "most_in_a_minute": most_within(60, sent),
            "minutes": round((max(sent) - began) / 60, 1),
        }


def most_within(seconds: float, sent: list[float]) -> int:
    """The most requests within any period of that length."""
    return max((sum(at - seconds < other <= at for other in sent) for at in sent), default=0)


def _sweep(desk: Desk, until: datetime) -> None:
    """Retry each due agent as `functions/sweep` does, waiting for Cronofy's limits until `until`."""
    provisioning = desk.provisioning()
    for agent in list(desk.journal().due(desk.now)):
        while desk.now < until:
            try:
                provisioning.retry(agent)
            except RateLimited:
                desk.sleep(1)
            else:
                desk.track(agent)
                break
