"""Labels in the headers of a request, and in the filters of lists."""

import pytest

from meeting_agents.api.labels import read_labels, wanted_labels
from meeting_agents.errors import InvalidRequest


def test_labels_are_the_headers_with_the_prefix_and_their_names_are_in_lower_case() -> None:
    headers = {
        "X-Label-Team": " sales ",
        "x-label-cost_center-2": "R&D: 4711",
        "X-Correlation-Id": "a",
        "X-Labels": "b",
    }
    assert read_labels(headers) == {"team": "sales", "cost_center-2": "R&D: 4711"}
    assert read_labels({}) == {}


@pytest.mark.parametrize("value", ["a", "x" * 64, "a b", "ann@example.com", "a:b", "~", "<!channel>", "!,"[:1], "#"])
def test_a_value_is_visible_ascii(value: str) -> None:
    assert read_labels({"x-label-team": value}) == {"team": value}


@pytest.mark.parametrize(
    "value", ["", "  ", "x" * 65, "sales,support", "a\tb", "a\nb", "Vertrieb Süd", "a\x7fb", "a\x00"]
)
def test_a_wrong_value_is_refused_and_its_header_is_named(value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_labels({"x-label-team-lead": value, "x-label-region": "emea"})
    (wrong,) = refused.value.fields
    assert wrong.field == "X-Label-Team-Lead"
    assert wrong.expected == "once, a value of 1 to 64 ASCII characters, without a comma"


@pytest.mark.parametrize("name", ["a", "0", "x" * 32, "a-b", "a_b"])
def test_a_name_has_letters_digits_and_two_signs(name: str) -> None:
    assert read_labels({f"x-label-{name}": "1"}) == {name: "1"}


@pytest.mark.parametrize("name", ["", "-", "a-", "_a", "x" * 33, "a.b", "a:b", "a b"])
def test_a_wrong_name_is_refused_and_its_header_is_named(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_labels({f"x-label-{name}": "1"})
    (wrong,) = refused.value.fields
    assert wrong.field == f"X-Label-{name.title()}"
    assert wrong.expected == "a name of 1 to 32 letters, digits, - and _, with a letter or digit at both ends"


def test_an_agent_has_ten_labels_at_most() -> None:
    headers = {f"x-label-{number}": "1" for number in range(10)}
    assert len(read_labels(headers)) == 10
    with pytest.raises(InvalidRequest) as refused:
        read_labels(headers | {"x-label-more": "1"})
    (wrong,) = refused.value.fields
    assert (wrong.field, wrong.expected) == ("X-Label-…", "at most 10 labels, not 11")


def test_a_filter_has_a_name_and_a_value() -> None:
    assert wanted_labels(None) == {}
    wanted = wanted_labels(["Team:sales", "team:support", "at:12:30"])
    assert wanted == {"team": ("sales", "support"), "at": ("12:30",)}


@pytest.mark.parametrize("text", ["", "team", "team:", ":sales", "te am:sales", "team:a,b", "team: sales", "te.am:a"])
def test_a_filter_without_a_name_or_a_value_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        wanted_labels(["team:sales", text])
    (wrong,) = refused.value.fields
    assert (wrong.field, wrong.expected) == ("label", "name:value, for instance team:sales")


def test_a_filter_has_ten_names_at_most() -> None:
    assert len(wanted_labels([f"l{number}:1" for number in range(10)])) == 10
    with pytest.raises(InvalidRequest):
        wanted_labels([f"l{number}:1" for number in range(11)])
