"""The answer of a channel without its secrets: servers quote the address that they were called under. Pure."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from meeting_agents.channels.channel import Channel, Response
from meeting_agents.channels.kinds import kind_of

MIN_LENGTH = 6
"""Shorter texts are no secrets, and stand in any sentence."""
HIDDEN = "…"


def redacted(response: Response, channel: Channel) -> Response:
    """Return an answer in whose text a channel's path, query, key, room and secrets are replaced by `…`.

    Also each part of the path and the query, in any case, and as URLs, HTML and JSON write them.
    """
    text = response.text
    with suppress(ValueError, RecursionError):  # it is no JSON
        text = json.dumps(json.loads(text), ensure_ascii=False)  # `\/` and `\u002b` are characters again
    secrets = {form for secret in _secrets(channel) for form in _forms(secret) if len(form) >= MIN_LENGTH}
    if not secrets:
        return response
    pattern = "|".join(map(re.escape, sorted(secrets, key=lambda secret: (-len(secret), secret))))
    return replace(response, text=re.sub(pattern, HIDDEN, text, flags=re.IGNORECASE))


def _secrets(channel: Channel) -> Iterator[str]:
    yield from (channel.key, channel.room, *channel.secrets)
    if channel.address != kind_of(channel).address:  # the vendor's own, the same for all
        parts = urlsplit(channel.address)
        yield from (f"{parts.path}?{parts.query}", parts.path, parts.path.strip("/"), parts.query)
        for secret in (parts.path, parts.query):
            yield from re.split(r"[/&=;]", secret)


def _forms(secret: str) -> Iterator[str]:
    for form in (secret, unquote(secret), quote(secret), quote(secret, safe="")):
        yield from (form, html.escape(form), json.dumps(form, ensure_ascii=False)[1:-1])
