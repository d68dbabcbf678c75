"""The settings: the error of a missing variable has its name."""

import pytest

from meeting_agents.errors import MissingSetting
from meeting_agents.settings import Settings


def test_a_variable_that_is_missing_or_no_number_is_named() -> None:
    """The deployment is wrong: a retry fails again."""
    with pytest.raises(MissingSetting, match="AGENTS_TABLE"):
        _ = Settings({}).agents_table
    with pytest.raises(MissingSetting, match="REQUESTS_PER_SECOND must be a number"):
        _ = Settings({"REQUESTS_PER_SECOND": "many"}).requests_per_second
