"""A stand-in for Cronofy on the loopback interface: it checks, answers and calls back as Cronofy documents.

    with StandIn() as cronofy:
        grant = cronofy.grant("de", calendars=("cal_1",))
        ...                                        # upsert an event at cronofy.url_for("de")
        cronofy.activate(("de", "cal_1", "event_1"))
        cronofy.complete(("de", "cal_1", "event_1"), times=2)

Agents live by what a test, or an operator with curl, tells of them, never by the clock. What Cronofy does not
document is a choice that `Behaviour` names. All six data centers are here: a path may begin with the host of
one, as in `/api-de.cronofy.com/v1/…`; without it, it is the American one.

`python -m tests.sandbox.stand_in` runs it alone; `GET /_control` says how to steer it.
"""

from tests.sandbox.stand_in.courier import Delivery, Notification, sign
from tests.sandbox.stand_in.server import How, StandIn
from tests.sandbox.stand_in.wire import Fault, Request
from tests.sandbox.stand_in.world import HOSTS, Agent, Application, Behaviour, Grant, Key, Meeting

__all__ = [
    "HOSTS",
    "Agent",
    "Application",
    "Behaviour",
    "Delivery",
    "Fault",
    "Grant",
    "How",
    "Key",
    "Meeting",
    "Notification",
    "Request",
    "StandIn",
    "sign",
]
