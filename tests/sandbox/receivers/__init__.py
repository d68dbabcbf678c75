"""Stand-ins for the channels of teams, on the loopback interface: each checks what its vendor documents.

    with Receivers() as receivers:
        ...                                       # the stack has ChannelsUrl = receivers.url + "/{host}"
        receivers.pagerduty.alerts["ma_1/1/failed"].status
        receivers.slack.refuse(429, retry_after=2)

A receiver knows the host of its vendor; a request for `https://hooks.slack.com/services/T/B/x` comes to the path
`/hooks.slack.com/services/T/B/x`. Each keeps what it took, as its vendor would show it, and all requests with the
status that it answered.
"""

from tests.sandbox.receivers.server import Receivers

__all__ = ["Receivers"]
