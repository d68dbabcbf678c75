"""All errors, grouped by who must act.

MeetingAgentsError
├── Refusal                     the caller must change the request: 4xx
│   ├── InvalidRequest          a field is missing or wrong; `fields` names each
│   ├── TooLarge                the body is too large
│   ├── NotFound                the agent, resource or account does not exist
│   ├── MissingToken            the request carries no access token for Cronofy
│   ├── UnknownAccount          `Cronofy-Account` names an account that is not registered
│   ├── InvalidGrant            a refresh token is registered that Cronofy does not accept
│   ├── ReauthorisationRequired a person must authorise the account again
│   ├── NotPermitted            the caller is bound to other accounts or labels
│   ├── RateLimited             Cronofy's rate limits are reached
│   ├── AgentExpected           the data of an agent is to be erased that may still come
│   ├── Erased                  a request is for an agent whose data was erased
│   ├── InProgress              the same request is still being processed
│   ├── NothingToRetry          no request of the agent needs to be sent again
│   ├── RetryLeftToCaller       only its caller can send the agent's request again
│   ├── TooManySilences         there are as many silences as there may be
│   ├── IdempotencyKeyReused    an `Idempotency-Key` came with a different body before
│   └── InvalidSignature        a notification has no valid signature
├── Outage                      something is down or missing: 5xx, the request may succeed later
│   ├── MissingSecret           no secret to verify or to call Cronofy with: an operator must store one
│   ├── StoreUnavailable        a table, or the key of the tokens, did not answer
│   ├── TopicUnavailable        a topic did not answer
│   ├── QueueUnavailable        a queue did not answer
│   ├── ArchiveUnavailable      the bucket of the archive did not answer
│   ├── LeaseTimeout            another copy of the function did not finish in time
│   ├── UntrustedResourceUrl    the API key must not go to the URL of a resource
│   └── Unreachable             Cronofy did not answer
│       └── UpstreamTimeout     Cronofy did not answer in time, and may have acted
└── Defect                      the code or the deployment is wrong: 500, a retry fails again
    ├── MissingSetting          an environment variable is missing or not a number
    ├── StoreRejected           a table rejects the request, and always will
    ├── ArchiveRejected         the bucket of the archive rejects the request, and always will
    └── MessageRejected         a topic rejects the message, and always will

Each has the HTTP status and a stable `code`, which is also a log field and a metric dimension.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """A wrong field of a request: its location, the expected value, and a key for programs, of Cronofy's form."""

    field: str
    expected: str
    key: str = "errors.invalid"


class MeetingAgentsError(Exception):
    """An error that the caller may see. `detail` says what is wrong, where, and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *fields: FieldError) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class Refusal(MeetingAgentsError):
    """The caller must change the request."""

    status = 400
    code = "bad_request"


class InvalidRequest(Refusal):
    """A field is missing or wrong."""

    status = 422
    code = "invalid_request"


class TooLarge(Refusal):
    """The body is too large."""

    status = 413
    code = "too_large"


class NotFound(Refusal):
    """The agent, resource or account does not exist."""

    status = 404
    code = "not_found"

    @classmethod
    def of_agent(cls, agent_id: str) -> "NotFound":
        """Return the error for an agent without a journal."""
        return cls(f"no agent {agent_id} is known here; its journal may have expired, or its data was erased")


class MissingToken(Refusal):
    """The request carries no access token for Cronofy."""

    status = 401
    code = "missing_token"


class UnknownAccount(Refusal):
    """`Cronofy-Account` names an account that is not registered."""

    status = 422
    code = "unknown_account"


class InvalidGrant(Refusal):
    """Cronofy does not accept the refresh token that is to be registered."""

    status = 422
    code = "invalid_grant"


class ReauthorisationRequired(Refusal):
    """Cronofy refuses the account's refresh token: a person must authorise the account again."""

    status = 403
    code = "reauthorisation_required"


class NotPermitted(Refusal):
    """The caller is bound to other accounts or labels."""

    status = 403
    code = "not_permitted"


class RateLimited(Refusal):
    """Cronofy's rate limits are reached. `retry_after`: seconds."""

    status = 429
    code = "rate_limited"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Cronofy's rate limits for the application are reached; try again in {retry_after} seconds")
        self.retry_after = retry_after


class AgentExpected(Refusal):
    """The data of an agent is to be erased that may still come."""

    status = 409
    code = "agent_expected"


class Erased(Refusal):
    """A request is for an agent whose data was erased."""

    status = 409
    code = "erased"


class InProgress(Refusal):
    """The same request is still being processed."""

    status = 409
    code = "in_progress"


class NothingToRetry(Refusal):
    """No request of the agent needs to be sent again."""

    status = 409
    code = "nothing_to_retry"


class RetryLeftToCaller(Refusal):
    """Only its caller can send the agent's request again."""

    status = 409
    code = "retry_left_to_caller"


class TooManySilences(Refusal):
    """There are as many silences as there may be."""

    status = 409
    code = "too_many_silences"


class IdempotencyKeyReused(Refusal):
    """An `Idempotency-Key` came with a different body before."""

    status = 422
    code = "idempotency_key_reused"


class InvalidSignature(Refusal):
    """A notification has no valid signature. `reason`: missing, malformed, undecodable or unknown."""

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
    """There is no secret to verify or to call Cronofy with."""

    code = "missing_secret"


class StoreUnavailable(Outage):
    """A table, or the key of the tokens, did not answer."""

    code = "store_unavailable"


class TopicUnavailable(Outage):
    """A topic did not answer."""

    code = "topic_unavailable"


class QueueUnavailable(Outage):
    """A queue did not answer."""

    code = "queue_unavailable"


class ArchiveUnavailable(Outage):
    """The bucket of the archive did not answer."""

    code = "archive_unavailable"


class LeaseTimeout(Outage):
    """Another copy of the function did not finish in time."""

    code = "lease_timeout"


class UntrustedResourceUrl(Outage):
    """The API key must not go to the URL of a resource."""

    status = 502
    code = "untrusted_resource_url"


class Unreachable(Outage):
    """Cronofy could not be reached, so the request has not taken effect."""

    status = 502
    code = "cronofy_unreachable"


class UpstreamTimeout(Unreachable):
    """Cronofy did not answer in time, and may have acted."""

    status = 504
    code = "cronofy_timed_out"


class Defect(MeetingAgentsError):
    """The code or the deployment is wrong; the same request fails again."""

    code = "defect"


class MissingSetting(Defect):
    """An environment variable is missing or not a number; the template sets it."""

    code = "missing_setting"


class StoreRejected(Defect):
    """A table rejects the request, and always will."""

    code = "store_rejected"


class ArchiveRejected(Defect):
    """The bucket of the archive rejects the request, and always will."""

    code = "archive_rejected"


class MessageRejected(Defect):
    """A topic rejects the message, and always will."""

    code = "message_rejected"
