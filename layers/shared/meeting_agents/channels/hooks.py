"""Services that take an alert by a webhook with few members: Grafana IRM, incident.io, Rootly. Pure.

None of them knows an acknowledgement from outside; each closes an alert by the key that opened it.

- Grafana IRM and OnCall, "Formatted webhook":
  https://grafana.com/docs/grafana-cloud/alerting-and-irm/irm/configure/integrations/webhooks/incoming-webhooks/
- incident.io, HTTP alert source: https://docs.incident.io/alerts/http-alert-sources
- Rootly, generic webhook alert source: https://docs.rootly.com/integrations/generic-webhook-alert-source
"""

from typing import Any

from meeting_agents.alerting.change import Change
from meeting_agents.channels.channel import Channel, Kind, Parcel, Request, shortened
from meeting_agents.domain.model import ChangeType

ACTIONS = frozenset({ChangeType.TRIGGER, ChangeType.RESOLVE})
TITLE_LENGTH = 500


def _grafana(change: Change, title: str, description: str) -> dict[str, Any]:
    return {
        "alert_uid": change.dedup_key,
        "title": title,
        "message": description,
        "state": "ok" if change.action is ChangeType.RESOLVE else "alerting",
        **({"link_to_upstream_details": change.links[0].href} if change.links else {}),
    }


def _incident_io(change: Change, title: str, description: str) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "status": "resolved" if change.action is ChangeType.RESOLVE else "firing",
        "deduplication_key": change.dedup_key,
        "metadata": {"severity": str(change.severity), "source": change.source, **change.details},
        **({"source_url": change.links[0].href} if change.links else {}),
    }


def _rootly(change: Change, title: str, description: str) -> dict[str, Any]:
    return {
        "status": "resolved" if change.action is ChangeType.RESOLVE else "triggered",
        "external_id": change.dedup_key,
        "summary": title,
        "description": description,
        **{name: value for name, value in change.to_json().items() if name != "summary"},
    }


def _kind(content: Any, needs: frozenset[str], hosts: tuple[str, ...] = ()) -> Kind:
    def build(channel: Channel, parcel: Parcel) -> Request:
        (change,) = parcel.changes
        lines = [change.detail, *change.next_steps]
        body = content(change, shortened(change.summary, TITLE_LENGTH), "\n".join(filter(None, lines)))
        authorization = {"Authorization": f"Bearer {channel.key}"} if channel.key else {}
        return Request.of(channel.address, body, **authorization)

    return Kind(build, needs=needs, hosts=hosts, actions=ACTIONS)


GRAFANA = _kind(_grafana, frozenset({"url"}))
INCIDENT_IO = _kind(_incident_io, frozenset({"url", "token"}), ("incident.io",))
ROOTLY = _kind(_rootly, frozenset({"url", "token"}), ("rootly.com",))
