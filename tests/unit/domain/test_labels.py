"""Labels as pairs, those of many agents, and those that a list or a silence wants."""

import pytest

from meeting_agents.domain.labels import Labels, WantedLabels, matches, most_frequent, pairs


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
