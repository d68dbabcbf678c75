"""A second opinion: what is proved on the embedded AWS is proved again, unchanged, on another DynamoDB.

Of the two only the code under test is the same, so that no habit of one emulator is leant on. Neither stream nor
function is needed: the stream's events are made by the tests themselves.
"""

from collections.abc import Iterator

import pytest

from tests.component.test_journal import *  # noqa: F403
from tests.component.test_lease import *  # noqa: F403
from tests.component.test_rate_limiter import *  # noqa: F403
from tests.component.test_tokens import *  # noqa: F403
from tests.component.test_track import *  # type: ignore[assignment]  # noqa: F403 - each has helpers of its own
from tests.second_aws import SecondAws

NO_ITEM = (
    "roto does not return the item when a condition of UpdateItem fails, as AWS documents for"
    " ReturnValuesOnConditionCheckFailure: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"
)
LACKING = dict.fromkeys(
    (
        "test_after_invalid_grant_no_token_is_requested_until_a_new_registration",
        "test_a_registration_during_a_renewal_is_not_overwritten",
        "test_a_renewal_counts_towards_cronofys_limits",
        "test_a_renewal_that_fails_leaves_the_account_unchanged",
        "test_an_access_token_is_renewed_before_it_expires",
        "test_a_token_that_cronofy_refused_is_renewed",
        "test_each_data_center_has_limits_of_its_own",
        "test_four_times_what_a_minute_allows_arrives_and_nothing_is_refused",
        "test_a_new_refresh_token_replaces_the_old_one",
        "test_the_sweep_leaves_a_share_to_callers_who_wait",
    ),
    NO_ITEM,
)
"""Tests that meet something that this server lacks, and what it is. The embedded AWS does as AWS documents."""


@pytest.fixture(scope="module")
def aws() -> Iterator[SecondAws]:
    """In place of the embedded one, for every test that was imported above."""
    with SecondAws() as second:
        yield second


@pytest.fixture(autouse=True)
def _is_possible(request: pytest.FixtureRequest) -> None:
    if reason := LACKING.get(request.node.originalname):
        pytest.skip(reason)
