"""Labels as pairs, those of many agents, and those that a list or a silence wants."""

import pytest

from meeting_agents.domain.labels import (
    Labels,
    WantedLabels,
    match_pairs,
    matches,
    most_frequent,
    pairs,
    parse_wanted,
)


def test_a_pair_names_the_label_and_its_value() -> None:
    assert pairs({"team": "sales", "at": "12:30"}) == ("at:12:30", "team:sales")
    assert pairs({}) == ()


def test_the_labels_of_most_agents_come_first_where_not_all_have_room() -> None:
    agents = [{"order": str(number), "team": "sales" if number % 2 else "support"} for number in range(50)]
    assert most_frequent(agents, 2) == ("team:sales", "team:support")
    assert len(most_frequent(agents, 100)) == 52
    assert most_frequent([], 2) == ()


@pytest.mark.parametrize(
    ("labels", "wanted", "expected"),
    [
        ({}, {}, True),
        ({"team": "sales"}, {}, True),
        ({}, {"team": ("sales",)}, False),
        ({"team": "sales"}, {"team": ("sales",)}, True),
        ({"team": "Sales"}, {"team": ("sales",)}, False),
        ({"team": "sales"}, {"team": ("support", "sales")}, True),
        ({"team": "sales"}, {"team": ("sales",), "region": ("emea",)}, False),
        ({"team": "sales", "region": "emea"}, {"team": ("sales",), "region": ("emea",)}, True),
    ],
)
def test_each_wanted_label_has_one_of_its_values(labels: Labels, wanted: WantedLabels, *, expected: bool) -> None:
    assert matches(labels, wanted) is expected
    assert match_pairs(pairs(labels), wanted) is expected


def test_the_labels_of_several_agents_may_each_have_one_of_the_wanted_values() -> None:
    """An alert about two agents is for the team of either."""
    of_two = ("region:emea", "team:sales", "team:support")
    assert match_pairs(of_two, {"team": ("support", "legal"), "region": ("emea",)})
    assert not match_pairs(of_two, {"team": ("legal",), "region": ("emea",)})


def test_wanted_labels_are_read_from_pairs() -> None:
    """Several values of a label are each right; a value may have a colon."""
    assert parse_wanted(["Team:sales", "team:Support", "at:12:30"]) == {"team": ("sales", "Support"), "at": ("12:30",)}
    assert parse_wanted([]) == {}


@pytest.mark.parametrize("text", ["", "team", "team:", ":sales", "te am:sales", "team:a,b", "team: sales", "team:é"])
def test_what_no_label_can_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a label like team:sales"):
        parse_wanted([text])
