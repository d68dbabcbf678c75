"""The live view of `make run`: what a caller's own commands lead to, as it happens."""

import io
import re
from datetime import UTC, datetime, timedelta

from tests.sandbox.live import LiveView
from tests.sandbox.screen import Screen
from tests.sandbox.stage import Stage, wait_until


def test_a_request_and_the_alert_that_it_leads_to_appear_once(stage: Stage) -> None:
    out = io.StringIO()
    view = LiveView(stage, Screen(out))
    start = datetime.now(UTC)
    stage.request("live", "Live view", start, start + timedelta(hours=1))

    def shown() -> str | None:
        view.show_new()
        text = out.getvalue()
        return text if '"Live view" alerted' in text and "on-call" in text else None

    text = wait_until(shown, 30)
    assert text, out.getvalue()
    for kind in ("requested", "accepted", "overdue", "alerted"):
        assert len(re.findall(rf'agent +"Live view" {kind}\b', text)) == 1
    assert re.search(r"on-call +\[critical\] ", text)
    assert re.search(r'"Live view" overdue +scheduled → overdue\n', text)
    view.show_new()
    assert out.getvalue().count('"Live view" requested') == 1
