"""The figures as people read them: one Markdown table, in the README and on the terminal."""

from typing import Any


def table(figures: dict[str, Any]) -> str:
    """The figures of `.bench.json` as a Markdown table: what was measured, the result, and the least or most wanted."""
    rows = [*_speed(figures), *_burst(figures), *_rush(figures), *_alerts(figures), *_growth(figures), *_cost(figures)]
    rows += _archive(figures)
    lines = ["| what | measured | wanted |", "|---|---|---|"]
    return "\n".join(lines + [f"| {what} | {measured} | {wanted} |" for what, measured, wanted in rows])


_RECEIVERS = {
    "webhook": "`webhook`",
    "floor": "the least receiver (HMAC, `json.loads`, one `put_item`)",
    "powertools": "a receiver with Powertools' resolver and boto3's resource",
    "fastapi": "a receiver with FastAPI and Mangum",
}
_UNTRIMMED = "on packages as they are installed, without bytecode"


def _speed(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for name, cold in figures["cold_start"].items():
        ready, whole = cold["ready_ms"]["function"]["median"], cold["answered_processor_ratio"]["median"]
        rows.append(
            (
                f"Cold start of `{name}` (import, clients; with the first answer), beside a bare handler with the same",
                f"{_times(cold['ready_processor_ratio'])}, {ready:.0f} ms here; {whole:.2f} times",
                "≤ 1.3 times" if name == "webhook" else "",
            )
        )
    without = [cold["without_bytecode_ratio"]["median"] for cold in figures["cold_start"].values()]
    rows.append(
        ("The same without the layer's bytecode", f"{min(without):.1f} to {max(without):.1f} times as long", "")
    )
    rows += [
        (
            f"Processor time of {_RECEIVERS[name]} from a cold start to its first answer, beside that bare handler",
            _times(took["layer"]) + (f"; {took['shipped']['median']:.2f} {_UNTRIMMED}" if "shipped" in took else ""),
            "",
        )
        for name, took in figures["peers"].items()
    ]
    for name, took in figures["tls"].items():
        amazon, everyone, plain = (took[variant]["median"] for variant in ("amazon", "all", "plain"))
        rows.append(
            (
                f"Processor time of the first answer of `{name}` through TLS; with all authorities; without TLS",
                f"{amazon:.0f}, {everyone:.0f}, {plain:.0f} ms",
                "≤ 65 ms" if name == "webhook" else "",
            )
        )
    warm = figures["warm"]
    milliseconds = warm["webhook"]["median"]
    rows.append(
        (
            "Processor time of a notification, warm, beside HMAC, `json.loads` and one `put_item`",
            f"{_times(warm['ratio'])} ({milliseconds:.1f} ms here)",
            "≤ 1.15 times",
        )
    )
    return rows


def _burst(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for burst in figures["bursts"]:
        ack = burst["ack_ms"]
        what = (
            f"{burst['notifications']:,} notifications, {burst['distinct']} distinct, from {burst['senders']} senders"
        )
        rows += [
            (f"{what}: doubled, unaccounted, not announced", _zeros(burst), "0, 0, 0"),
            (
                f"{what}: acknowledged after p50, p95, p99, by 8 processes that start in the first of these bursts",
                f"{ack['p50']:.0f}, {ack['p95']:.0f}, {ack['p99']:.0f} ms; {burst['per_second']} a second",
                "",
            ),
        ]
    return rows


def _zeros(burst: dict[str, Any]) -> str:
    return f"{burst['doubled']}, {burst['unaccounted']}, {burst['not_announced']}"


def _rush(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    rush = figures["rush"]
    refused = sum(count for status, count in rush["statuses"].items() if not status.startswith("2"))
    return [
        (
            f"{rush['wanted']:,} agents requested in one minute: at Cronofy, refused by it",
            f"{rush['agents_at_cronofy']:,} within {rush['minutes']:g} minutes, {refused}",
            "all, 0",
        ),
        (
            "The most of these requests at Cronofy in any second, in any minute",
            f"{rush['most_in_a_second']}, {rush['most_in_a_minute']}",
            "≤ 50, ≤ 500",
        ),
    ]


def _alerts(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    detection, alert, outage = figures["detection"], figures["alert"], figures["outage"]
    return [
        (
            f"A silent agent is found after its deadline, median and most of {detection['agents']}",
            f"{detection['seconds']['median']:.0f} s, {detection['most_seconds']:.0f} s",
            "one sweep: 60 s",
        ),
        (
            "From Cronofy's call to the alert published, p95, without the window in which alerts are collected",
            f"{alert['p95'] / 1000:.1f} s",
            "≤ 5 s",
        ),
        (
            f"{outage['failures']:,} failures in one window: messages, agents in none, agents in two",
            f"{outage['messages']}, {outage['not_in_an_alert']}, {outage['in_two_alerts']}",
            "≤ 5, 0, 0",
        ),
    ]


def _growth(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    sizes = list(figures["growth"])
    rows = []
    for work in figures["growth"][sizes[0]]:
        units = ", ".join(f"{figures['growth'][size][work]['units']:g}" for size in sizes)
        agents = ", ".join(f"{int(size):,}" for size in sizes)
        what = {"sweep": "A sweep with 10 agents due", "read": "Reading an agent", "list page": "A page of the list"}[
            work
        ]
        rows.append((f"{what}: units of the table, with {agents} agents in it", units, "flat"))
    return rows


def _archive(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = figures["archive"]
    size = f"{found['bytes'] / 1e9:g} GB"
    return [
        (
            f"A recording of {size}, copied into the archive: memory at the most, parts in it, invocations",
            f"{found['peak_mb']} of {found['memory_mb']} MB, {found['parts_in_memory']}, {found['invocations']}",
            f"≤ {found['memory_mb'] // 2} MB, 1",
        ),
        (
            f"1,000 meetings with {size} each: copied, by processor time; kept for a month",
            f"US$ {found['usd_per_1000_copied']:.2f}; {found['usd_per_1000_kept_a_month']:.2f}",
            "",
        ),
    ]


def _cost(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    cost = figures["cost"]
    items = ", ".join(f"{name} {usd:.4f}" for name, usd in list(cost["usd_by_item"].items())[:3])
    at_rest = cost["usd_per_month_at_rest"]
    month, dashboard = sum(at_rest.values()), sum(cost["usd_per_month_of_the_dashboard"].values())
    largest = ", ".join(f"{name} {usd:.2f}" for name, usd in list(at_rest.items())[:3])
    return [
        (
            f"1,000 meetings in a month on AWS, {cost['region']}, prices of {cost['prices_as_known']}; real bodies",
            f"US$ {cost['usd_per_1000_meetings']:.3f} ({items})",
            "",
        ),
        (
            "1,000 of 100,000 meetings in a month, which begin with fewer cold starts",
            f"US$ {cost['usd_per_1000_of_many_meetings']:.3f}",
            "",
        ),
        (
            "Units of a meeting, by size: written, read",
            f"{cost['amounts']['write units'] / 1000:.1f}, {cost['amounts']['read units'] / 1000:.1f}",
            "",
        ),
        (
            "1,000 meetings in a month with EventTriggers=off",
            f"US$ {cost['usd_per_1000_meetings'] - cost['usd_of_event_triggers']:.3f}",
            "",
        ),
        (
            "1,000 meetings in a month with Tracing=Active: X-Ray takes more than anything else",
            f"US$ {cost['usd_with_traces']:.3f}",
            "",
        ),
        ("A month in which nothing happens, without the dashboard", f"US$ {month:.2f} ({largest})", "< US$ 6"),
        ("The same with the dashboard", f"US$ {month + dashboard:.2f}", ""),
    ]


def _times(ratio: dict[str, Any]) -> str:
    low, high = ratio["quartiles"]
    return f"{ratio['median']:.2f} times ({low:.2f} to {high:.2f})"
