"""The request for a second agent, made from that for the first: sent now, to the link that Cronofy gave. Pure.

https://docs.cronofy.com/developers/api/meeting-agents/schedule/
"""

import json
from typing import Any

from meeting_agents.cronofy.messages import CronofyRequest, CronofyResponse, Outcome
from meeting_agents.cronofy.subscriptions import for_attempt, without_event_triggers

ACCOUNT_PATH = "/v1/account"
"""The account of an access token, with its e-mail address: so Cronofy's Python SDK reads it."""
_MAX_LENGTH = 320
"""The characters of an e-mail address."""


def second_agent_request(
    first: CronofyRequest, agent_id: str, attempt: int, *, join_link: str, attendee: str
) -> CronofyRequest:
    """Return the request for a second agent; `attendee`: the e-mail address of the person in whose name it joins.

    It has the name of the first one, and all subscriptions to agents, ours with the number of the attempt. It is not
    idempotent: Cronofy would send another agent each time.
    """
    values = json.loads(for_attempt(without_event_triggers(first.body), agent_id, attempt))
    agent = values.get("meeting_agent") or values
    shown = {"display_name": agent["display_name"]} if agent.get("display_name") else {}
    subscriptions = [one for one in values.get("subscriptions", []) if "interactions" in one]
    body = {"join_url": join_link, "on_behalf_of_attendee": {"email": attendee}, **shown}
    text = json.dumps(body | {"subscriptions": subscriptions}, ensure_ascii=False)
    return CronofyRequest("POST", "/v1/meeting_agents", first.data_center, text, is_idempotent=False)


def attendee_of(first: CronofyRequest) -> str:
    """Return the e-mail address in whose name the first agent was to join; empty if its request names none."""
    return _email(json.loads(first.body).get("on_behalf_of_attendee"))


def read_account_email(response: CronofyResponse) -> str:
    """Return the e-mail address in a response about an account; empty if it has none."""
    content = response.content if response.outcome is Outcome.ACCEPTED else None
    return _email(content.get("account", content)) if isinstance(content, dict) else ""


def _email(values: Any) -> str:
    email = values.get("email") if isinstance(values, dict) else None
    return email if isinstance(email, str) and "@" in email and len(email) <= _MAX_LENGTH and email.isascii() else ""
