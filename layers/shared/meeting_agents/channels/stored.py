"""The channels as they are stored: strict parsing of the secret. Pure.

    [{"name": "pager", "kind": "pagerduty", "routing_key": "…", "severity": ["critical"]},
     {"name": "team", "kind": "slack", "url": "https://hooks.slack.com/services/…"}]

A problem says what is wrong, where, and what to do, and never quotes a value.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

from meeting_agents.channels.channel import Channel, Kind
from meeting_agents.channels.kinds import KINDS, MEMBERS
from meeting_agents.channels.signed import secret_bytes
from meeting_agents.domain.labels import WantedLabels, parse_wanted
from meeting_agents.domain.model import IncidentType, Severity
from meeting_agents.errors import MissingSecret

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
FILTERS: Mapping[str, frozenset[str] | None] = {
    "severity": frozenset(Severity),
    "type": frozenset(IncidentType),
    "account": None,
    "data_center": None,
    "label": None,
}
"""The members that say what a channel wants, and the values that each may have; None: any text."""
MIN_SECRET_BYTES = 16
EXAMPLE = '[{"name": "pager", "kind": "pagerduty", "routing_key": "…"}]'


class _WrongError(Exception):
    """A channel is not stored as it must be."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The channels that can be used, and the problem of each other one by its name, or its place in the list."""

    channels: tuple[Channel, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)


def read_channels(text: str) -> Stored:
    """Read the value of the secret. Raises `MissingSecret` if it is no list at all."""
    try:
        values = json.loads(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise MissingSecret(f"the secret of the output ChannelsSecretArn is no JSON list; store one like {EXAMPLE}")
    channels: dict[str, Channel] = {}
    problems: dict[str, str] = {}
    names = [value.get("name") for value in values if isinstance(value, dict)]
    for number, value in enumerate(values, 1):
        name = value.get("name") if isinstance(value, dict) else None
        is_name = isinstance(name, str) and NAME.fullmatch(name) and names.count(name) == 1
        where = str(name) if is_name else f"number {number}"  # one of two with a name is no fault of the other
        try:
            channel = _channel(value, channels.keys())
            channels[channel.name] = channel
        except _WrongError as error:
            problems[where] = str(error)
    return Stored(tuple(channels.values()), problems)


def _channel(value: Any, names: Collection[str]) -> Channel:
    if not isinstance(value, dict):
        raise _WrongError(f"it is no JSON object; store one as in {EXAMPLE}")
    name, kind_name = value.get("name"), value.get("kind")
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise _WrongError("its name must be 1 to 32 lower-case letters, digits, hyphens and underscores")
    if name in names:
        raise _WrongError("another channel has the same name; give each a name of its own")
    if not isinstance(kind_name, str) or kind_name not in KINDS:
        raise _WrongError(f"its kind must be one of {', '.join(KINDS)}")
    given = value.keys() - {"name", "kind", *FILTERS}
    kind = _meant(kind_name, KINDS[kind_name], given)
    fields: dict[str, Any] = {"address": kind.address}
    fields |= {MEMBERS[member]: _member(member, value[member]) for member in given}
    if fields["address"]:
        _check_address(fields["address"], kind)
    fields |= {member: _filter(member, value[member]) for member in FILTERS if member in value}
    return Channel(name=name, kind=kind_name, **fields)


def _meant(name: str, kinds: Sequence[Kind], given: set[str]) -> Kind:
    """Return the way to reach a channel that has these members."""
    for kind in kinds:
        if kind.needs <= given <= kind.needs | kind.allows:
            return kind
    known = {*FILTERS, *(member for kind in kinds for member in kind.needs | kind.allows)}
    for member in sorted(given - known):
        close = get_close_matches(member, known, 1)
        raise _WrongError(f"it has no member {member!r}{f'; did you mean {close[0]}?' if close else ''}")
    needs = " or ".join(" and ".join(sorted(kind.needs)) for kind in kinds)
    raise _WrongError(f"a channel of kind {name} needs {needs}")


def _member(member: str, value: Any) -> Any:
    if member == "secrets":
        return _secrets(value)
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise _WrongError(f"its {member} must be a text without spaces, as the vendor shows it")
    return value


def _secrets(value: Any) -> tuple[str, ...]:
    wanted = "its secrets must be a list of one to three texts: whsec_ and the base64 of at least 16 bytes"
    if not isinstance(value, list) or not 1 <= len(value) <= 3:
        raise _WrongError(wanted)
    for secret in value:
        try:
            is_long = isinstance(secret, str) and len(secret_bytes(secret)) >= MIN_SECRET_BYTES
        except ValueError:
            is_long = False
        if not is_long:
            raise _WrongError(wanted)
    return tuple(value)


def _check_address(address: str, kind: Kind) -> None:
    try:
        parts = urlsplit(address)
        is_https = parts.scheme == "https" and bool(parts.hostname) and parts.port in (None, 443)
    except ValueError:
        raise _WrongError("its url is no address; store it as the vendor shows it") from None
    if not is_https or parts.username is not None or parts.fragment:
        raise _WrongError("its url must begin with https://, without a user, another port or a fragment")
    host = str(parts.hostname)
    if kind.hosts and not any(host == end or host.endswith(f".{end}") for end in kind.hosts):
        raise _WrongError(f"its url must be at {' or '.join(kind.hosts)}")


def _filter(member: str, value: Any) -> frozenset[str] | WantedLabels:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) and each for each in value):
        raise _WrongError(f"its {member} must be a list of texts")
    known = FILTERS[member]
    wrong = sorted(set(value) - known) if known is not None else []
    if wrong:
        raise _WrongError(f"its {member} must be among {', '.join(sorted(known or ()))}")
    if member != "label":
        return frozenset(value)
    try:
        return parse_wanted(value)
    except ValueError:
        raise _WrongError("its label must be a list of texts like team:sales") from None
