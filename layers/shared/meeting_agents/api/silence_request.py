"""The body of a silence. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from meeting_agents.api.labels import wanted_labels
from meeting_agents.api.patterns import AGENT_ID
from meeting_agents.cronofy.payloads import DataCenter
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.silences import MAX_AHEAD, MAX_DURATION, Silence
from meeting_agents.errors import FieldError, InvalidRequest

MAX_VALUES = 50
"""The values of one criterion."""
TIME = 'a time with its zone, like "2026-04-29T15:30:00Z"'
_Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
_Values = Field(default=(), max_length=MAX_VALUES)
_DURATION = re.compile(r"P(?=.)(?:(\d{1,3})D)?(?:T(?=.)(?:(\d{1,4})H)?(?:(\d{1,5})M)?)?")


def _end(value: object) -> datetime | timedelta:
    """Return a time or a duration, as ISO 8601 writes them."""
    text = value if isinstance(value, str) else ""
    if found := _DURATION.fullmatch(text):
        days, hours, minutes = (int(number or 0) for number in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes)
    try:
        return _in_milliseconds(datetime.fromisoformat(text))
    except ValueError:
        raise ValueError(f'{TIME}, or a duration like "PT2H"') from None


def _in_milliseconds(at: datetime) -> datetime:
    """Return a time in UTC as it is stored. Raises `ValueError` if it has no time zone, or no year in UTC."""
    if at.tzinfo is None:
        raise ValueError(TIME)
    try:
        utc = at.astimezone(UTC)
    except OverflowError:
        raise ValueError(TIME) from None
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


class SilenceRequest(BaseModel):
    """A silence. Of several values of a criterion one must be the incident's, of different criteria each."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    start: Annotated[AwareDatetime, AfterValidator(_in_milliseconds)] | None = Field(
        default=None, alias="from", description="at most 90 days ahead; default: now"
    )
    until: Annotated[datetime | timedelta, BeforeValidator(_end)] = Field(
        description="a time, or how long it lasts, like `PT2H` or `P3D`; at most 30 days after `from`"
    )
    why: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    account: tuple[_Name, ...] = _Values
    data_center: tuple[DataCenter, ...] = _Values
    type: tuple[IncidentType, ...] = _Values
    agent: tuple[Annotated[str, StringConstraints(pattern=AGENT_ID)], ...] = Field(
        default=(), max_length=MAX_VALUES, description="ids of agents"
    )
    label: tuple[_Name, ...] = Field(default=(), max_length=MAX_VALUES, description="`name:value`")
    everything: bool = Field(default=False, description="true: all incidents, without a criterion")

    def silence(self, name: str, by: str, now: datetime) -> Silence:
        """Return the silence. Raises `InvalidRequest`."""
        latest = now + MAX_AHEAD
        start = self.start or _in_milliseconds(now)
        end = min(start, latest) + self.until if isinstance(self.until, timedelta) else self.until
        criteria = (self.account, self.data_center, self.type, self.agent, self.label)
        wrong = []
        if start > latest:
            wrong.append(FieldError("from", "at most 90 days ahead"))
        elif not max(start, now) < end or end - start > MAX_DURATION:
            wrong.append(FieldError("until", "in the future, after `from` by 30 days at most"))
        if any(criteria) is self.everything:
            expected = "account, data_center, type, agent or label; or `everything: true` without any of them"
            wrong.append(FieldError("everything", expected))
        if wrong:
            raise InvalidRequest("the silence is not valid: see `errors`", *wrong)
        return Silence(
            name=name,
            start=start,
            end=end,
            why=self.why,
            by=by,
            types=frozenset(self.type),
            accounts=frozenset(self.account),
            data_centers=frozenset(self.data_center),
            agents=frozenset(self.agent),
            labels=wanted_labels(self.label),
        )
