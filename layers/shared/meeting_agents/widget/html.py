"""HTML for CloudWatch's custom widgets: escaped text, buttons, fields. Pure.

A widget has no script. An element `cwdb-action` says what the element before it does when it is pressed:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/add_custom_widget_dashboard_interactivity.html.
Labels, confirmations and attributes are our own words; text from outside is only ever escaped content, or the viewer's
own input given back in its field.
"""

import json
import re
from collections.abc import Mapping
from html import escape

from meeting_agents.alerting.text import sanitize

_AGENT_ID = re.compile(r"ma_[a-z2-7]{26}")
_ENDPOINT = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:[\w-]{1,140}(:[\w$-]{1,128})?")


def text(value: str, length: int = 300) -> str:
    """Return text from outside as content of an element: one line, without addresses, escaped."""
    return escape(sanitize(value, length))


def tag(name: str, content: str, kind: str = "") -> str:
    """Return an element around HTML. `kind`: its class."""
    return f'<{name} class="ma-{kind}">{content}</{name}>' if kind else f"<{name}>{content}</{name}>"


def is_agent_id(value: object) -> bool:
    """Return True for an id that can be the parameter of a button."""
    return isinstance(value, str) and _AGENT_ID.fullmatch(value) is not None


def button(
    label: str,
    endpoint: str,
    parameters: Mapping[str, str | int],
    *,
    is_popup: bool = False,
    is_primary: bool = False,
    confirmation: str = "",
) -> str:
    """Return a button that calls a function; empty if there is no function to call.

    `endpoint`: its ARN. `confirmation`: the question that must be confirmed first.
    """
    if not _ENDPOINT.fullmatch(endpoint):
        return ""
    kind = "btn btn-primary ma-button ma-primary" if is_primary else "btn ma-button"
    # As JSON's own escapes, so that the parameters are the same whether they are read as HTML or as text.
    content = json.dumps(parameters).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")
    confirm = f' confirmation="{escape(confirmation)}"' if confirmation else ""
    return (
        f'<a class="{kind}" role="button" tabindex="0">{escape(label)}</a>'
        f'<cwdb-action action="call" display="{"popup" if is_popup else "widget"}" endpoint="{endpoint}"{confirm}>'
        f"{content}</cwdb-action>"
    )


def field(name: str, label: str, value: str = "", length: int = 200) -> str:
    """Return a field of a form. `value`: what the viewer put into it before."""
    attributes = {"name": name, "placeholder": label, "aria-label": label, "value": sanitize(value, length)}
    shown = " ".join(f'{key}="{escape(word)}"' for key, word in attributes.items())
    return f'<input class="ma-field" type="text" maxlength="{length}" autocomplete="off" {shown}>'


def form(*content: str) -> str:
    """Return a form. CloudWatch passes its fields to every function that a button of the widget calls."""
    return f'<form class="ma-form">{"".join(content)}</form>'


def link(label: str, url: str) -> str:
    """Return a link to an address that `is_link` let through."""
    return f'<a class="ma-link" href="{escape(url)}" target="_blank" rel="noreferrer">{escape(label)}</a>'


def details(summary: str, content: str, *, name: str, is_open: bool = False) -> str:
    """Return a part that unfolds. `name`: keeps it unfolded where a page refreshes itself."""
    opened = " open" if is_open else ""
    return f'<details class="ma-details" id="ma-{escape(name)}"{opened}><summary>{summary}</summary>{content}</details>'
