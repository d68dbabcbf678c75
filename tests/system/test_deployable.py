"""Static rules for what AWS rejects or treats differently, where emulators accept the template."""

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest

from tests.system.template import (
    RESOURCES,
    TEMPLATE,
    TEXT,
    actions,
    of_type,
    processed,
    target,
    within,
)

LONGEST_STACK_NAME = "s" * 128
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html."""
NAMES = {
    "AWS::CloudWatch::Dashboard": ("DashboardName", 255),
    "AWS::Lambda::LayerVersion": ("LayerName", 140),
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::Scheduler::Schedule": ("Name", 64),
}
"""The resources that are named by the template, the property that names them, and the longest name that AWS accepts."""
NAMING = re.compile(
    r"^\s+((?:Function|Queue|Topic|Table|Role|LogGroup|Alarm|Dashboard|Layer|Alias|Bucket)?Name):", re.MULTILINE
)
"""Properties that give a resource a physical name."""
REFERENCES = {
    "AWS::Athena::NamedQuery": {"Name"},  # a title: a query has an id, and several may have one title
    "AWS::Lambda::EventInvokeConfig": {"FunctionName"},
    "AWS::Lambda::EventSourceMapping": {"FunctionName"},
    "AWS::Lambda::Permission": {"FunctionName"},
    "AWS::Logs::MetricFilter": {"LogGroupName"},
}
"""Properties of that form that name another resource instead."""
PSEUDO = {"AWS::Partition": "aws", "AWS::AccountId": "1" * 12, "AWS::Region": "ap-southeast-99", "AWS::StackName": ""}


def text_of(value: Any, stack_name: str = LONGEST_STACK_NAME) -> str:
    """A composed text as CloudFormation makes it for a stack of this name."""
    values = PSEUDO | {"AWS::StackName": stack_name, "AWS::StackId": f"arn:aws:cloudformation:r:a:stack/n/{'0' * 36}"}
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return values.get(name, name)
        case {"Fn::Sub": [str(text), dict(others)]}:
            values |= {name: text_of(inner, stack_name) for name, inner in others.items()}
            return re.sub(r"\$\{([\w:.]+)\}", lambda found: values.get(found[1], found[1]), text)
        case {"Fn::Sub": str(text)}:
            return text_of({"Fn::Sub": [text, {}]}, stack_name)
        case {"Fn::Select": [index, {"Fn::Split": [str(by), inner]}]}:
            return text_of(inner, stack_name).split(by)[int(index)]
        case {"Fn::If": [_, inner, _]}:
            return text_of(inner, stack_name)
    raise AssertionError(f"this rule does not know how the text is composed: {value}")


def statements_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


# ------------------------------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(("kind", "subjects"), [("SQS::QueuePolicy", "Queues"), ("SNS::TopicPolicy", "Topics")])
def test_a_policy_is_of_one_queue_or_topic_and_speaks_of_it_alone(kind: str, subjects: str) -> None:
    """SQS takes "only a single resource per statement", and a policy is an attribute of one queue."""
    assert of_type(kind)
    for name, policy in of_type(kind).items():
        [subject] = policy[subjects]
        for statement in statements_of(policy["PolicyDocument"]):
            resource = statement["Resource"]
            assert isinstance(resource, dict), f"{name} names several"
            assert target(resource) == target(subject), name


def test_what_waits_comes_to_its_dead_letter_queue_before_it_is_too_old() -> None:
    """SQS deletes a message at the end of its queue's retention, and says nothing."""
    queues = [queue for queue in of_type("SQS::Queue").values() if "RedrivePolicy" in queue]
    assert queues
    for queue in queues:
        longest = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]
        assert queue.get("MessageRetentionPeriod", 4 * 86_400) >= 2 * longest


def test_every_function_has_a_role_of_its_own_and_no_policy_that_is_not_written_here() -> None:
    """SAM adds AWS's managed policies to the roles that it makes: every queue, every stream, every log group."""
    roles = of_type("IAM::Role", processed())
    of_functions = [target(function["Role"]) for function in of_type("Lambda::Function", processed()).values()]
    assert len(set(of_functions)) == len(of_functions)
    assert set(of_functions) <= set(RESOURCES)
    assert set(roles) <= set(RESOURCES)
    assert not [name for name, role in roles.items() if "ManagedPolicyArns" in role]


def test_a_role_writes_its_own_log_and_makes_none() -> None:
    """A late line would make a deleted log group anew, without an end, and the next stack could not make its own."""
    for function in of_type("Lambda::Function", processed()).values():
        role, log = of_type("IAM::Role")[target(function["Role"])], target(function["LoggingConfig"]["LogGroup"])
        may = [
            (action, target(statement["Resource"]))
            for policy in role["Policies"]
            for statement in statements_of(policy["PolicyDocument"])
            for action in actions(statement)
            if action.startswith("logs:")
        ]
        assert may == [("logs:CreateLogStream", log), ("logs:PutLogEvents", log)]


def test_a_role_that_handles_messages_cannot_decrypt_tokens_with_the_same_key() -> None:
    """One key for both is as safe as two: what is not done through SNS or SQS needs a permission of its own."""
    direct = set()
    for name, role in of_type("IAM::Role").items():
        for policy in role["Policies"]:
            for statement in statements_of(policy["PolicyDocument"]):
                if not any(action.startswith("kms:") for action in actions(statement)):
                    continue
                if target(statement["Resource"]) == "ArchiveKey":
                    assert statement["Condition"] == {"StringLike": {"kms:ViaService": "s3.*"}}
                    continue
                assert target(statement["Resource"]) == "EncryptionKey"
                if "kms:GenerateDataKey" in actions(statement):
                    [(operator, condition)] = statement["Condition"].items()
                    assert (operator, condition.keys()) == ("StringLike", {"kms:ViaService"})
                    services = condition["kms:ViaService"]
                    assert {*([services] if isinstance(services, str) else services)} <= {"sns.*", "sqs.*"}
                else:
                    direct.add(name)
    assert direct == {"ProvisionRole", "SweepRole", "ButtonRole"}


def test_no_permission_goes_by_a_name_that_is_cut() -> None:
    """Generated names hold as much of the stack's name as fits, so a pattern with the whole of it may match nothing."""
    documents = [
        each["PolicyDocument"] for each in within(RESOURCES) if isinstance(each, dict) and "PolicyDocument" in each
    ]
    assert len(documents) > 10
    assert "AWS::StackName" not in json.dumps(documents)


# ---------------------------------------------------------------------------------------------------------------- names


def test_a_physical_name_has_its_reason_beside_it() -> None:
    """A fixed name cannot be replaced, and is taken when the stack, or another one, is made again."""
    lines = TEXT[TEXT.index("\nResources:") : TEXT.index("\nOutputs:")].splitlines()
    named = [number for number, line in enumerate(lines) if NAMING.match(line)]
    assert len(named) >= len(NAMES)
    for number in named:
        if re.match(r" +(Metric|Policy)Name:| +\w+: !Ref", lines[number]):
            continue  # no resource's name, or another's
        above = lines[number - 1].strip()
        assert "# " in lines[number] or above.startswith("# "), lines[number].strip()


def test_nothing_is_named_but_what_the_rules_below_know() -> None:
    """So that a new name cannot slip past them."""
    for resource in processed().values():
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind in NAMES:
            continue
        given = {name for name in properties if NAMING.match(f" {name}:")} - {"MetricName", "PolicyName"}
        assert given <= REFERENCES.get(kind, set()), kind


@pytest.mark.parametrize("kind", NAMES)
def test_a_name_fits_with_the_longest_stack_name_and_differs_between_stacks(kind: str) -> None:
    naming, longest = NAMES[kind]
    resources = [each for each in processed().values() if each["Type"] == kind and naming in each["Properties"]]
    assert resources
    for resource in resources:
        name = resource["Properties"][naming]
        assert 1 <= len(text_of(name)) <= longest
        assert "AWS::StackName" in json.dumps(name) or "AWS::StackId" in json.dumps(name)


def test_the_dashboard_is_named_for_its_region_and_every_link_leads_to_it() -> None:
    """Dashboards are global to an account: a second region with a stack of the same name would overwrite the first."""
    [dashboard] = of_type("CloudWatch::Dashboard").values()
    name = text_of(dashboard["DashboardName"], "agents")
    assert name == f"agents-{PSEUDO['AWS::Region']}"
    links = [
        each for each in within([RESOURCES, TEMPLATE["Outputs"]]) if "#dashboards" in str(each) and target_is_text(each)
    ]
    assert len(links) >= 3
    assert {text_of(link, "agents").partition("#dashboards/dashboard/")[2] for link in links} == {
        name,
        "CloudWatchDashboard",
    }


def target_is_text(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["Fn::Sub"]


def test_the_access_log_is_where_it_uses_up_no_policy_of_the_account_and_has_a_name_of_its_own() -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html."""
    [api] = of_type("Serverless::HttpApi").values()
    name = of_type("Logs::LogGroup")[target(api["AccessLogSettings"]["DestinationArn"])]["LogGroupName"]
    assert text_of(name).startswith("/aws/vendedlogs/")
    assert "AWS::StackId" in json.dumps(name)


# --------------------------------------------------------------------------------------------------------------- quotas


def test_what_is_described_and_listed_stays_within_what_aws_takes() -> None:
    """Characters: 256 of a function, 1,024 of an alarm, 4,000 of a parameter, 10,240 of a role's policies."""
    for function in of_type("Lambda::Function", processed()).values():
        assert len(function["Description"]) <= 256
    for alarm in of_type("CloudWatch::Alarm").values():
        assert len(alarm["AlarmDescription"]) <= 1024
    for section in ("Parameters", "Outputs"):
        assert len(TEMPLATE[section]) <= 200
        assert all(len(each["Description"]) <= 4000 for each in TEMPLATE[section].values())
    for role in of_type("IAM::Role").values():
        assert len(json.dumps(role["Policies"])) <= 10_240
        for policy in role["Policies"]:
            for statement in statements_of(policy["PolicyDocument"]):
                assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
    assert len(json.dumps(processed())) < 1_000_000


def test_the_layer_asks_for_nothing_that_some_regions_refuse() -> None:
    [layer] = of_type("Lambda::LayerVersion", processed()).values()
    assert "CompatibleArchitectures" not in layer


@pytest.mark.parametrize("name", [*of_type("DynamoDB::Table"), *of_type("KMS::Key")])
def test_what_outlives_its_stack_goes_with_a_first_deploy_that_fails(name: str) -> None:
    """Else each failed try leaves tables and a key behind, which cost and confuse."""
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


# ----------------------------------------------------------------------------------------------------------- the stream


def test_entries_are_retried_as_long_as_the_text_promises() -> None:
    """The pause between tries is not documented: a number of tries is no promise of time, an age is."""
    assert {target(mapping["FunctionName"]) for mapping in streamed()} == {"TrackFunction", "ForwardFunction"}
    for mapping in streamed():
        assert mapping["MaximumRetryAttempts"] == -1
        assert mapping["MaximumRecordAgeInSeconds"] == timedelta(hours=12).total_seconds()
        assert mapping["MaximumRecordAgeInSeconds"] < timedelta(hours=24).total_seconds(), "the stream forgets by then"


def streamed() -> list[dict[str, Any]]:
    """The readers of the table's stream; it takes two for each shard."""
    return [each for each in of_type("Lambda::EventSourceMapping", processed()).values() if "StartingPosition" in each]


def test_the_stream_carries_keys_alone() -> None:
    assert RESOURCES["AgentsTable"]["Properties"]["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}


def test_a_new_accounts_ten_functions_leave_room_for_the_webhook() -> None:
    """A new on-demand table has four partitions, each with a shard; `alert` may take two, and so may `forward`.

    `forward` also reads the stream, some milliseconds a minute; what is throttled there waits.
    """
    [mapping] = [each for each in streamed() if target(each["FunctionName"]) == "TrackFunction"]
    assert target(mapping["ParallelizationFactor"]) == "StreamConcurrency"
    queues = [
        RESOURCES[name]["Properties"]["Events"]["Announcements"]["Properties"]["ScalingConfig"]["MaximumConcurrency"]
        for name in ("AlertFunction", "ForwardFunction")
    ]
    archive = RESOURCES["ArchiveFunction"]["Properties"]["Events"]["Jobs"]["Properties"]["ScalingConfig"]
    taken = 4 * TEMPLATE["Parameters"]["StreamConcurrency"]["Default"] + queues[0]
    assert taken <= 10 // 2 + 1
    for name, copies in (("Channels", queues[1]), ("Archive", archive["MaximumConcurrency"])):
        assert taken + copies <= 10 - 2  # with one of them; both want a higher quota
        assert "ten functions" in TEMPLATE["Parameters"][name]["Description"]


# ----------------------------------------------------------------------------------------------------- doors and clocks


def test_the_open_route_has_a_limit_of_its_own() -> None:
    """A flood of forgeries neither keeps callers out nor costs more than its parameter lets it."""
    [api] = of_type("Serverless::HttpApi").values()
    [(route, settings)] = api["RouteSettings"].items()
    event = RESOURCES["WebhookFunction"]["Properties"]["Events"]["Notification"]["Properties"]
    assert route == f"{event['Method']} {event['Path']}"
    assert target(settings["ThrottlingRateLimit"]) == "CallbacksPerSecond"
    assert target(api["DefaultRouteSettings"]["ThrottlingRateLimit"]) == "ApiRequestsPerSecond"
    burst, rate = settings["ThrottlingBurstLimit"], TEMPLATE["Parameters"]["CallbacksPerSecond"]["Default"]
    assert burst + 60 * rate >= 7000, "the callbacks of a busy minute"


def test_the_digest_has_no_hour_that_daylight_saving_leaves_out_anywhere() -> None:
    """Scheduler skips the run of such a day: https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html."""
    hour = TEMPLATE["Parameters"]["DigestHour"]
    skipped = set()
    for name in available_timezones():
        zone = ZoneInfo(name)
        day = date(2026, 1, 1)
        while day < date(2029, 1, 1):
            noon = datetime.combine(day, time(12), zone)
            if noon.utcoffset() != (noon + timedelta(days=1)).utcoffset():
                skipped |= {
                    local.hour
                    for hours in range(36)
                    if not exists(local := datetime.combine(day, time(12)) + timedelta(hours=hours), zone)
                }
            day += timedelta(days=1)
    assert skipped
    assert not skipped & set(range(hour["MinValue"], hour["MaxValue"] + 1))


def exists(local: datetime, zone: ZoneInfo) -> bool:
    """True if clocks in the zone ever show this local time."""
    return local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local


def test_tables_are_encrypted_by_the_key_that_costs_nothing_and_say_why() -> None:
    for name, table in of_type("DynamoDB::Table").items():
        assert table["SSESpecification"] == {"SSEEnabled": False}, name
    assert len(re.findall(r"SSEEnabled: false \} # \w+", TEXT)) == len(of_type("DynamoDB::Table"))
