"""The kinds of channels. Pure."""

from collections.abc import Mapping

from meeting_agents.channels import hooks, jira, pagerduty, signed, slack, teams, topic
from meeting_agents.channels.channel import Channel, Kind

KINDS: Mapping[str, tuple[Kind, ...]] = {
    "slack": (slack.WEBHOOK, slack.BOT),
    "teams": (teams.KIND,),
    "pagerduty": (pagerduty.KIND,),
    "jira": (jira.KIND,),
    "grafana": (hooks.GRAFANA,),
    "incident_io": (hooks.INCIDENT_IO,),
    "rootly": (hooks.ROOTLY,),
    "https": (signed.KIND,),
    "topic": (topic.KIND,),
}
"""The ways to reach each kind; the members in the secret say which is meant."""
MEMBERS: Mapping[str, str] = {
    "url": "address",
    "token": "key",
    "routing_key": "key",
    "api_key": "key",
    "channel": "room",
    "secrets": "secrets",
}
"""The field of `Channel` that has a member of the secret."""


def kind_of(channel: Channel) -> Kind:
    """Return the way to reach a channel."""
    has = {name for name, field in MEMBERS.items() if getattr(channel, field)}
    return next((kind for kind in KINDS[channel.kind] if kind.needs <= has), KINDS[channel.kind][0])
