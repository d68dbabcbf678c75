"""Each alarm fires and ends when it should, and at no other time, by CloudWatch's evaluation."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pytest

from tests.answers import ANSWERS
from tests.system.cloudwatch import Alarm, Change, Reading, Samples, State, Watched, drawn, evaluate
from tests.system.template import (
    FUNCTIONS,
    RESOURCES,
    dead_letter_queues,
    files_of,
    of_type,
    processed,
    target,
    targets,
    within,
)

ALARMS = of_type("CloudWatch::Alarm")
READINGS = (Reading(), Reading(lag=2), Reading(beyond=5), Reading(beyond=0))
"""The documentation's tables; metrics that come late; a longer range; and none but the newest points."""


def alarm(name: str) -> Alarm:
    """An alarm as CloudFormation gets it."""
    return Alarm.declared(processed()[name]["Properties"], target)


# ------------------------------------------------------------------------------------------------- the rules themselves

TABLES = {
    # of alarms-and-missing-data: for each treatment, M of N = 3 of 3
    ("0 - X - X", 3): ("OK", "OK", "OK", "OK"),
    ("0 - - - -", 3): ("OK", "OK", "OK", "OK"),
    ("- - - - -", 3): ("INSUFFICIENT_DATA", "", "ALARM", "OK"),
    ("0 X X - X", 3): ("ALARM", "ALARM", "ALARM", "ALARM"),
    ("- - X - -", 3): ("ALARM", "", "ALARM", "OK"),
    # and 2 of 3
    ("0 - X - X", 2): ("ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 0 X 0 X", 2): ("ALARM", "ALARM", "ALARM", "ALARM"),
    ("0 - X - -", 2): ("OK", "OK", "ALARM", "OK"),
    ("- - - - 0", 2): ("OK", "OK", "ALARM", "OK"),
    ("- - - X -", 2): ("ALARM", "", "ALARM", "OK"),
}


@pytest.mark.parametrize(("row", "needed"), TABLES)
def test_the_documentations_tables_are_evaluated_as_they_say(row: str, needed: int) -> None:
    """An empty cell is "retain current state"."""
    for treatment, expected in zip(
        ("missing", "ignore", "breaching", "notBreaching"), TABLES[row, needed], strict=True
    ):
        for before in State:
            assert evaluate(drawn(row), needed, 3, treatment, before) == (expected or before), treatment


@pytest.mark.parametrize("row", ["- - - - X", "- - - X -"])
def test_an_alarm_does_not_fire_before_enough_points_can_have_come(row: str) -> None:
    assert evaluate(drawn(row), 3, 3, "missing", State.OK) is State.INSUFFICIENT_DATA


def test_an_old_breaching_point_keeps_an_alarm_only_as_long_as_it_is_in_the_range() -> None:
    assert evaluate(drawn("X X 0 - -"), 2, 3, "notBreaching", State.ALARM) is State.ALARM
    assert evaluate(drawn("X 0 - - -"), 2, 3, "notBreaching", State.ALARM) is State.OK


# ------------------------------------------------------------------------------------------------------------ scenarios


def each(step: int, value: float, start: int, stop: int) -> dict[int, list[float]]:
    """The same value every `step` minutes."""
    return {minute: [value] for minute in range(start, stop, step)}


class Case(NamedTuple):
    """A series of minutes, and from when to when at the latest the alarm fires and ends; None for never."""

    name: str
    world: Mapping[Watched, Samples]
    fires: tuple[int, int] | None = None
    ends: tuple[int, int] | None = None
    until: int = 200


def of(watched: Watched) -> Callable[..., Case]:
    """Cases of an alarm on one metric."""
    return lambda name, samples, *rest: Case(name, {watched: samples}, *rest)


HEARTBEAT = of(("sweep", "Heartbeat"))
PROBE = of(("probe", "ProbeFailures"))
SUBSCRIBERS = of(("probe", "AlertSubscribers"))
UNHEARD = of(("alert", "DrillsUnheard"))
ACCEPTED = of(("webhook", "NotificationsAccepted"))
UNWRITTEN = of(("webhook/store_unavailable", "NotificationsFailed"))
PREVIOUS = of(("webhook", "PreviousSecretAge"))
THROTTLED = of(("", "NotificationsThrottled"))
SKIPPED = of(("sweep", "AgentsSkipped"))
STREAM = of(("TrackFunction", "IteratorAge"))
QUEUE = of(("AlertQueue", "ApproximateAgeOfOldestMessage"))
UNDELIVERED = of(("AlertsTopic", "NumberOfNotificationsFailed"))
UNKNOWN = of(("webhook/unknown", "NotificationsRejected"))
CRONOFY = of(("provision", "CronofyErrors"))
RATE: Mapping[str, list[float]] = {"good": [0, 0, 0, 0], "a quarter": [1, 0, 0, 0], "a tenth": [1, *[0] * 9]}


def summed(*metrics: Watched) -> list[Case]:
    """Cases of an alarm that two of five minutes with a 1 in any of these metrics set off."""
    return [
        *(
            Case(f"{name} of {where} for three minutes", {(where, name): each(1, 1, 60, 63)}, (62, 64), (67, 69))
            for where, name in metrics
        ),
        Case("one minute", {metric: {60: [1, 1]} for metric in metrics}),
        Case("zeros", {metric: each(1, 0, 0, 200) for metric in metrics}),
        Case("every fifth minute", {metrics[0]: each(5, 1, 0, 200)}),
    ]


def dead_letters(queue: str) -> list[Case]:
    """Cases of an alarm on a dead-letter queue."""
    case = of((queue, "ApproximateNumberOfMessagesVisible"))
    return [
        case(
            "one, then redriven", each(1, 0, 0, 60) | each(1, 1, 60, 120) | each(1, 0, 120, 200), (61, 63), (121, 123)
        ),
        case("one, and the metric rests", {60: [1]}, (61, 63)),
        case("none", each(1, 0, 0, 200)),
        case("a queue of which SQS says nothing", {}),
    ]


SCENARIOS: Mapping[str, list[Case]] = {
    "SweepHeartbeatAlarm": [
        HEARTBEAT("stops after having run", each(1, 1, 0, 60), (63, 68)),
        HEARTBEAT("stops and comes back", each(1, 1, 0, 60) | each(1, 1, 90, 200), (63, 68), (93, 95)),
        HEARTBEAT("finishes once in five minutes", each(1, 1, 0, 60) | each(5, 1, 60, 200), (64, 70)),
        HEARTBEAT("never runs", {}, (11, 11)),
        HEARTBEAT("one is late", {m: values for m, values in each(1, 1, 0, 200).items() if m != 60} | {61: [1, 1]}),
        HEARTBEAT("begins after some minutes", each(1, 1, 4, 200)),
    ],
    "ProbeFailedAlarm": [
        PROBE("fail from some time on", each(5, 0, 0, 60) | each(5, 1, 60, 300), (66, 68)),
        PROBE(
            "fail for half an hour", each(5, 0, 0, 60) | each(5, 1, 60, 90) | each(5, 0, 90, 200), (66, 68), (101, 103)
        ),
        PROBE("every other one fails", each(10, 1, 0, 400) | each(10, 0, 5, 400), (11, 21), None, 400),
        PROBE("stop after having run", each(5, 0, 0, 60), (66, 91)),
        PROBE("never run", {}, (21, 21)),
        PROBE("fail until a secret is stored", each(5, 1, 4, 60) | each(5, 0, 64, 200), (20, 21), (75, 77)),
        PROBE("one fails", each(5, 0, 0, 200) | {60: [1]}),
        PROBE("one is missing", {m: values for m, values in each(5, 0, 0, 200).items() if m != 60}),
        PROBE("one is late", {m + (m == 60): values for m, values in each(5, 0, 0, 200).items()}),
    ],
    "AlertSubscribersAlarm": [
        SUBSCRIBERS("none, then one confirms", each(5, 0, 4, 60) | each(5, 1, 64, 200), (5, 7), (65, 67)),
        SUBSCRIBERS("none, and probes stop", each(5, 1, 0, 60) | each(5, 0, 60, 90), (61, 63)),
        SUBSCRIBERS("some all the time", each(5, 2, 4, 200)),
        SUBSCRIBERS("no probe runs", {}),
    ],
    "DrillUnheardAlarm": [
        UNHEARD("no one acknowledges one, and a person the next", {60: [1], 120: [0]}, (61, 63), (121, 123)),
        UNHEARD("no one acknowledges any", {60: [1], 120: [1]}, (61, 63)),
        UNHEARD("each is acknowledged", each(60, 0, 0, 200)),
        UNHEARD("there is none", {}),
    ],
    "SecretMissingAlarm": [
        ACCEPTED("one finds no secret, the next comes an hour later", {60: [0], 120: [1]}, (61, 63), (121, 123)),
        ACCEPTED("none is kept any more", each(5, 1, 0, 60) | each(30, 0, 60, 200), (61, 63)),
        ACCEPTED("all are kept", each(5, 1, 0, 200)),
        ACCEPTED("one finds none, another of that minute is kept", {60: [1, 0, 1]}),
        ACCEPTED("none comes", {}),
    ],
    "NotificationWriteAlarm": [
        UNWRITTEN("some, now and then, for ten minutes", {60: [1], 63: [2], 66: [1], 70: [1]}, (61, 63), (76, 81)),
        UNWRITTEN("none", {}),
    ],
    "PreviousSecretAlarm": [
        PREVIOUS("two in half a day", {600: [605_000], 1300: [650_000]}, (601, 603), (2741, 3041), 4000),
        PREVIOUS("within the week", {600: [604_000]}, None, None, 4000),
    ],
    "TrackDeadLetterAlarm": dead_letters("TrackDeadLetterQueue"),
    "AlertDeadLetterAlarm": dead_letters("AlertDeadLetterQueue"),
    "DigestDeadLetterAlarm": dead_letters("DigestDeadLetterQueue"),
    "ForwardDeadLetterAlarm": dead_letters("ForwardDeadLetterQueue"),
    "ForwardErrorsAlarm": summed(("ForwardFunction", "Errors"), ("ForwardFunction", "Throttles")),
    "ArchiveDeadLetterAlarm": dead_letters("ArchiveDeadLetterQueue"),
    "ArchiveErrorsAlarm": summed(("ArchiveFunction", "Errors"), ("ArchiveFunction", "Throttles")),
    "ProvisionErrorsAlarm": summed(("ProvisionFunction", "Errors"), ("ProvisionFunction", "Throttles")),
    "WebhookErrorsAlarm": summed(("WebhookFunction", "Errors"), ("WebhookFunction", "Throttles")),
    "NotificationsThrottledAlarm": [
        THROTTLED("some, now and then, for ten minutes", {60: [1], 63: [1], 66: [1], 70: [1]}, (61, 63), (76, 81)),
        THROTTLED("none", {}),
    ],
    "AlertErrorsAlarm": summed(("AlertFunction", "Errors"), ("alert", "AlertsFailed")),
    "AgentsSkippedAlarm": [
        SKIPPED("one, every five minutes or so", {m: [1] for m in (60, 66, 70, 77, 81)}, (61, 63), (97, 122)),
        SKIPPED("none", {}),
    ],
    "StreamAgeAlarm": [
        STREAM(
            "one batch waits and is dead-lettered, others do not",
            {m: [0, (m - 60) * 60_000 * (m % 2 == 0)] for m in range(60, 120)}
            | each(5, 0, 0, 60)
            | each(5, 0, 120, 200),
            (65, 67),
            (122, 128),
        ),
        STREAM("late, and nothing comes after it", {60: [0], 61: [130_000], 62: [190_000]}, (63, 65)),
        STREAM("in time", each(1, 90_000, 0, 200)),
        STREAM("one batch was late", each(1, 0, 0, 200) | {60: [130_000]}),
        STREAM("no entries", {}),
    ],
    "AlertQueueAgeAlarm": [
        QUEUE("waits, then is emptied", {m: [(m - 60) * 60] for m in range(60, 100)}, (73, 75), (101, 106)),
        QUEUE("in time", each(1, 300, 0, 200)),
        QUEUE("empty", {}),
    ],
    "AlertsUndeliveredAlarm": [
        UNDELIVERED("one", {60: [1]}, (61, 63), (66, 91)),
        UNDELIVERED("none", each(1, 0, 0, 200)),
        UNDELIVERED("no alert", {}),
    ],
    "SignatureFailuresAlarm": [
        UNKNOWN("twenty-one", each(1, 7, 60, 63), (63, 65), (66, 66)),
        UNKNOWN("twenty", each(1, 5, 60, 64)),
        UNKNOWN("none", {}),
    ],
    "TableThrottledAlarm": summed(
        *((f"AgentsTable/{operation}", "ThrottledRequests") for operation in ("PutItem", "UpdateItem", "Query"))
    ),
    "TableErrorsAlarm": summed(
        *((f"AgentsTable/{operation}", "SystemErrors") for operation in ("PutItem", "UpdateItem", "Query"))
    ),
    "CronofyErrorsAlarm": [
        CRONOFY(
            "a quarter for half an hour",
            {m: RATE["a quarter" if 60 <= m < 90 else "good"] for m in range(200)},
            (75, 77),
            (91, 93),
        ),
        CRONOFY("callers stop while it is down", dict.fromkeys(range(60, 90), RATE["a quarter"]), (71, 90)),
        CRONOFY("a tenth", dict.fromkeys(range(200), RATE["a tenth"])),
        CRONOFY("no requests", {}),
    ],
}


def test_every_alarm_has_scenarios_in_which_each_of_its_metrics_sets_it_off_and_one_in_which_none_does() -> None:
    assert set(SCENARIOS) == set(ALARMS) == set(of_type("CloudWatch::Alarm", processed()))
    for name, cases in SCENARIOS.items():
        firing = [case for case in cases if case.fires]
        assert len(firing) < len(cases), name
        assert any(case.ends for case in firing), name
        assert {metric for case in firing for metric in case.world} == set(alarm(name).metrics), name


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, id=f"{name.removesuffix('Alarm')}: {case.name}")
        for name, cases in SCENARIOS.items()
        for case in cases
    ],
)
def test_an_alarm_fires_and_ends_once_and_in_time(name: str, case: Case, reading: Reading) -> None:
    """On-call gets one message for one incident, within minutes, and none without."""
    changes = alarm(name).changes(case.world, case.until, reading)
    fired = [change.minute for change in changes if change.after is State.ALARM]
    ended = [change.minute for change in changes if change.before is State.ALARM]
    assert (len(fired), len(ended)) == (case.fires is not None, case.ends is not None), changes
    for minutes, expected in ((fired, case.fires), (ended, case.ends)):
        assert all(expected and expected[0] <= minute <= expected[1] for minute in minutes), changes


# ----------------------------------------------------------------------------------------------------- the first deploy


def mails(world: Mapping[Watched, Samples], until: int, reading: Reading) -> list[tuple[str, State]]:
    """The e-mails of alarms: their changes of state that have an action."""
    sent: list[tuple[Change, str]] = []
    for name, properties in ALARMS.items():
        actions = {State.ALARM: "AlarmActions", State.OK: "OKActions"}
        changes = alarm(name).changes(world, until, reading)
        sent += [(change, name) for change in changes if properties.get(actions.get(change.after, ""))]
    return [(name, change.after) for change, name in sorted(sent)]


@pytest.mark.parametrize("reading", READINGS, ids=str)
@pytest.mark.parametrize("name", ALARMS)
def test_no_alarm_of_a_stack_without_data_sends_an_ok(name: str, reading: Reading) -> None:
    """An alarm that leaves INSUFFICIENT_DATA runs its OK actions, too: a burst of e-mails at each first deploy."""
    well = [change for change in alarm(name).changes({}, 120, reading) if change.after is State.OK]
    assert not (well and ALARMS[name].get("OKActions"))


BEFORE_THE_SECRET: Mapping[Watched, Samples] = {
    ("sweep", "Heartbeat"): each(1, 1, 2, 180),
    ("probe", "ProbeFailures"): each(5, 1, 4, 90) | each(5, 0, 94, 180),
    ("probe", "AlertSubscribers"): each(5, 0, 4, 60) | each(5, 1, 64, 180),
}
FROM_THE_SECRET_ON: Mapping[Watched, Samples] = {
    ("WebhookFunction", "Errors"): each(5, 0, 94, 180),
    ("WebhookFunction", "Throttles"): each(5, 0, 94, 180),
    ("TrackFunction", "IteratorAge"): each(5, 400, 94, 180),
    ("AlertFunction", "Errors"): each(5, 0, 95, 180),
    ("alert", "AlertsFailed"): each(5, 0, 95, 180),
    ("AlertQueue", "ApproximateAgeOfOldestMessage"): each(5, 20, 94, 180),
}
NEW_QUEUES: Mapping[Watched, Samples] = {
    (queue, "ApproximateNumberOfMessagesVisible"): each(1, 0, 0, 180)
    for queue in ("TrackDeadLetterQueue", "AlertDeadLetterQueue", "DigestDeadLetterQueue")
}


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_a_first_deploy_sends_only_emails_that_are_true_and_useful(reading: Reading) -> None:
    """The subscription is confirmed after an hour, the secret stored half an hour later; only probes come."""
    before = [
        ("AlertSubscribersAlarm", State.ALARM),
        ("SweepHeartbeatAlarm", State.OK),
        ("ProbeFailedAlarm", State.ALARM),
        ("AlertSubscribersAlarm", State.OK),
    ]
    after = [("StreamAgeAlarm", State.OK), ("ProbeFailedAlarm", State.OK)]
    world = {**BEFORE_THE_SECRET, **FROM_THE_SECRET_ON}
    assert sorted(mails(world, 93, reading)) == sorted(before)
    assert sorted(mails(world, 180, reading)) == sorted(before + after)


def test_empty_queues_send_one_email_each() -> None:
    """SQS may count a new queue as active, which is not documented; then each dead-letter queue sends one e-mail."""
    emails = mails({**BEFORE_THE_SECRET, **NEW_QUEUES}, 93, Reading())
    assert {name for name, state in emails if state is State.OK} == {
        "SweepHeartbeatAlarm",
        "AlertSubscribersAlarm",
        "TrackDeadLetterAlarm",
        "AlertDeadLetterAlarm",
        "DigestDeadLetterAlarm",
    }
    assert len(emails) == len(set(emails))


# ------------------------------------------------------------------------------------------------- nothing is unwatched

FAILURES_OF = {
    "ProvisionFunction": "ProvisionErrorsAlarm",
    "WebhookFunction": "WebhookErrorsAlarm",
    "TrackFunction": "StreamAgeAlarm",  # a failed batch is retried, and grows older
    "AlertFunction": "AlertErrorsAlarm",
    "DigestFunction": "DigestDeadLetterAlarm",
    "ForwardFunction": "ForwardErrorsAlarm",
    "ArchiveFunction": "ArchiveErrorsAlarm",
    "SweepFunction": "SweepHeartbeatAlarm",
    "ProbeFunction": "ProbeFailedAlarm",
}
VISIBLE = {"WidgetFunction", "ButtonFunction"}
"""A failure shows on the dashboard, to the person who looks at it; nothing else depends on the function."""


def watching() -> dict[Watched, str]:
    """The alarm that watches each metric. No two may watch the same."""
    seen: dict[Watched, str] = {}
    for name in ALARMS:
        for metric in alarm(name).metrics:
            assert metric not in seen, f"{name} and {seen[metric]} watch the same"
            seen[metric] = name
    return seen


def test_every_function_has_an_alarm_for_its_failures() -> None:
    assert set(FUNCTIONS.values()) == set(FAILURES_OF) | VISIBLE
    assert set(FAILURES_OF.values()) <= set(ALARMS)


def test_every_way_to_fail_is_watched_by_one_alarm() -> None:
    """On-call gets one alarm for each incident."""
    assert set(watching()) >= {
        *(
            (function, metric)
            for function in ("ProvisionFunction", "WebhookFunction")
            for metric in ("Errors", "Throttles")
        ),
        ("AlertFunction", "Errors"),
        ("alert", "AlertsFailed"),
        ("TrackFunction", "IteratorAge"),
        ("AlertQueue", "ApproximateAgeOfOldestMessage"),
        ("AlertsTopic", "NumberOfNotificationsFailed"),
        ("probe", "AlertSubscribers"),
        ("", "NotificationsThrottled"),
        ("webhook/unknown", "NotificationsRejected"),
        ("webhook", "NotificationsAccepted"),
        ("webhook/store_unavailable", "NotificationsFailed"),
        ("webhook", "PreviousSecretAge"),
        ("provision", "CronofyErrors"),
        ("sweep", "Heartbeat"),
        ("sweep", "AgentsSkipped"),
        ("probe", "ProbeFailures"),
    }


def test_a_queue_is_watched_by_an_alarm_of_its_own_or_by_the_heartbeat_that_stops_with_it() -> None:
    watched = {which for which, metric in watching() if metric == "ApproximateNumberOfMessagesVisible"}
    for edge, queue in dead_letter_queues().items():
        if queue not in watched:
            assert ALARMS[FAILURES_OF[edge.split()[0]]]["TreatMissingData"] == "breaching", edge


def test_every_request_to_the_table_is_watched() -> None:
    """Except what a watched request stands for.

    A batch counts as throttled only if all items are, a deletion follows a watched write, and a single item is read
    for an alert, whose failures have an alarm, or as a help that may fail.
    """
    requests = {
        action
        for statement in within(processed())
        if isinstance(statement, dict) and "AgentsTable" in targets(statement.get("Resource"))
        for action in re.findall(r"dynamodb:(\w+)", json.dumps(statement.get("Action")))
        if not action.endswith(("Stream", "Streams", "Records", "ShardIterator"))
    }
    for metric in ("ThrottledRequests", "SystemErrors"):
        assert requests - {"BatchGetItem", "DeleteItem", "GetItem"} == {
            which.partition("/")[2] for which, name in watching() if name == metric
        }


def test_alarms_cost_what_they_are_worth() -> None:
    """A tenth of a dollar a month for each metric; three only with channels or an archive, one with a drill."""
    conditional = {name for name in ALARMS if "Condition" in RESOURCES[name]}
    assert len(watching()) <= 35
    assert len([name for name in watching().values() if name not in conditional]) <= 28


def written_by(service: str) -> Iterator[str]:
    """The names of the metrics that a function writes, as patterns."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in files_of(service))
    for name in re.findall(r'add_metric\(\s*(?:name=)?f?"([^"]+)"', source):
        yield re.sub(r"\{.*?\}", r"\\w+", name)


def test_every_metric_of_ours_that_an_alarm_watches_is_written_by_the_service_that_it_names() -> None:
    filtered = [
        transformation["MetricName"]
        for metric_filter in of_type("Logs::MetricFilter").values()
        for transformation in metric_filter["MetricTransformations"]
    ]
    for name, properties in ALARMS.items():
        for metric in [
            properties,
            *(each.get("MetricStat", {}).get("Metric", {}) for each in properties.get("Metrics", [])),
        ]:
            if target(metric.get("Namespace")) != "AWS::StackName":
                continue
            service = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}.get("service")
            names = written_by(service) if service else filtered
            assert any(re.fullmatch(pattern, metric["MetricName"]) for pattern in names), name


def test_only_api_gateway_answers_a_notification_with_429_and_its_log_shows_it() -> None:
    """The fields of the filter are texts in the log; without a default value, hours without any cost nothing."""
    [metric_filter] = of_type("Logs::MetricFilter").values()
    [transformation] = metric_filter["MetricTransformations"]
    log = json.loads(RESOURCES["Api"]["Properties"]["AccessLogSettings"]["Format"])
    assert (log["status"], log["route"]) == ("$context.status", "$context.routeKey")
    assert target(metric_filter["LogGroupName"]) == target(
        RESOURCES["Api"]["Properties"]["AccessLogSettings"]["DestinationArn"]
    )
    assert set(re.findall(r"\$\.(\w+) = \"", metric_filter["FilterPattern"])) == {"status", "route"} <= log.keys()
    assert "DefaultValue" not in transformation
    assert 429 not in {row.status for row in ANSWERS}
    event = RESOURCES["WebhookFunction"]["Properties"]["Events"]["Notification"]["Properties"]
    assert f"{event['Method']} {event['Path']}".startswith("POST /webhooks/")


# -------------------------------------------------------------------------------------------------- the texts of alarms


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_says_what_is_wrong_and_what_to_do(name: str) -> None:
    """Each alarm has an action; without one no one would see it."""
    properties = ALARMS[name]
    assert [target(action) for action in properties["AlarmActions"]] == ["AlertsTopic"]
    assert [target(action) for action in properties.get("OKActions", properties["AlarmActions"])] == ["AlertsTopic"]
    symptom, _, runbook = properties["AlarmDescription"].partition(". ")
    assert symptom
    assert re.search(r"\b(Look|Read|See|Check|Confirm|Store|store|revoke|run)\b", runbook), (
        "the description has no next step"
    )


LASTS = {
    "SweepHeartbeatAlarm",
    "ProbeFailedAlarm",
    "AlertSubscribersAlarm",
    "SecretMissingAlarm",
    "TrackDeadLetterAlarm",
    "AlertDeadLetterAlarm",
    "DigestDeadLetterAlarm",
    "ForwardDeadLetterAlarm",
    "ArchiveDeadLetterAlarm",
    "StreamAgeAlarm",
    "CronofyErrorsAlarm",
}


def test_only_alarms_of_lasting_conditions_send_an_ok() -> None:
    """The end of a single occurrence needs no e-mail."""
    assert {name for name, properties in ALARMS.items() if "OKActions" in properties} == LASTS
    for name in LASTS:
        assert ALARMS[name]["TreatMissingData"] in ("ignore", "breaching")
