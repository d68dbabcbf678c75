"""Parameters that several routes take: path segments and headers, with what the OpenAPI document says of them."""

import re
from typing import Annotated
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Header, Path
from pydantic import AfterValidator

from meeting_agents.cronofy.payloads import DataCenter as DataCenterName


def _is_path_segment(value: str) -> str:
    """Refuse a calendar id that would lead to another path of Cronofy's, percent-encoded or not."""
    decoded = unquote(value)
    if decoded in (".", "..") or re.search(r"[/\\?#%\x00-\x1f\x7f]", decoded):
        raise ValueError("must be Cronofy's id of a calendar, without / \\ ? # % and control characters")
    return decoded


CalendarId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=512,
        description="Cronofy's id of the calendar",
        examples=["cal_n23kjnwrw2_jsdfjksn234"],
    ),
    AfterValidator(_is_path_segment),
]
AgentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,128}$", description="our id of the agent: ma_…")]
AccountId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$", description="your own name for the account")
]
DataCenter = Annotated[
    DataCenterName | None,
    Header(
        alias="Cronofy-Data-Center",
        description="where the account or application lives; left out: the account's own, or the deployment's default",
    ),
]
OwnToken = Annotated[
    str | None,
    Header(
        alias="Cronofy-Authorization",
        pattern=r"^[Bb]earer +[!-~]{1,4096}$",
        description="`Bearer …`: your own token for Cronofy. It is stored nowhere, so a request with it is only tried"
        " while you wait. Where `Authorization` is not taken by the authoriser of this API, it does as well",
    ),
]
AccountName = Annotated[
    str | None,
    Header(
        alias="Cronofy-Account",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$",
        description="a registered account, in whose name Cronofy is asked, again and again if need be",
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="for an agent that comes now: the same key and body again get the same answer, and no second agent."
        " All callers of the deployment share the keys of a data center: take one that nobody else takes, like a UUID",
    ),
]
CorrelationId = Annotated[
    str | None,
    Header(
        alias="X-Correlation-Id",
        description="your name for this request, in every log line and journal entry that it leads to",
    ),
]
