"""The storage tests of the embedded AWS, run unchanged on another DynamoDB.

The two emulators share no code, so that no test depends on a quirk of one. Neither streams nor functions are needed,
because the tests make the events of the stream.
"""

from collections.abc import Iterator

import pytest

from tests.component.second_aws import SecondAws
from tests.component.test_days import *  # noqa: F403
from tests.component.test_journal import *  # noqa: F403
from tests.component.test_lease import *  # noqa: F403
from tests.component.test_rate_limiter import *  # noqa: F403
from tests.component.test_tokens import *  # noqa: F403
from tests.component.test_track import *  # type: ignore[assignment]  # noqa: F403 - each has helpers of its own

NO_ITEM = (
    "roto does not return the item when a condition of PutItem or UpdateItem fails, as AWS documents for"
    " ReturnValuesOnConditionCheckFailure: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"
)
LACKING = dict.fromkeys(
    (
        "test_after_invalid_grant_no_token_is_requested_until_a_new_registration",
        "test_a_registration_during_a_renewal_is_not_overwritten",
        "test_a_new_entry_is_an_insertion_in_the_stream",
        "test_a_notification_whose_bytes_have_expired_is_announced_again",
        "test_a_renewal_counts_towards_cronofys_limits",
        "test_a_renewal_that_fails_leaves_the_account_unchanged",
        "test_an_access_token_is_renewed_before_it_expires",
        "test_a_token_that_cronofy_refused_is_renewed",
        "test_an_expired_entry_does_not_stop_a_batch",
        "test_an_expired_entry_does_not_stop_a_new_one",
        "test_each_data_center_has_limits_of_its_own",
        "test_four_times_the_limit_of_a_minute_arrives_and_none_is_refused",
        "test_a_new_refresh_token_replaces_the_old_one",
        "test_processes_at_the_same_time_get_no_more_permits_than_the_limit",
        "test_the_sweep_leaves_a_share_to_callers_who_wait",
        "test_twenty_callers_at_half_the_rate_are_never_refused",
    ),
    NO_ITEM,
)
"""Tests that need something that this server lacks, and the reason. The embedded AWS does as AWS documents."""


@pytest.fixture(scope="module")
def aws() -> Iterator[SecondAws]:
    """Replace the embedded AWS for all tests that are imported above."""
    with SecondAws() as second:
        yield second


@pytest.fixture(autouse=True)
def _is_possible(request: pytest.FixtureRequest) -> None:
    if reason := LACKING.get(request.node.originalname):
        pytest.skip(reason)
