"""The layout of the tables: the key of each kind of item, and the names of attributes and indexes.

| item | `pk` | `sk` | when an agent's data is erased |
|---|---|---|---|
| entry of a journal | id of the agent | `entry#` and the entry's key | is deleted |
| erasure of an agent's data | id of the agent | `entry#erased` | is what remains |
| record | id of the agent | `record` | is replaced by an empty one |
| lease | `lease#` and its name | `lease` | names no agent |
| requests counted | `rate#` and the data center | `counts` | names no agent |
| event triggers | `triggers#` and the data center | `triggers` | names no agent |
| group of agents | `group#` and the group's key | `group` | names no agent; an account's goes with the account |
| second agents counted | `rescues#` and its name | the hour | names no agent, and expires |
| silence | `silences` | its name | names the agent no more; one for it alone is deleted |
| binding of a caller | `bindings` | the caller | names no agent |
| agent whose alert is held back | `held#` and the name of the silence | id of the agent | is deleted |

These are in the agents table. The accounts table has one item for each account, under its `account_id`: it names no
agent.
"""

from datetime import datetime
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    type Key = dict[str, AttributeValueTypeDef]

ENTRY_PREFIX = "entry#"
"""Selects entries in the stream's filter in the template."""
RECORD = "record"
EXPIRES_AT = "expires_at"
"""The TTL attribute: seconds since 1970, the same on every item of an agent."""
ZIPPED = "zipped"
"""A body, compressed: bytes are what the table costs. Entries of earlier versions have `raw`, or `body`, instead."""
DUE_INDEX = "due"
"""Records that have a deadline, by `due_shard` and `due_at`."""
DAY_INDEX = "day"
"""Records of agents, by `day`, which is a shard of the day, and `listed`: the start of the meeting, `#`, and the id."""
OPEN_INDEX = "open"
"""Records of agents with an open incident, by `open_shard` and `open_listed`: the time of the meeting, `#`, and the id.

An agent that waits for its account is in the shard `ACCOUNTS`, so that those of an account are found among few; each
other one is in a shard of its id. A group whose last alert is firing is in the shard `GROUPS`, since it opened, and a
drill since it began; one whose last alert is resolved in the shard `GROUPS_OVER`, since then."""
ACCOUNTS, GROUPS, GROUPS_OVER = "accounts", "groups", "groups_over"
SHARDS = 4
"""Partitions of an index by id: enough for thousands of agents a second, and few enough to query each."""
GROUP_PREFIX = "group#"
GROUP = "group"
"""Selects groups in the stream's filter in the template."""
RECEIPT_PREFIX = "receipt#"
"""Begins the attribute of a group that has the last change that a channel took; the channel's name follows."""
SILENCES = "silences"
"""The partition of all silences: few, and read together."""
BINDINGS = "bindings"
"""The partition of all bindings of callers."""
PROBE_PREFIX = "ma_probe-"
"""Begins the id of the probe's own agents. No id made from a natural key contains a hyphen."""


def entry(agent_id: str, key: str) -> "Key":
    """Return the key of an entry's item."""
    return {"pk": {"S": agent_id}, "sk": {"S": ENTRY_PREFIX + key}}


def entry_key(sk: str) -> str:
    """Return the key of an entry from its sort key."""
    return sk.removeprefix(ENTRY_PREFIX)


def record(agent_id: str) -> "Key":
    """Return the key of an agent's record."""
    return {"pk": {"S": agent_id}, "sk": {"S": RECORD}}


def lease(name: str) -> "Key":
    """Return the key of a lease."""
    return {"pk": {"S": f"lease#{name}"}, "sk": {"S": "lease"}}


def rate_counts(data_center: str) -> "Key":
    """Return the key of the item that counts the requests to a data center."""
    return {"pk": {"S": f"rate#{data_center}"}, "sk": {"S": "counts"}}


def rescue_budget(name: str, hour: str) -> "Key":
    """Return the key of the item that counts the second agents of an account in an hour, such as `2026-04-29T15`."""
    return {"pk": {"S": f"rescues#{name}"}, "sk": {"S": hour}}


def event_triggers(data_center: str) -> "Key":
    """Return the key of the item that remembers how a data center takes event triggers."""
    return {"pk": {"S": f"triggers#{data_center}"}, "sk": {"S": "triggers"}}


def group(key: str) -> "Key":
    """Return the key of the item of a group of agents."""
    return {"pk": {"S": f"{GROUP_PREFIX}{key}"}, "sk": {"S": GROUP}}


def group_key(pk: str) -> str:
    """Return the key of a group from its partition key."""
    return pk.removeprefix(GROUP_PREFIX)


def silence(name: str) -> "Key":
    """Return the key of a silence."""
    return {"pk": {"S": SILENCES}, "sk": {"S": name}}


def held(silence_name: str, agent_id: str) -> "Key":
    """Return the key of the item which says that an agent's alert is held back by a silence."""
    return {"pk": {"S": f"held#{silence_name}"}, "sk": {"S": agent_id}}


def binding(caller: str) -> "Key":
    """Return the key of a caller's binding."""
    return {"pk": {"S": BINDINGS}, "sk": {"S": caller}}


def account(account_id: str) -> "Key":
    """Return the key of an account in the accounts table."""
    return {"account_id": {"S": account_id}}


def due_index(agent_id: str, at: datetime) -> dict[str, str]:
    """Return the attributes that put a record into the index on deadlines."""
    return {"due_shard": _shard(agent_id), "due_at": timestamp(at)}


def open_index(agent_id: str, at: datetime, *, waits_for_account: bool) -> dict[str, str]:
    """Return the attributes that put a record into the index of what is open; `at`: the time of the meeting."""
    shard = ACCOUNTS if waits_for_account else _shard(agent_id)
    return {"open_shard": shard, "open_listed": f"{timestamp(at)}#{agent_id}"}


def open_shards() -> tuple[str, ...]:
    """Return the shards of the index of what is open that have agents."""
    return (ACCOUNTS, *map(str, range(SHARDS)))


def day_index(agent_id: str, start: datetime) -> dict[str, str]:
    """Return the attributes that put a record into the index by day, in the order of the starts."""
    at = timestamp(start)
    return {"day": day_shards(at[:10])[int(_shard(agent_id))], "listed": f"{at}#{agent_id}"}


def day_shards(day: str) -> tuple[str, ...]:
    """Return the shards of a day (`2026-04-29`, UTC) in the index by day: all of them have its agents.

    The first is the day alone, since versions without shards stored all records there.
    """
    return (day, *(f"{day}#{shard}" for shard in range(1, SHARDS)))


def _shard(agent_id: str) -> str:
    return str(crc32(agent_id.encode()) % SHARDS)


def is_probe(agent_id: str) -> bool:
    """Return whether the agent is the probe's own, which is in no list and causes no alert."""
    return agent_id.startswith(PROBE_PREFIX)


def timestamp(at: datetime) -> str:
    """Format a time as it is stored, published and shown: UTC, milliseconds; sorts as text."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
