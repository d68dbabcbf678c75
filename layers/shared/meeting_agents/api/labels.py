"""Labels of the caller's own: in the headers of a request for an agent, and in the filters of lists. Pure."""

from collections.abc import Mapping, Sequence

from meeting_agents.domain.labels import NAME, VALUE, Labels, WantedLabels, parse_wanted
from meeting_agents.errors import FieldError, InvalidRequest

PREFIX = "x-label-"
MAX_LABELS = 10


def read_labels(headers: Mapping[str, str]) -> Labels:
    """Return the labels in these headers, their names in lower case. Raises `InvalidRequest`."""
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    labels = {name.removeprefix(PREFIX): value for name, value in lower.items() if name.startswith(PREFIX)}
    wrong = [error for name, value in labels.items() for error in _wrong(name, value)]
    if len(labels) > MAX_LABELS:
        wrong = [FieldError("X-Label-…", f"at most {MAX_LABELS} labels, not {len(labels)}")]
    if wrong:
        raise InvalidRequest("the request has wrong labels: see `errors`", *wrong)
    return labels


def _wrong(name: str, value: str) -> list[FieldError]:
    header, wrong = f"X-Label-{name.title()}", []
    if not NAME.fullmatch(name):
        expected = "a name of 1 to 32 letters, digits, - and _, with a letter or digit at both ends"
        wrong.append(FieldError(header, expected))
    if not VALUE.fullmatch(value):
        wrong.append(FieldError(header, "once, a value of 1 to 64 ASCII characters, without a comma"))
    return wrong


def wanted_labels(filters: Sequence[str] | None) -> WantedLabels:
    """Return the labels that agents of a list must have. Raises `InvalidRequest`."""
    try:
        wanted = parse_wanted(filters or ())
    except ValueError:
        expected = "name:value, for instance team:sales"
        raise InvalidRequest("the filter is not valid", FieldError("label", expected)) from None
    if len(wanted) > MAX_LABELS:
        raise InvalidRequest("the filter is not valid", FieldError("label", f"at most {MAX_LABELS} names"))
    return wanted
