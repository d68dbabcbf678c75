"""What can go wrong, by who must act.

MeetingAgentsError
├── Refusal              whoever called must change something: 4xx
│   ├── InvalidRequest   a field is missing or wrong; `fields` names each
│   ├── TooLarge         more bytes than such a body can have
│   ├── NotFound         there is no such agent
│   └── SignatureRefused a notification without a valid signature
└── Outage               something is down or missing: 5xx, try again
    ├── NoSecret         no secret to verify with or to call Cronofy with: an operator must store one
    ├── StoreUnavailable the table did not answer
    └── Unreachable      Cronofy did not answer
        └── TimedOut     it may have acted all the same

Each carries the HTTP status, and a stable `code` that is also log field and metric dimension.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Field:
    """One wrong field of a request: where it is, and what was expected there."""

    field: str
    expected: str


class MeetingAgentsError(Exception):
    """Something that whoever called can be told. `detail` says what was wrong, where, and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *fields: Field) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class Refusal(MeetingAgentsError):
    """Whoever called must change something."""

    status = 400
    code = "bad_request"


class InvalidRequest(Refusal):
    """A field is missing or wrong."""

    status = 422
    code = "invalid_request"


class TooLarge(Refusal):
    """More bytes than such a body can have."""

    status = 413
    code = "too_large"


class NotFound(Refusal):
    """There is no such agent."""

    status = 404
    code = "not_found"


class SignatureRefused(Refusal):
    """A notification without a valid signature. `reason`: missing, malformed or unknown."""

    status = 401
    code = "signature_refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Outage(MeetingAgentsError):
    """Something is down or missing; the same request may succeed later."""

    status = 503
    code = "unavailable"


class NoSecret(Outage):
    """There is no secret to verify with, or to call Cronofy with."""

    code = "no_secret"


class StoreUnavailable(Outage):
    """The table did not answer."""

    code = "store_unavailable"


class Unreachable(Outage):
    """Cronofy could not be reached, so the request has not taken effect."""

    status = 502
    code = "cronofy_unreachable"


class TimedOut(Unreachable):
    """Cronofy did not answer in time; it may have acted all the same."""

    status = 504
    code = "cronofy_timed_out"
