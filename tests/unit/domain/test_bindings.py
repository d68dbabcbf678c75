"""The agents, accounts, groups and silences that are a bound caller's, and those that are not."""

from datetime import UTC, datetime, timedelta

import pytest

from meeting_agents.domain.bindings import (
    EVERYTHING,
    NOTHING,
    Binding,
    caller_keys,
    of_claims,
    stored_caller,
)
from meeting_agents.domain.groups import Group
from meeting_agents.domain.model import IncidentType
from meeting_agents.domain.silences import Silence

SALES = Binding(accounts=frozenset({"ann", "bob"}))
TEAM = Binding(labels={"team": ("sales", "presales")})
BOTH = Binding(accounts=frozenset({"ann"}), labels={"team": ("sales",), "region": ("emea",)})


@pytest.mark.parametrize(
    ("binding", "account", "labels", "is_own"),
    [
        (EVERYTHING, "", {}, True),
        (EVERYTHING, "eve", {"team": "support"}, True),
        (NOTHING, "", {}, False),
        (NOTHING, "ann", {"team": "sales"}, False),
        (SALES, "ann", {}, True),
        (SALES, "bob", {"team": "support"}, True),
        (SALES, "eve", {}, False),
        (SALES, "", {}, False),
        (TEAM, "", {"team": "sales"}, True),
        (TEAM, "eve", {"team": "presales", "region": "emea"}, True),
        (TEAM, "ann", {"team": "support"}, False),
        (TEAM, "ann", {}, False),
        (BOTH, "ann", {"team": "sales", "region": "emea"}, True),
        (BOTH, "ann", {"team": "sales"}, False),
        (BOTH, "bob", {"team": "sales", "region": "emea"}, False),
    ],
)
def test_an_agent_is_a_callers_by_its_account_and_its_labels(
    binding: Binding, account: str, labels: dict[str, str], is_own: bool
) -> None:
    assert binding.covers(account, labels) is is_own


def test_only_who_is_bound_to_nothing_has_an_empty_binding() -> None:
    assert [binding.is_empty for binding in (EVERYTHING, NOTHING, SALES, TEAM, BOTH)] == [
        *(False, True, False),
        *(False, False),
    ]


def test_an_account_is_a_callers_as_a_whole_only_without_labels() -> None:
    """Its tokens are those of all its agents."""
    assert [binding.covers_account("ann") for binding in (EVERYTHING, NOTHING, SALES, TEAM, BOTH)] == [
        *(True, False, True),
        *(False, False),
    ]
    assert not SALES.covers_account("eve")


def test_a_caller_acts_only_for_accounts_that_are_named() -> None:
    """A label alone opens no one's calendar."""
    assert [binding.may_act_for("ann") for binding in (EVERYTHING, NOTHING, SALES, TEAM, BOTH)] == [
        *(True, False, True),
        *(False, True),
    ]
    assert not SALES.may_act_for("eve")


def test_a_group_is_a_callers_if_all_its_agents_are() -> None:
    own, other = (Group(IncidentType.ACCOUNT_DISCONNECTED, name) for name in ("ann", "eve"))
    others = [
        Group(type_, "ann")
        for type_ in (IncidentType.CALLBACKS_MISSING, IncidentType.CHANNEL_FAILING, IncidentType.DRILL)
    ]
    assert (SALES.covers_group(own), SALES.covers_group(other), BOTH.covers_group(own)) == (True, False, False)
    assert not any(map(SALES.covers_group, others))
    assert all(map(EVERYTHING.covers_group, [own, other, *others]))


def silence(**criteria: object) -> Silence:
    start = datetime(2026, 4, 29, tzinfo=UTC)
    return Silence(name="s", start=start, end=start + timedelta(hours=1), why="x", **criteria)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("binding", "criteria", "is_own"),
    [
        (EVERYTHING, {}, True),
        (NOTHING, {"accounts": frozenset({"ann"})}, False),
        (SALES, {}, False),
        (SALES, {"accounts": frozenset({"ann", "bob"})}, True),
        (SALES, {"accounts": frozenset({"ann", "eve"})}, False),
        (SALES, {"labels": {"team": ("sales",)}}, False),
        (SALES, {"data_centers": frozenset({"de"})}, False),
        (TEAM, {"labels": {"team": ("sales",)}}, True),
        (TEAM, {"labels": {"team": ("sales", "support")}}, False),
        (TEAM, {"accounts": frozenset({"ann"})}, False),
        (BOTH, {"accounts": frozenset({"ann"}), "labels": {"team": ("sales",), "region": ("emea",)}}, True),
        (BOTH, {"accounts": frozenset({"ann"}), "labels": {"team": ("sales",)}}, False),
        (SALES, {"agents": frozenset({"own", "own too"})}, True),
        (SALES, {"agents": frozenset({"own", "other"})}, False),
        (NOTHING, {"agents": frozenset({"own"})}, False),
    ],
)
def test_a_silence_is_a_callers_if_it_holds_back_no_alert_of_others(
    binding: Binding, criteria: dict[str, object], is_own: bool
) -> None:
    assert binding.covers_silence(silence(**criteria), lambda agent: agent.startswith("own")) is is_own


def test_a_list_has_the_callers_own_of_what_is_wanted() -> None:
    """None where nothing can be found: then nothing is read."""
    wanted = {"state": ("failed",)}
    assert EVERYTHING.narrowed(wanted) == wanted
    assert NOTHING.narrowed(wanted) is None
    assert SALES.narrowed(wanted) == {"state": ("failed",), "account": ("ann", "bob")}
    assert SALES.narrowed({"account": ("bob", "eve")}) == {"account": ("bob",)}
    assert SALES.narrowed({"account": ("eve",)}) is None
    assert TEAM.narrowed({"labels.team": ("sales", "support"), "labels.region": ("emea",)}) == {
        "labels.team": ("sales",),
        "labels.region": ("emea",),
    }
    assert TEAM.narrowed({"labels.team": ("support",)}) is None
    assert BOTH.narrowed({"labels.team": ("support",)}) is None
    assert BOTH.narrowed({}) == {"account": ("ann",), "labels.team": ("sales",), "labels.region": ("emea",)}


# --------------------------------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"acc": "ann,bob", "lab": "*"}, SALES),
        ({"acc": " ann , bob ,", "lab": "[*]"}, SALES),
        ({"acc": "[ann bob]", "lab": "*"}, SALES),
        ({"acc": "*", "lab": "team:sales,team:presales"}, TEAM),
        ({"acc": "*", "lab": "Team:sales, team:presales"}, TEAM),
        ({"acc": "ann", "lab": "[team:sales region:emea]"}, BOTH),
        ({"acc": "*", "lab": "*"}, EVERYTHING),
        ({"acc": "ann"}, NOTHING),  # a claim is missing
        ({"acc": "", "lab": "*"}, NOTHING),
        ({"acc": "[]", "lab": "*"}, NOTHING),
        ({"acc": None, "lab": "*"}, NOTHING),
        ({"acc": "*", "lab": "sales"}, NOTHING),  # no label
        ({"acc": "[ann bob", "lab": "*"}, Binding(accounts=frozenset({"[ann bob"}))),  # no array: no one's name
        ({}, NOTHING),
    ],
)
def test_a_token_binds_by_each_of_its_claims(claims: dict[str, object], expected: Binding) -> None:
    """An empty or missing one never restricts less."""
    assert of_claims(claims, "acc", "lab") == expected
    assert dict(of_claims(claims, "acc", "lab").labels) == dict(expected.labels)


def test_a_claim_without_a_name_is_not_looked_for() -> None:
    assert of_claims({"acc": "ann,bob"}, "acc", "") == SALES
    assert of_claims({"lab": "team:sales,team:presales"}, "", "lab").labels == TEAM.labels
    assert of_claims({"acc": "*"}, "acc", "") == EVERYTHING
    assert of_claims({"": "*"}, "", "") == NOTHING


# -------------------------------------------------------------------------------------------------------------- callers

SESSION = "arn:aws:sts::111122223333:assumed-role/sales/ann"


@pytest.mark.parametrize(
    ("caller", "names"),
    [
        (SESSION, (SESSION, "arn:aws:sts::111122223333:assumed-role/sales")),
        ("arn:aws:iam::111122223333:user/ann", ("arn:aws:iam::111122223333:user/ann",)),
        ("auth0|42", ("auth0|42",)),
        ("", ("",)),
        (f"x{SESSION}", (f"x{SESSION}",)),
    ],
)
def test_a_session_has_the_binding_of_its_role_unless_it_has_its_own(caller: str, names: tuple[str, ...]) -> None:
    assert caller_keys(caller) == names


@pytest.mark.parametrize(
    ("text", "caller"),
    [
        ("arn:aws:iam::111122223333:role/sales", "arn:aws:sts::111122223333:assumed-role/sales"),
        ("arn:aws:iam::111122223333:role/apps/eu/sales", "arn:aws:sts::111122223333:assumed-role/sales"),
        ("arn:aws-cn:iam::111122223333:role/sales", "arn:aws-cn:sts::111122223333:assumed-role/sales"),
        (SESSION, SESSION),
        ("arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/ann"),
    ],
)
def test_a_role_is_stored_as_its_sessions_are_called(text: str, caller: str) -> None:
    """The ARN of a session has no path of its role."""
    assert stored_caller(text) == caller
