"""A stand-in for Cronofy on the loopback interface: it checks, answers and calls back as Cronofy documents.

    with StandIn() as cronofy:
        grant = cronofy.grant("de", calendars=("cal_1",))
        ...                                        # upsert an event at cronofy.url_for("de")
        cronofy.activate(("de", "cal_1", "event_1"))
        cronofy.complete(("de", "cal_1", "event_1"), times=2)

A test, or an operator with curl, moves agents from state to state; the clock never does. `Behaviour` names each
choice that Cronofy does not document. All six data centers are here: a path may begin with the host of
one, as in `/api-de.cronofy.com/v1/…`; without it, it is the American one.

`python -m tests.sandbox.stand_in` runs it alone; `GET /_control` says how to steer it.
"""

from tests.sandbox.stand_in.courier import Delivery, Notification, sign
from tests.sandbox.stand_in.media import Media
from tests.sandbox.stand_in.server import DeliveryOptions, StandIn
from tests.sandbox.stand_in.wire import Fault, Request
from tests.sandbox.stand_in.world import HOSTS, Agent, Application, Behaviour, Grant, Key, Meeting

__all__ = [
    "HOSTS",
    "Agent",
    "Application",
    "Behaviour",
    "Delivery",
    "DeliveryOptions",
    "Fault",
    "Grant",
    "Key",
    "Media",
    "Meeting",
    "Notification",
    "Request",
    "StandIn",
    "sign",
]
