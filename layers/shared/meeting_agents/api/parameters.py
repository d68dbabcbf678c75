"""Path segments and headers that several routes take, with their descriptions in the OpenAPI document."""

import re
from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Header, Path, Query
from pydantic import AfterValidator, BeforeValidator

from meeting_agents.api.patterns import ACCOUNT_ID, AGENT_ID, BEARER, IDEMPOTENCY_KEY
from meeting_agents.cronofy.payloads import DataCenter as DataCenterName


def _is_path_segment(value: str) -> str:
    """Refuse a calendar id that would lead to another path of Cronofy's, percent-encoded or not."""
    decoded = unquote(value)
    if decoded in (".", "..") or re.search(r"[/\\?#%\x00-\x1f\x7f]", decoded):
        raise ValueError("must be Cronofy's id of a calendar, without / \\ ? # % and control characters")
    return decoded


CalendarId = Annotated[
    str,
    Path(min_length=1, max_length=512, description="Cronofy's id of the calendar"),
    AfterValidator(_is_path_segment),
]
AgentId = Annotated[str, Path(pattern=AGENT_ID, description="the agent's id in this API: ma_…")]
DECODED = BeforeValidator(unquote)
"""Decodes a name in a path: its `@` and `+` may be percent-encoded."""
AccountId = Annotated[str, Path(pattern=ACCOUNT_ID, description="your own name for the account"), DECODED]
DataCenter = Annotated[
    DataCenterName | None,
    Header(
        alias="Cronofy-Data-Center",
        description="the data center of the account or application; by default the registered account's own, else the"
        " deployment's default",
    ),
]
OwnToken = Annotated[
    str | None,
    Header(
        alias="Cronofy-Authorization",
        pattern=BEARER,
        description="`Bearer …`: your own token for Cronofy. It is not stored, so a request with it is not retried"
        " after the response. `Authorization` is accepted too, unless this API's authoriser uses it",
    ),
]
AccountName = Annotated[
    str | None,
    Header(
        alias="Cronofy-Account",
        pattern=ACCOUNT_ID,
        description="a registered account, in whose name requests are sent to Cronofy, and retried if necessary",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=IDEMPOTENCY_KEY,
        description="for an agent that is sent now: the same key with the same body returns the same response and sends"
        " no second agent. All callers of the deployment share the keys of a data center: use a unique one, like a"
        " UUID",
    ),
]
CorrelationId = Annotated[
    str | None,
    Header(
        alias="X-Correlation-Id",
        description="your name for this request, in every log line and journal entry that it causes",
    ),
]
Label = Annotated[
    str | None,
    Header(
        alias="X-Label-Team",
        description="a label of your own, named `team`: any header `X-Label-<name>` is one, up to ten in a request."
        " Labels are not sent to Cronofy; they come in every announcement, alert and list of the agent. Those of its"
        " newest request that has any count",
    ),
]
WantedLabel = Annotated[
    list[str] | None,
    Query(
        alias="label",
        description="agents with this label, as `name:value`; of several of one name one, of different names each:"
        " `label=team:sales&label=region:emea`",
    ),
]
