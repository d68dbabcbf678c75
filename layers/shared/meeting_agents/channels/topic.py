"""The stack's own topic of incidents, for subscribers of any protocol. Pure.

It is apart from the topic of alerts, whose subscribers read e-mails: each change of each incident is a message here.
"""

from meeting_agents.channels.channel import Channel, Kind, Parcel, Request


def attributes_of(parcel: Parcel) -> dict[str, str | tuple[str, ...]]:
    """Return the message attributes on which subscribers filter."""
    (change,) = parcel.changes
    values: dict[str, str | tuple[str, ...]] = {
        "event_action": str(change.action),
        "severity": str(change.severity),
        "type": str(change.type),
        "account": change.account,
        "data_center": change.data_center,
        "component": change.component,
        "labels": change.labels,
    }
    return {name: value for name, value in values.items() if value}


def _build(_: Channel, parcel: Parcel) -> Request:
    return Request.of("", parcel.changes[0].to_json())


KIND = Kind(_build)
