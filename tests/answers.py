"""The answers to Cronofy: the rows of a table in functions/README.md, each a test in `test_webhook.py`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One row: what arrives, the status of our answer, and what becomes of it. `case`: its event, or name."""

    case: str
    status: int
    arrives: str
    becomes: str
    code: str = ""
    """The `code` in the answer's body, where it is no 200."""


KEPT = "kept, and everybody is told"
NOTHING = "nothing is stored, no AWS call is made"

ANSWERS = (
    Answer("activated", 200, "a signed notification", KEPT),
    Answer("signed_by_previous", 200, "one signed with the previous secret only", KEPT),
    Answer("signed_by_both", 200, "one signed with both secrets, while they rotate", KEPT),
    Answer("base64", 200, "one that API Gateway hands over in base64", KEPT),
    Answer("later_attempt", 200, "one for a later attempt (`?attempt=2`)", f"{KEPT}; it is that attempt's"),
    Answer("event_trigger", 200, "an event trigger (`?trigger=before`)", f"{KEPT}; it has the meeting's current times"),
    Answer("repeated", 200, "the same bytes again", "nothing new; counted as `duplicate`"),
    Answer("never_requested", 200, "one for an agent that was not requested here", f"{KEPT}; it makes a record"),
    Answer(
        "mismatched", 200, "one about another agent's calendar event", "kept as `mismatched`, without effect; an alert"
    ),
    Answer("unknown_interaction", 200, "an interaction that we do not know", f"{KEPT}, as `unrecognised`"),
    Answer("several_interactions", 200, "several interactions at once", f"{KEPT}; each is obeyed"),
    Answer("no_event", 200, "one without `event`", KEPT),
    Answer("no_sub", 200, "one without the agent's `sub`", KEPT),
    Answer("other_envelope", 200, "another kind of webhook, such as the Scheduler's", f"{KEPT}, as `unrecognised`"),
    Answer("not_json", 200, "signed bytes that are no JSON", f"{KEPT}, as `unrecognised`"),
    Answer("unsigned", 401, "no signature", NOTHING, "invalid_signature"),
    Answer("malformed_signature", 401, "a signature that is no base64 of a SHA-256", NOTHING, "invalid_signature"),
    Answer("forged", 401, "a signature that none of our secrets makes", NOTHING, "invalid_signature"),
    Answer("altered", 401, "a signed body with one byte changed", NOTHING, "invalid_signature"),
    Answer("undecodable", 401, "a body that is not what its transfer encoding says", NOTHING, "invalid_signature"),
    Answer("too_large", 413, "more than 256 KB, signed or not", NOTHING, "too_large"),
    Answer("impossible_address", 404, "a signed one to an address that can be no agent's", NOTHING, "not_found"),
    Answer(
        "missing_secret",
        503,
        "any, while no secret is stored",
        "nothing is accepted; an alarm names the secret",
        "missing_secret",
    ),
    Answer(
        "unreadable_secret",
        503,
        "any, while the secret cannot be read",
        "as above, if none was read before",
        "missing_secret",
    ),
    Answer(
        "store_down",
        503,
        "a signed one, while the table takes no writes",
        "an alarm; Cronofy tries again",
        "store_unavailable",
    ),
)


def table() -> str:
    """The rows as the README shows them."""
    rows = [f"| {row.status} | {row.arrives} | {row.becomes} |" for row in ANSWERS]
    return "\n".join(["| status | what arrives | what becomes of it |", "|---|---|---|", *rows])
