"""What can go wrong, by who must act.

MeetingAgentsError
├── Refusal                     whoever called must change something: 4xx
│   ├── InvalidRequest          a field is missing or wrong; `fields` names each
│   ├── TooLarge                more bytes than such a body can have
│   ├── NotFound                there is no such agent, resource or account
│   ├── MissingToken            the request carries no access token for Cronofy
│   ├── UnknownAccount          `Cronofy-Account` names an account that is not registered
│   ├── ReauthorisationRequired a person must authorise the account again
│   ├── RateLimited             Cronofy's limits are used up for the moment
│   ├── InProgress              the same request is being answered at this moment
│   ├── IdempotencyKeyReused    an `Idempotency-Key` with another body than before
│   └── InvalidSignature        a notification without a valid signature
├── Outage                      something is down or missing: 5xx, try again
│   ├── MissingSecret           no secret to verify with or to call Cronofy with: an operator must store one
│   ├── StoreUnavailable        a table or the key of the tokens did not answer
│   ├── TopicUnavailable        a topic did not answer
│   ├── LeaseTimeout            another copy of the function did not end in time
│   ├── UntrustedResourceUrl    a resource is where the API key must not go
│   └── Unreachable             Cronofy did not answer
│       └── UpstreamTimeout     it may have acted all the same
└── Defect                      the code or the deployment is wrong: 500, trying again does not help
    ├── MissingSetting          an environment variable that the template sets is missing
    ├── StoreRejected           a table will never take the request
    └── MessageRejected         a topic will never take the message

Each carries the HTTP status, and a stable `code` that is also log field and metric dimension.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field of a request: where it is, and what was expected there."""

    field: str
    expected: str


class MeetingAgentsError(Exception):
    """Something that whoever called can be told. `detail` says what was wrong, where, and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *fields: FieldError) -> None:
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
    """There is no such agent, resource or account."""

    status = 404
    code = "not_found"


class MissingToken(Refusal):
    """The request carries no access token for Cronofy."""

    status = 401
    code = "missing_token"


class UnknownAccount(Refusal):
    """`Cronofy-Account` names an account that is not registered."""

    status = 422
    code = "unknown_account"


class ReauthorisationRequired(Refusal):
    """Cronofy takes the account's refresh token no more: a person must authorise the account again."""

    status = 403
    code = "reauthorisation_required"


class RateLimited(Refusal):
    """Cronofy's limits are used up for the moment. `retry_after`: seconds."""

    status = 429
    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Cronofy's limits for the application are used up for the moment; try again in {retry_after} seconds"
        )
        self.retry_after = retry_after


class InProgress(Refusal):
    """The same request is being answered at this moment."""

    status = 409
    code = "in_progress"


class IdempotencyKeyReused(Refusal):
    """An `Idempotency-Key` came with another body than before."""

    status = 422
    code = "idempotency_key_reused"


class InvalidSignature(Refusal):
    """A notification without a valid signature. `reason`: missing, malformed or unknown."""

    status = 401
    code = "invalid_signature"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Outage(MeetingAgentsError):
    """Something is down or missing; the same request may succeed later."""

    status = 503
    code = "unavailable"


class MissingSecret(Outage):
    """There is no secret to verify with, or to call Cronofy with."""

    code = "missing_secret"


class StoreUnavailable(Outage):
    """A table, or the key of the tokens, did not answer."""

    code = "store_unavailable"


class TopicUnavailable(Outage):
    """A topic did not answer."""

    code = "topic_unavailable"


class LeaseTimeout(Outage):
    """Another copy of the function did not end in time."""

    code = "lease_timeout"


class UntrustedResourceUrl(Outage):
    """A resource is at an address to which the API key must not go."""

    status = 502
    code = "untrusted_resource_url"


class Unreachable(Outage):
    """Cronofy could not be reached, so the request has not taken effect."""

    status = 502
    code = "cronofy_unreachable"


class UpstreamTimeout(Unreachable):
    """Cronofy did not answer in time; it may have acted all the same."""

    status = 504
    code = "cronofy_timed_out"


class Defect(MeetingAgentsError):
    """The code or the deployment is wrong; the same request will fail again."""

    code = "defect"


class MissingSetting(Defect):
    """An environment variable that the template sets is missing."""

    code = "missing_setting"


class StoreRejected(Defect):
    """A table will never take the request."""

    code = "store_rejected"


class MessageRejected(Defect):
    """A topic will never take the message."""

    code = "message_rejected"
