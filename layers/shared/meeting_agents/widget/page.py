"""The overview as HTML for the CloudWatch dashboard. Pure; all text from outside is escaped.

It has no script, and no style that CloudWatch would remove:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_security.html.
"""

from collections.abc import Sequence
from datetime import timedelta
from html import escape

from meeting_agents.alerting.runbook import WORDINGS
from meeting_agents.alerting.text import format_duration, format_time
from meeting_agents.widget.card import AGENT, name_of, render_card, render_group, time_left, when
from meeting_agents.widget.facts import MAX_QUERY_LENGTH, AgentSummary, Outcome, Overview, Viewer
from meeting_agents.widget.hours import render_hours
from meeting_agents.widget.html import button, details, field, form, is_agent_id, tag, text
from meeting_agents.widget.style import STYLE
from meeting_agents.wording import STATES

SEARCH, WHO = "search", "who"
"""The fields of the page."""
PAGE, QUERY = "page", "query"
"""The parameters of its buttons."""
MAX_WHO_LENGTH = 100


def render_page(overview: Overview) -> str:
    """Return the whole page."""
    saved = [render_card(overview, card) for card in overview.cards if overview.can_be_saved(card)]
    over = [render_card(overview, card) for card in overview.cards if not overview.can_be_saved(card)]
    groups = [render_group(overview, group, number) for number, group in enumerate(overview.groups)]
    parts = [
        _tiles(overview),
        _facts(overview),
        "" if overview.query else render_hours(overview),
        _tools(overview),
        _section("Accounts and data centers", groups),
        _section("Can still be saved", saved),
        _section("The meeting is over", over),
        _nothing(overview),
        _paging(overview),
        _recent(overview),
    ]
    return within("".join(parts), overview.viewer)


def within(content: str, viewer: Viewer) -> str:
    """Return HTML with the style around it, in the viewer's theme."""
    kind = "root ma-dark" if viewer.is_dark else "root"
    return f'{STYLE}<div class="cwdb-no-default-styles"></div>{tag("div", content, kind)}'


def _tiles(overview: Overview) -> str:
    today, more = overview.today, "+" if overview.today.is_partial else ""
    incidents = overview.open_count + len(overview.groups)
    tiles = (
        ("meetings today", f"{today.count():,}{more}", "plain"),
        ("on their way", f"{today.count(Outcome.ON_ITS_WAY):,}{more}", Outcome.ON_ITS_WAY),
        ("complete", f"{today.count(Outcome.COMPLETE):,}{more}", Outcome.COMPLETE),
        (
            "open incidents found" if overview.query else "open incidents",
            f"{incidents:,}{'+' if overview.is_open_partial else ''}",
            Outcome.WRONG if incidents else Outcome.COMPLETE,
        ),
    )
    return tag("section", "".join(_tile(*tile) for tile in tiles), "tiles")


def _tile(label: str, value: str, kind: str) -> str:
    return f'<div class="ma-tile ma-tile-{kind}"><b>{value}</b><span>{label}</span></div>'


def _facts(overview: Overview) -> str:
    heard = (
        f"from {text(name)} {format_duration(max(overview.now - at, timedelta()))} ago"
        for name, at in sorted(overview.heard_at.items(), key=lambda pair: pair[1], reverse=True)
    )
    callbacks = "Last callback " + ", ".join(heard) if overview.heard_at else "No callback from Cronofy yet"
    checked = f"Checked at {format_time(overview.now, overview.viewer.zone, '%H:%M:%S')}"
    facts = [callbacks, _reach(overview.subscribers), checked]
    if overview.now - overview.today.counted_at >= timedelta(minutes=1):
        facts.append(
            f"meetings of the day counted at {format_time(overview.today.counted_at, overview.viewer.zone, '%H:%M')}"
        )
    return tag("p", " · ".join(facts), "facts")


def _reach(subscribers: int | None) -> str:
    if subscribers is None:
        return "The number of subscribers of the alerts could not be read"
    if subscribers:
        return f"{subscribers} confirmed subscriber{'' if subscribers == 1 else 's'} of the alerts"
    return tag(
        "b",
        "No confirmed subscriber: no one receives the alerts. Subscribe an address to the topic in the output"
        " AlertsTopicArn, and confirm the e-mail that AWS sends to it.",
        "bad",
    )


def _tools(overview: Overview) -> str:
    viewer = overview.viewer
    if not viewer.reading:
        return ""
    query = field(SEARCH, "Title, event id, account or label", overview.query, MAX_QUERY_LENGTH)
    search = button("Search", viewer.reading, {PAGE: 1})
    everything = button("Show all", viewer.reading, {PAGE: 1, QUERY: ""}) if overview.query else ""
    who = field(WHO, "Your name, for acknowledgements", viewer.form(WHO), MAX_WHO_LENGTH) if viewer.writing else ""
    return form(query, search, everything, who)


def _section(title: str, cards: Sequence[str]) -> str:
    return tag("section", f"<h3>{escape(title)}</h3>{''.join(cards)}", "section") if cards else ""


def _nothing(overview: Overview) -> str:
    if overview.cards or overview.groups:
        return ""
    if overview.query:
        return tag("p", f"No open incident has “{text(overview.query, MAX_QUERY_LENGTH)}” in its names.", "nothing")
    return tag("p", "<b>No open incidents.</b> Every agent is on its way or done.", "nothing ma-good")


def _paging(overview: Overview) -> str:
    if overview.pages == 1:
        return ""
    reading, page = overview.viewer.reading, overview.page
    before = button("Previous page", reading, {PAGE: page - 1, QUERY: overview.query}) if page > 1 else ""
    after = button("Next page", reading, {PAGE: page + 1, QUERY: overview.query}) if page < overview.pages else ""
    return tag("p", f"{before}{tag('span', f'Page {page} of {overview.pages}')}{after}", "paging")


def _recent(overview: Overview) -> str:
    if not overview.recent:
        return ""
    rows = "".join(_row(overview, agent) for agent in overview.recent)
    title = "Found in the last 24 hours and today" if overview.query else "The last 24 hours, and what comes next"
    is_open = bool(overview.query) or not (overview.cards or overview.groups)
    return details(title, tag("div", rows, "rows"), name="recent", is_open=is_open)


def _row(overview: Overview, agent: AgentSummary) -> str:
    viewer = overview.viewer
    words = WORDINGS[agent.incident].one if agent.incident else STATES[agent.state]
    more = button("Details", viewer.reading, {AGENT: agent.agent_id}, is_popup=True)
    return tag(
        "div",
        tag("span", when(agent.start, viewer), "at")
        + tag("b", name_of(agent.title, agent.agent_id, event_id=agent.event_id, scheduling_key=agent.scheduling_key))
        + tag("span", f'<i class="ma-{agent.outcome}"></i>{escape(words)}', "key")
        + tag("span", time_left(agent.start, agent.end, overview.now), "left")
        + (more if is_agent_id(agent.agent_id) else ""),
        "row",
    )
