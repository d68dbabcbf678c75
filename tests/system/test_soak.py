"""The soak in short; `make soak` takes ten minutes."""

from tests.soak.__main__ import MUST_BE_NONE
from tests.soak.load import soak


def test_nothing_is_lost_while_everything_around_fails_now_and_then() -> None:
    """Throttled, reset and lost calls of AWS, a Cronofy that hangs up, functions that die."""
    found = soak(seconds=5, rate=10, seed=1)
    assert {name: found[name] for name in MUST_BE_NONE} == dict.fromkeys(MUST_BE_NONE, 0), found
    assert found["aws_faults"]
    assert found["notifications_kept"]
