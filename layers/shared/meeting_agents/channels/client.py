"""The sending of a parcel to a channel: one request, within a bounded time, and the meaning of the answer."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from meeting_agents.aws.topics import IncidentsTopic
from meeting_agents.channels.channel import Answer, Channel, Outcome, Parcel, Request, Response
from meeting_agents.channels.kinds import kind_of
from meeting_agents.channels.redaction import redacted
from meeting_agents.channels.topic import attributes_of
from meeting_agents.domain.model import ChangeType
from meeting_agents.errors import MessageRejected, TopicUnavailable
from meeting_agents.time_limit import within

TIMEOUT = httpx.Timeout(5.0, connect=3.0)
"""Seconds of silence that end a request."""
TOTAL_TIMEOUT = 8.0
"""Seconds for the whole request and its answer."""
TIMEOUT_MARGIN = 0.25
"""Seconds by which that limit is longer than the one of the body, which ends an answer whose status is known."""
MAX_RESPONSE_BYTES = 64 * 1024


class ChannelClient:
    """The way to all channels. `url`: the address under which they are called, with `{host}` for a channel's own."""

    def __init__(
        self,
        client: httpx.Client,
        url: str,
        topic: Callable[[], IncidentsTopic],
        total_timeout: float = TOTAL_TIMEOUT,
    ) -> None:
        self._client = client
        self._url = url
        self._topic = topic
        self._total_timeout = total_timeout

    def send(self, channel: Channel, parcel: Parcel) -> Answer:
        """Send a parcel once, and return what the channel answered. No redirect is followed.

        If the message is gone that a trigger should answer, it is sent once more by itself: an escalation or a reminder
        must be seen. An acknowledgement and an end have nothing to say then.
        """
        answer = self._send(channel, parcel)
        if answer.is_gone and parcel.action is ChangeType.TRIGGER:
            return replace(self._send(channel, replace(parcel, message="", is_alone=True)), is_gone=True)
        return answer

    def _send(self, channel: Channel, parcel: Parcel) -> Answer:
        request = kind_of(channel).build(channel, parcel)
        return self._publish(request, parcel) if not request.address else self._post(channel, request, parcel.at)

    def _post(self, channel: Channel, request: Request, now: datetime) -> Answer:
        parts = urlsplit(request.address)
        address = self._url.format(host=parts.hostname) + parts.path + (f"?{parts.query}" if parts.query else "")
        until = time.monotonic() + self._total_timeout

        def exchange() -> Response:
            content = bytearray()
            with self._client.stream(
                "POST", address, content=request.body, headers=dict(request.headers), timeout=TIMEOUT
            ) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_RESPONSE_BYTES or time.monotonic() > until:
                        break
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status_code, headers, content.decode(errors="replace"))

        try:
            answered = within(self._total_timeout + TIMEOUT_MARGIN, exchange)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            answered = Response(0, text=type(error).__name__)  # its message may have the secret address
        answer = kind_of(channel).read(answered, now)
        if answer.is_taken:
            return answer
        # The words that people read; the rest of the answer, such as the id of a message, needs all of it.
        problem = kind_of(channel).read(redacted(answered, channel), now).problem
        return replace(answer, problem=problem or f"it answered {answered.status}")

    def _publish(self, request: Request, parcel: Parcel) -> Answer:
        try:
            self._topic().publish(request.body.decode(), attributes_of(parcel))
        except TopicUnavailable as error:
            return Answer(Outcome.LATER, error.detail)
        except MessageRejected as error:
            return Answer(Outcome.REFUSED, error.detail)
        return Answer(Outcome.TAKEN)
