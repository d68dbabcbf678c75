"""The log lines of the functions, as CloudWatch gets them."""

import json

from meeting_agents import VERSION
from tests.runtime.stories import Scene, failed


def test_each_log_line_has_the_version_that_wrote_it(scene: Scene) -> None:
    """Also those of functions whose layer modules have loggers, which are made before the function's own."""
    scene.platform.forget()
    failed(scene)
    scene.platform.tick("sweep")
    for function in ("provision", "track", "alert", "sweep"):
        lines = [json.loads(line) for line in scene.platform.printed(function).splitlines() if '"level":' in line]
        assert lines, function
        assert {line.get("version") for line in lines} == {VERSION}, function
