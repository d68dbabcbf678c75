"""The template agrees with the code, watches itself, and has one open route."""

import ast
import json
import re
import tomllib
from datetime import timedelta
from functools import cache

import pytest

from meeting_agents import VERSION
from meeting_agents.aws import keys
from meeting_agents.domain.grace_periods import GracePeriods
from meeting_agents.domain.model import IncidentType, Verdict
from tests.sandbox.deployment import ROOT
from tests.system.template import (
    FUNCTIONS,
    LAYER,
    RESOURCES,
    TEMPLATE,
    TEXT,
    actions,
    dead_letter_queues,
    files_of,
    of_type,
    processed,
    statements,
    syntax,
    target,
    targets,
    within,
)

# ----------------------------------------------------------------------------------------- functions and their settings


def test_every_function_folder_is_in_the_template_and_the_other_way_round() -> None:
    folders = {f"functions/{path.parent.name}" for path in ROOT.glob("functions/*/app.py")}
    assert set(FUNCTIONS) == folders
    for folder, name in FUNCTIONS.items():
        assert name == f"{folder.rpartition('/')[2].title()}Function"
    assert TEMPLATE["Globals"]["Function"]["Handler"] == "app.handler"


OF_LIBRARIES = ("POWERTOOLS_", "PYDANTIC_", "AWS_CA_BUNDLE")
"""Begins the variables that a library reads."""


def declared(function: str) -> set[str]:
    """The environment variables of one function alone."""
    variables = RESOURCES[FUNCTIONS[f"functions/{function}"]]["Properties"]["Environment"]["Variables"]
    return {name for name in variables if not name.startswith(OF_LIBRARIES)}


SHARED = {
    name for name in TEMPLATE["Globals"]["Function"]["Environment"]["Variables"] if not name.startswith(OF_LIBRARIES)
}
LAMBDAS_OWN = {"AWS_LAMBDA_INITIALIZATION_TYPE"}


@cache
def variables() -> dict[str, set[str]]:
    """The environment variables that each property of the settings reads."""
    found = {}
    for node in ast.walk(syntax(LAYER / "settings.py")):
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "property" for each in node.decorator_list):
            texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            found[node.name] = {text for text in texts if isinstance(text, str) and re.fullmatch(r"[A-Z][A-Z_]+", text)}
    return found


def read_in(node: ast.AST) -> tuple[set[str], set[str]]:
    """The variables read directly in a piece of code, and the functions that it calls."""
    attributes = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} | attributes
    return {name for prop in attributes & set(variables()) for name in variables()[prop]}, names


def read_by(function: str) -> set[str]:
    """The variables that a function reads itself, or through a collaborator that `wiring` makes for it."""
    makers = {node.name: node for node in syntax(LAYER / "wiring.py").body if isinstance(node, ast.FunctionDef)}
    attributes = [
        node for file in files_of(function) for node in ast.walk(syntax(file)) if isinstance(node, ast.Attribute)
    ]
    makers_used = {node.attr for node in attributes if ast.unparse(node.value) == "wiring"}
    read = {
        name
        for node in attributes
        if ast.unparse(node.value) in ("wiring.settings()", "collaborators().settings()")
        for name in variables()[node.attr]
    }
    done: set[str] = set()
    while makers_used - done:
        maker = (makers_used - done).pop()
        done.add(maker)
        if maker in makers:
            variables_read, names = read_in(makers[maker])
            read |= variables_read
            makers_used |= names & set(makers)
    return read


@pytest.mark.parametrize("function", [folder.rpartition("/")[2] for folder in FUNCTIONS])
def test_a_function_is_given_what_it_reads_and_reads_what_it_is_given(function: str) -> None:
    read = read_by(function) - LAMBDAS_OWN
    assert read <= declared(function) | SHARED
    assert declared(function) <= read


def test_what_all_functions_are_given_is_read_and_every_setting_is_declared() -> None:
    everything = set().union(*(declared(folder.rpartition("/")[2]) for folder in FUNCTIONS)) | SHARED
    assert set().union(*variables().values()) - LAMBDAS_OWN == everything
    assert set().union(*(read_by(folder.rpartition("/")[2]) for folder in FUNCTIONS)) >= SHARED


@pytest.mark.parametrize("folder", FUNCTIONS)
def test_every_function_names_its_service_has_a_log_that_ends_and_ends_itself(folder: str) -> None:
    name = FUNCTIONS[folder]
    properties = RESOURCES[name]["Properties"]
    assert properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == folder.rpartition("/")[2]
    assert properties["Timeout"] <= {"ArchiveFunction": 300, "DigestFunction": 900}.get(name, 60)
    assert properties["Description"]
    assert target(properties["LoggingConfig"]["LogGroup"]) in of_type("Logs::LogGroup")
    assert all(target(log["RetentionInDays"]) == "LogRetentionDays" for log in of_type("Logs::LogGroup").values())


def test_lambda_logs_only_what_goes_wrong_beside_the_functions_own_lines() -> None:
    """Its lines about each invocation would be half of what logs cost."""
    for function in of_type("Lambda::Function", processed()).values():
        assert function["LoggingConfig"].items() >= {"LogFormat": "JSON", "SystemLogLevel": "WARN"}.items()


def test_no_function_can_be_called_before_its_log_is_there() -> None:
    """Otherwise Lambda would create one without retention, and the template's could not be created."""
    for name, function in of_type("Lambda::Function", processed()).items():
        log = target(function["LoggingConfig"]["LogGroup"])
        assert name not in targets(processed()[log])


def test_the_receiver_answers_within_the_seven_seconds_that_cronofy_waits() -> None:
    assert RESOURCES["WebhookFunction"]["Properties"]["Timeout"] < 7
    assert RESOURCES["ProvisionFunction"]["Properties"]["Timeout"] < 30


# ------------------------------------------------------------------------------------------------------------ the table


def test_what_expires_is_what_is_declared_to() -> None:
    """With two spellings, nothing would ever expire."""
    declared_to = RESOURCES["AgentsTable"]["Properties"]["TimeToLiveSpecification"]
    assert declared_to == {"AttributeName": keys.EXPIRES_AT, "Enabled": True}


def test_the_indexes_are_those_that_are_queried() -> None:
    table = RESOURCES["AgentsTable"]["Properties"]
    assert {index["IndexName"] for index in table["GlobalSecondaryIndexes"]} == {
        keys.DUE_INDEX,
        keys.DAY_INDEX,
        keys.OPEN_INDEX,
    }
    source = (LAYER / "aws" / "keys.py").read_text(encoding="utf-8")
    for attribute in table["AttributeDefinitions"]:
        assert re.search(rf'"{attribute["AttributeName"]}"', source), attribute


@pytest.mark.parametrize("name", of_type("DynamoDB::Table"))
def test_every_table_outlives_mistakes(name: str) -> None:
    table = RESOURCES[name]
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_stream_hands_over_new_entries_and_nothing_else() -> None:
    entries = RESOURCES["TrackFunction"]["Properties"]["Events"]["Entries"]["Properties"]
    [pattern] = [json.loads(each["Pattern"]) for each in entries["FilterCriteria"]["Filters"]]
    assert pattern == {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": keys.ENTRY_PREFIX}]}}}}
    assert not keys.RECORD.startswith(keys.ENTRY_PREFIX)
    assert (entries["BisectBatchOnFunctionError"], entries["FunctionResponseTypes"]) == (
        True,
        ["ReportBatchItemFailures"],
    )
    assert entries["StartingPosition"] == "TRIM_HORIZON"


# ----------------------------------------------------------------------------------------------- nothing is lost unseen


def test_the_known_edges_are_found() -> None:
    """Otherwise the next test would check nothing."""
    assert {"queue AlertQueue", "subscription AlertSubscription", "TrackFunction Entries"} <= set(dead_letter_queues())
    assert {"SweepFunction EveryMinute", "SweepFunction invoked"} <= set(dead_letter_queues())


def test_every_asynchronous_edge_has_a_queue_for_what_fails() -> None:
    edges = dead_letter_queues()
    assert [edge for edge, queue in edges.items() if queue not in of_type("SQS::Queue")] == []
    needs_no_redrive = {"SweepDeadLetterQueue", "ProbeDeadLetterQueue"}  # the next run does the same
    for queue in set(edges.values()):
        kept = 3600 if queue in needs_no_redrive else 14 * 86_400
        assert of_type("SQS::Queue")[queue]["MessageRetentionPeriod"] == kept


def test_every_writer_of_a_dead_letter_queue_may_send() -> None:
    """A function by its own policy, SNS and the schedule by the queue's."""
    for name in FUNCTIONS.values():
        dead_letters = {queue for edge, queue in dead_letter_queues().items() if edge.split()[0] == name}
        sent = {target(s["Resource"]) for s in statements(name) if "sqs:SendMessage" in actions(s)}
        assert dead_letters <= sent
    trusted = {target(queue) for policy in of_type("SQS::QueuePolicy").values() for queue in policy["Queues"]}
    services = {
        queue for edge, queue in dead_letter_queues().items() if edge.startswith("subscription") or "Every" in edge
    }
    assert services <= trusted


def test_a_message_is_not_redelivered_while_it_is_processed() -> None:
    """AWS: six times the function's time limit, plus the window."""
    queue, function = RESOURCES["AlertQueue"]["Properties"], RESOURCES["AlertFunction"]["Properties"]
    window = TEMPLATE["Parameters"]["AlertGroupWait"]["MaxValue"]
    assert queue["VisibilityTimeout"] >= 6 * function["Timeout"] + window


def test_alerts_are_collected_for_half_a_minute_and_reminders_are_off_by_default() -> None:
    """Parameters change both."""
    announcements = RESOURCES["AlertFunction"]["Properties"]["Events"]["Announcements"]["Properties"]
    assert target(announcements["MaximumBatchingWindowInSeconds"]) == "AlertGroupWait"
    assert announcements["BatchSize"] == 1000
    parameters = TEMPLATE["Parameters"]
    assert (parameters["AlertGroupWait"]["Default"], parameters["EscalateAfter"]["Default"]) == (30, 0)


def test_the_grace_periods_have_the_same_defaults_in_template_and_code() -> None:
    """A deployment without parameters follows the defaults of the code."""
    parameters, grace_periods = TEMPLATE["Parameters"], GracePeriods()
    for name, grace in (
        ("ActivationGracePeriod", grace_periods.activation),
        ("CompletionGracePeriod", grace_periods.completion),
        ("ArrangementLeadTime", grace_periods.arrangement),
        ("AlertPatience", grace_periods.patience),
        ("ConferenceLeadTime", grace_periods.conference),
        ("ResourcesGracePeriod", grace_periods.resources),
        ("ArchiveGracePeriod", grace_periods.archive),
        ("AssumedMeetingDuration", grace_periods.assumed_meeting_duration),
    ):
        assert timedelta(seconds=parameters[name]["Default"]) == grace, name


# ---------------------------------------------------------------------------------------------------------- the watcher


def test_cloudwatch_may_publish_alarms() -> None:
    [statement] = RESOURCES["AlertsTopicPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "cloudwatch.amazonaws.com"}, "sns:Publish")
    key = of_type("KMS::Key")["EncryptionKey"]["KeyPolicy"]["Statement"]
    assert any("cloudwatch.amazonaws.com" in str(each["Principal"]) for each in key)


def test_the_sweep_runs_every_minute_and_ends_before_the_next() -> None:
    function = RESOURCES["SweepFunction"]["Properties"]
    assert function["Events"]["EveryMinute"]["Properties"]["Schedule"] == "rate(1 minute)"
    assert function["Timeout"] < 60


def test_subscribers_filter_by_attributes_that_are_written() -> None:
    tree = syntax(LAYER / "announcement.py")
    keys = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    filters = [each["FilterPolicy"] for each in of_type("SNS::Subscription").values() if "FilterPolicy" in each]
    assert filters
    for policy in filters:
        assert set(policy) <= keys & {
            "kind",
            "verdict",
            "state",
            "alert",
            "incident",
            "archive",
            "data_center",
            "account",
            "replayed",
        }
        known = {*IncidentType, *Verdict}
        assert all(isinstance(rule, dict) or rule in known for rules in policy.values() for rule in rules)


# ---------------------------------------------------------------------------------------------------------------- doors


def test_only_the_webhook_is_open() -> None:
    """Every other route in CloudFormation's form requires a signature for IAM."""
    [api] = of_type("ApiGatewayV2::Api", processed()).values()
    doors = {
        f"{method.upper()} {path}": operation.get("security")
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }
    assert len(doors) > 2
    assert {door: security for door, security in doors.items() if security != [{"AWS_IAM": []}]} == {
        "POST /webhooks/cronofy/{agent_id}": [{"NONE": []}]
    }
    schemes = api["Body"]["components"]["securitySchemes"]
    assert schemes["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_no_function_has_an_address_of_its_own_or_a_permission_that_sam_adds() -> None:
    assert of_type("Lambda::Url", processed()) == {}
    permitted = {permission["Principal"] for permission in of_type("Lambda::Permission", processed()).values()}
    assert permitted <= {
        "apigateway.amazonaws.com",
        "events.amazonaws.com",
        "scheduler.amazonaws.com",
        "cloudwatch.amazonaws.com",
    }


@pytest.mark.parametrize("name", FUNCTIONS.values())
def test_a_function_may_do_what_is_written_out_and_why(name: str) -> None:
    for statement in statements(name):
        assert re.fullmatch(r"[A-Z][A-Za-z]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        assert not any("*" in action for action in actions(statement))
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        assert all(target(resource) in RESOURCES for resource in resources if resource != "*")


def test_a_wildcard_has_its_reason_on_its_line() -> None:
    for line in TEXT.splitlines():
        if re.search(r"\b(Resource|Action|Principal)\b.*\*", line) and "Action: kms:*" not in line:
            assert re.search(r"# \w+", line), line
    for key in of_type("KMS::Key").values():
        for statement in key["KeyPolicy"]["Statement"]:
            assert ("kms:*" in actions(statement)) is ("AWS" in statement["Principal"])


def test_the_receiver_may_write_and_read_a_secret_and_nothing_else() -> None:
    may = {action for statement in statements("WebhookFunction") for action in actions(statement)}
    log = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert may == log | {"dynamodb:PutItem", "dynamodb:DeleteItem", "secretsmanager:GetSecretValue"}


def test_topics_and_queues_are_encrypted() -> None:
    for message in (*of_type("SNS::Topic").values(), *of_type("SQS::Queue").values()):
        assert message.get("SqsManagedSseEnabled") or target(message["KmsMasterKeyId"]) == "EncryptionKey"
    assert all(key["EnableKeyRotation"] is True for key in of_type("KMS::Key").values())


def test_every_publisher_and_sender_may_use_the_key() -> None:
    for name in FUNCTIONS.values():
        may = [(action, target(each["Resource"])) for each in statements(name) for action in actions(each)]
        ours = {name for name, queue in of_type("SQS::Queue").items() if "KmsMasterKeyId" in queue} | {
            *of_type("SNS::Topic")
        }
        if any(action in ("sns:Publish", "sqs:SendMessage") and where in ours for action, where in may):
            assert ("kms:GenerateDataKey", "EncryptionKey") in may
            assert ("kms:Decrypt", "EncryptionKey") in may


# ----------------------------------------------------------------------------------------------- parameters and outputs


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_every_parameter_is_explained_bounded_used_and_grouped(name: str) -> None:
    parameter = TEMPLATE["Parameters"][name]
    assert len(parameter["Description"]) > 20
    assert "Default" in parameter
    assert {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
    rest = {section: TEMPLATE[section] for section in ("Conditions", "Globals", "Resources", "Outputs")}
    substituted = {name for each in within(rest) if isinstance(each, str) for name in re.findall(r"\$\{(\w+)\}", each)}
    assert name in targets(rest) | substituted
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert sum(group["Parameters"].count(name) for group in groups) == 1


def test_no_group_names_a_parameter_that_is_not_there() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert {name for group in groups for name in group["Parameters"]} == set(TEMPLATE["Parameters"])


@pytest.mark.parametrize("name", TEMPLATE["Outputs"])
def test_every_output_says_what_it_is_for_and_has_a_value(name: str) -> None:
    output = TEMPLATE["Outputs"][name]
    assert output["Description"]
    assert name == "Version" or targets(output["Value"]) & (set(RESOURCES) | {"HasPublicUrl", "PublicUrl"})


def test_one_version_is_shown_everywhere() -> None:
    """The stack, each line of a log, the API's description and the project have the same."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert TEMPLATE["Outputs"]["Version"]["Value"] == project["version"] == VERSION
    for folder in FUNCTIONS:
        assert "Logger(version=VERSION)" in (ROOT / folder / "app.py").read_text(encoding="utf-8")
    assert "version=VERSION" in (LAYER / "api" / "docs.py").read_text(encoding="utf-8")


def test_the_values_that_an_operator_needs_are_outputs() -> None:
    assert {"ApiUrl", "CronofySecretArn", "AgentsTableName", "LifecycleTopicArn", "AlertsTopicArn"} <= set(
        TEMPLATE["Outputs"]
    )
    addresses = {target(output["Value"]) for output in TEMPLATE["Outputs"].values()}
    assert set(dead_letter_queues().values()) <= addresses


def test_every_resource_says_in_a_line_above_it_why_it_exists() -> None:
    """Exceptions complete the resource before them (log, policy, role), or are alarms, which have a description."""
    lines = TEXT.splitlines()
    silent = ("LogGroup", "QueuePolicy", "TopicPolicy", "BucketPolicy", "Alarm", "Role")
    for name, resource in RESOURCES.items():
        above = lines[lines.index(f"  {name}:") - 1].strip()
        completes = resource["Type"].endswith(silent) or name in ("AlertQueue", "AlertEmailSubscription")
        assert completes or re.match(r"# \w", above), name
