"""The environment of a function: a variable that is missing is named."""

import pytest

from meeting_agents.errors import MissingSetting
from meeting_agents.settings import Settings


def test_a_variable_that_is_missing_or_no_number_is_named() -> None:
    """A defect of the deployment: no second try helps."""
    with pytest.raises(MissingSetting, match="AGENTS_TABLE"):
        _ = Settings({}).agents_table
    with pytest.raises(MissingSetting, match="REQUESTS_PER_SECOND must be a number"):
        _ = Settings({"REQUESTS_PER_SECOND": "many"}).requests_per_second
