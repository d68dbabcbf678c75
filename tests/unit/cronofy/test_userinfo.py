"""The conferencing profiles in a response of UserInfo, and responses of any other shape."""

from typing import Any

import pytest

from meeting_agents.cronofy.userinfo import MAX_PROFILES, read_profiles
from meeting_agents.domain.profiles import Profile

# https://docs.cronofy.com/developers/api/conferencing-services/conferencing-profiles/
RELINK = "https://app.cronofy.com/v2/relink/go_to?email=example%40cronofy.com"
ZOOM = {"provider_name": "zoom", "profile_id": "pro_jknsdfk234", "profile_connected": True}
GO_TO = {
    "provider_name": "go_to",
    "profile_id": "pro_gfmdsg51qa",
    "profile_name": "example@cronofy.com",
    "profile_connected": False,
    "profile_relink_url": RELINK,
}


def listed(*profiles: Any) -> dict[str, Any]:
    return {
        "sub": "acc_5700a00eb0ccd07000000000",
        "cronofy.type": "account",
        "cronofy.data": {"authorization": {"scope": "read_write"}, "conferencing_profiles": [*profiles]},
    }


def test_the_documented_response_is_read() -> None:
    assert read_profiles(listed(ZOOM, GO_TO)) == (
        Profile(id="pro_jknsdfk234"),
        Profile(id="pro_gfmdsg51qa", is_connected=False, relink_url=RELINK),
    )
    assert read_profiles(listed()) == ()


@pytest.mark.parametrize("value", [None, "false", 0, [], "no"], ids=repr)
def test_a_profile_is_disconnected_only_if_cronofy_says_so(value: object) -> None:
    assert read_profiles(listed(GO_TO | {"profile_connected": value})) == (
        Profile(id="pro_gfmdsg51qa", relink_url=RELINK),
    )


def test_an_address_or_an_id_that_is_no_text_is_empty() -> None:
    odd = {"profile_id": 7, "profile_connected": False, "profile_relink_url": {"href": RELINK}}
    assert read_profiles(listed(odd, {})) == (Profile(id="", is_connected=False), Profile(id=""))
    longest = "https://" + "x" * 1992
    assert read_profiles(listed(GO_TO | {"profile_relink_url": longest})) == (
        Profile(id="pro_gfmdsg51qa", is_connected=False, relink_url=longest),
    )
    long = GO_TO | {"profile_relink_url": f"{longest}x"}
    assert read_profiles(listed(long)) == (Profile(id="pro_gfmdsg51qa", is_connected=False),)
    surrogate = GO_TO | {"profile_relink_url": "https://a/\ud800"}
    assert read_profiles(listed(surrogate)) == (
        Profile(id="pro_gfmdsg51qa", is_connected=False, relink_url="https://a/?"),
    )


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "x",
        {},
        {"cronofy.data": None},
        {"cronofy.data": {}},
        {"cronofy": {"data": {"conferencing_profiles": [GO_TO]}}},
        {"cronofy.data": {"conferencing_profiles": GO_TO}},
        listed(GO_TO, None),
        listed("x"),
    ],
    ids=str,
)
def test_a_response_of_another_shape_says_nothing(content: object) -> None:
    assert read_profiles(content) is None


def test_a_bounded_number_of_profiles_is_kept() -> None:
    assert len(read_profiles(listed(*[GO_TO] * (MAX_PROFILES + 1))) or ()) == MAX_PROFILES == 50
