"""The groups of agents in the agents table: the agents that wait, the last callback, the last alert about each."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from meeting_agents.aws import keys
from meeting_agents.aws.accounts import Connection
from meeting_agents.aws.dynamodb import Item, Table
from meeting_agents.aws.keys import timestamp
from meeting_agents.cronofy.messages import AccountState
from meeting_agents.domain.acknowledgement import Acknowledgement
from meeting_agents.domain.drills import DRILL, DrillTime
from meeting_agents.domain.groups import (
    HEARD_EVERY,
    WITHOUT_AGENTS,
    ChannelFailure,
    Group,
    GroupState,
    Waiting,
    owes_alert,
)
from meeting_agents.domain.model import AlertStatus, ChangeType, IncidentType, Meeting, Severity
from meeting_agents.domain.record import LastAlert, Receipt


class Groups:
    """The groups of agents. Every method raises `StoreUnavailable` and `StoreRejected`.

    `connection_of`: returns the connection of a registered account, or None.
    """

    def __init__(self, table: Table, connection_of: Callable[[str], Connection | None]) -> None:
        self._table = table
        self._connection_of = connection_of

    def read(self, group: Group) -> GroupState:
        """Return the facts about a group with the newest writes."""
        return self._state(group, self._table.get(keys.group(group.key)) or {})

    def waiting(self, group: Group, after: datetime | None, now: datetime) -> list[Waiting]:
        """Return the agents of a group that wait from a time after `after`, the earliest meeting first."""
        if group.type in WITHOUT_AGENTS:
            return []
        is_account = group.type is IncidentType.ACCOUNT_DISCONNECTED
        shards = (keys.ACCOUNTS,) if is_account else keys.open_shards()
        items = [item for shard in shards for item in self._of_group(shard, group, after, now)]
        return [_waiting(item) for item in sorted(items, key=lambda item: item["open_listed"]["S"])]

    def _of_group(self, shard: str, group: Group, after: datetime | None, now: datetime) -> Iterator[Item]:
        """Iterate over the agents of a group in a shard. Those of a data center began after its last callback."""
        return self._table.query(
            IndexName=keys.OPEN_INDEX,
            KeyConditionExpression="open_shard = :shard AND open_listed > :after",
            FilterExpression="group_key = :group AND expires_at > :now",
            ExpressionAttributeValues={
                ":shard": {"S": shard},
                ":group": {"S": group.key},
                ":after": {"S": f"{timestamp(after)}$" if after else " "},  # `$` follows `#`
                ":now": {"N": str(int(now.timestamp()))},
            },
        )

    def firing(self) -> list[Group]:
        """Return the groups whose last alert says that their incident is open, and a drill that began."""
        items = self._table.query(
            IndexName=keys.OPEN_INDEX,
            KeyConditionExpression="open_shard = :groups",
            ExpressionAttributeValues={":groups": {"S": keys.GROUPS}},
        )
        return [Group.of_key(item["pk"]["S"].removeprefix(keys.GROUP_PREFIX)) for item in items]

    def over_since(self, at: datetime) -> Iterator[tuple[Group, GroupState]]:
        """Iterate over the groups whose last incident was over at a time or later, the latest first.

        Of the facts about them the last alert, the opening and the acknowledgement are read.
        """
        items = self._table.query(
            IndexName=keys.OPEN_INDEX,
            KeyConditionExpression="open_shard = :over AND open_listed >= :at",
            ExpressionAttributeValues={":over": {"S": keys.GROUPS_OVER}, ":at": {"S": timestamp(at)}},
            ScanIndexForward=False,
        )
        for item in items:
            state = GroupState(
                last=_last_alert(item),
                opened_at=_time(item, "opened_at"),
                acknowledgement=_acknowledgement_of(item),
            )
            yield Group.of_key(item["pk"]["S"].removeprefix(keys.GROUP_PREFIX)), state

    def owing(self, groups: Iterable[Group], escalation: timedelta | None, now: datetime) -> Iterator[Group]:
        """Iterate over those of these groups about which an alert is owed of which no agent has news."""
        return (group for group in groups if owes_alert(group, self.read(group), escalation, now))

    def begin_drill(self, time: DrillTime | None, now: datetime) -> bool:
        """Begin the weekly drill: it is listed from then on, and owes an alert. `time`: None if there is none.

        False if it is not its time, it began already, or people have not heard the last word about the one before.
        """
        due_at = time.due_at(now) if time else None
        if due_at is None:
            return False
        begun, _ = self._table.try_update(
            keys.group(DRILL.key),
            "SET drill_at = :now, open_shard = :groups, open_listed = :now",
            {":now": {"S": timestamp(now)}, ":due": {"S": timestamp(due_at)}, ":groups": {"S": keys.GROUPS}},
            "(attribute_not_exists(drill_at) OR drill_at < :due)"
            " AND (attribute_not_exists(open_shard) OR open_shard <> :groups)",
        )
        return begun

    def record_alert(self, group: Group, before: GroupState, alert: LastAlert) -> None:
        """Record the last alert about a group, unless another was recorded since `before` was read."""
        is_firing = alert.status is AlertStatus.FIRING
        heard_before = before.heard_before if before.is_firing else before.heard_at
        values = {
            ":status": {"S": alert.status},
            ":severity": {"S": alert.severity},
            ":at": {"S": timestamp(alert.at)},
            ":count": {"N": str(alert.count)},
            ":reminders": {"N": str(alert.reminders)},
            ":heard": {"S": timestamp(heard_before)} if heard_before else {"NULL": True},
            ":last": {"N": str(before.last.count if before.last else 0)},
        }
        changes = (
            "SET #status = :status, severity = :severity, alerted_at = :at, alerts = :count"
            ", reminders = :reminders, heard_before = :heard"
        )
        if is_firing:
            opened_at = before.opened_at if before.is_firing and before.opened_at else alert.at
            values |= {":groups": {"S": keys.GROUPS}, ":opened": {"S": timestamp(opened_at)}}
            changes += ", open_shard = :groups, open_listed = :opened, opened_at = :opened"
            changes += "" if before.is_firing else " REMOVE acknowledgement"
        else:
            values |= {":over": {"S": keys.GROUPS_OVER}}
            changes += ", open_shard = :over, open_listed = :at"
        condition = "attribute_not_exists(alerts) OR alerts = :last"
        self._table.update(keys.group(group.key), changes, values, condition, {"#status": "status"})

    def acknowledge(self, group: Group, acknowledgement: Acknowledgement) -> bool:
        """Record that a person has a group's incident in hand; False if its last alert is not firing."""
        values = {"at": timestamp(acknowledgement.at), "by": acknowledgement.by, "note": acknowledgement.note}
        item = {name: {"S": value} for name, value in values.items()}
        acknowledged = self._table.update(
            keys.group(group.key),
            "SET acknowledgement = :acknowledgement",
            {":acknowledgement": {"M": item}, ":groups": {"S": keys.GROUPS}},
            "open_shard = :groups",
        )
        return acknowledged is not None

    def record_receipt(self, group: Group, channel: str, receipt: Receipt) -> None:
        """Record the last change of a group's incident that a channel took."""
        values = {
            "action": {"S": receipt.action},
            "number": {"N": str(receipt.number)},
            "count": {"N": str(receipt.count)},
            "at": {"S": timestamp(receipt.at)},
            "message": {"S": receipt.message},
        }
        name = keys.RECEIPT_PREFIX + channel
        self._table.update(
            keys.group(group.key), "SET #receipt = :receipt", {":receipt": {"M": values}}, names={"#receipt": name}
        )

    def record_failure(self, channel: str, failure: ChannelFailure) -> ChannelFailure:
        """Record that a channel does not take what it is sent. Return it with the time of the first failure."""
        group = Group(IncidentType.CHANNEL_FAILING, channel)
        item = self._table.update(
            keys.group(group.key),
            "SET failing_since = if_not_exists(failing_since, :since), problem = :problem, retry_at = :at"
            ", is_off = :is_off, fingerprint = :fingerprint",
            {
                ":since": {"S": timestamp(failure.since)},
                ":problem": {"S": failure.problem},
                ":at": {"S": timestamp(failure.retry_at)} if failure.retry_at else {"NULL": True},
                ":is_off": {"BOOL": failure.is_off},
                ":fingerprint": {"S": failure.fingerprint},
            },
        )
        return _failure(item or {}) or failure

    def record_success(self, channel: str, at: datetime) -> None:
        """Record that a channel that was failing took something."""
        group = Group(IncidentType.CHANNEL_FAILING, channel)
        changes = "SET fixed_at = :at REMOVE failing_since, problem, retry_at, is_off, fingerprint"
        self._table.update(keys.group(group.key), changes, {":at": {"S": timestamp(at)}})

    def _state(self, group: Group, item: Item) -> GroupState:
        is_account = group.type is IncidentType.ACCOUNT_DISCONNECTED
        account = self._connection_of(group.name) if is_account else None
        disconnected = account.disconnected if account else ()
        must_authorise = account is not None and account.state is AccountState.REAUTHORISATION_REQUIRED
        return GroupState(
            is_registered=account is not None or not is_account,
            is_disconnected=must_authorise or bool(disconnected),
            disconnected=() if must_authorise else disconnected,
            heard_at=_time(item, "heard_at"),
            last=_last_alert(item) if "status" in item else None,
            heard_before=_time(item, "heard_before"),
            opened_at=_time(item, "opened_at"),
            acknowledgement=_acknowledgement_of(item),
            failure=_failure(item),
            drill_at=_time(item, "drill_at"),
            receipts={
                name.removeprefix(keys.RECEIPT_PREFIX): _receipt(value["M"])
                for name, value in item.items()
                if name.startswith(keys.RECEIPT_PREFIX)
            },
        )


class LastCallbacks:
    """The time of the last callback from each data center. Raises `StoreUnavailable` and `StoreRejected`."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._recorded: dict[str, datetime] = {}

    def hear(self, data_center: str, at: datetime) -> None:
        """Record that a callback of a data center came, at most once in `HEARD_EVERY`."""
        if at < self._recorded.get(data_center, at - HEARD_EVERY) + HEARD_EVERY:
            return
        group = Group(IncidentType.CALLBACKS_MISSING, data_center)
        _, item = self._table.try_update(
            keys.group(group.key),
            "SET heard_at = :at",
            {":at": {"S": timestamp(at)}, ":before": {"S": timestamp(at - HEARD_EVERY)}},
            "attribute_not_exists(heard_at) OR heard_at <= :before",
        )
        self._recorded[data_center] = _time(item, "heard_at") or at


def _last_alert(item: Item) -> LastAlert:
    return LastAlert(
        status=AlertStatus(item["status"]["S"]),
        severity=Severity(item["severity"]["S"]),
        at=datetime.fromisoformat(item["alerted_at"]["S"]),
        count=int(item["alerts"]["N"]),
        reminders=int(item["reminders"]["N"]),
    )


def _acknowledgement_of(item: Item) -> Acknowledgement | None:
    values = item.get("acknowledgement", {}).get("M")
    if values is None:
        return None
    at = datetime.fromisoformat(values["at"]["S"])
    return Acknowledgement(at=at, by=values["by"]["S"], note=values["note"]["S"])


def _failure(item: Item) -> ChannelFailure | None:
    since = _time(item, "failing_since")
    if since is None:
        return None
    return ChannelFailure(
        since=since,
        problem=item["problem"]["S"],
        retry_at=_time(item, "retry_at"),
        is_off=item["is_off"]["BOOL"],
        fingerprint=item["fingerprint"]["S"],
    )


def _receipt(item: Item) -> Receipt:
    return Receipt(
        action=ChangeType(item["action"]["S"]),
        number=int(item["number"]["N"]),
        count=int(item["count"]["N"]),
        at=datetime.fromisoformat(item["at"]["S"]),
        message=item["message"]["S"],
    )


def _waiting(item: Item) -> Waiting:
    meeting = item.get("meeting", {}).get("M", {})
    texts = {name: value["S"] for name, value in meeting.items()}
    return Waiting(
        agent_id=item["pk"]["S"],
        type=IncidentType(item["incident"]["S"]),
        meeting=Meeting.of(texts),
        event_id=item.get("event_id", {}).get("S", ""),
        scheduling_key=item.get("scheduling_key", {}).get("S", ""),
        acknowledged_at=_time(item, "acknowledged_at"),
        account=item.get("account", {}).get("S", ""),
        data_center=item.get("data_center", {}).get("S", ""),
        labels={name: value["S"] for name, value in item.get("labels", {}).get("M", {}).items()},
    )


def _time(item: Item, name: str) -> datetime | None:
    text = item.get(name, {}).get("S")
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
