"""An update keeps all that a stack cannot do without, and two stacks of one account and region do not collide.

CloudFormation replaces a resource whose logical id changed, or one of whose create-only properties did, which the
embedded AWS does not do in every case. So the logical ids and these properties are written down here as they were
deployed; AWS's own schemas, which cfn-lint has, say which properties those are.
"""

from functools import cache
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

from tests.system.template import TEMPLATE, of_type, processed, targets, within

KEPT = {
    "Api": "ApiGatewayV2::Api",  # its id is in the address of each callback that is still to come
    "AgentsTable": "DynamoDB::Table",
    "AccountsTable": "DynamoDB::Table",
    "EncryptionKey": "KMS::Key",
    "ArchiveKey": "KMS::Key",
    "ArchiveBucket": "S3::Bucket",
    "ArchiveLogBucket": "S3::Bucket",
    "CronofySecret": "SecretsManager::Secret",
    "ChannelsSecret": "SecretsManager::Secret",
    "LifecycleTopic": "SNS::Topic",  # topics have subscriptions of your own
    "AlertsTopic": "SNS::Topic",
    "IncidentsTopic": "SNS::Topic",
    "AlertQueue": "SQS::Queue",  # queues have messages that wait
    "ForwardQueue": "SQS::Queue",
    "ArchiveQueue": "SQS::Queue",
    "TrackDeadLetterQueue": "SQS::Queue",
    "AlertDeadLetterQueue": "SQS::Queue",
    "ForwardDeadLetterQueue": "SQS::Queue",
    "ArchiveDeadLetterQueue": "SQS::Queue",
    "DigestDeadLetterQueue": "SQS::Queue",
    "SweepDeadLetterQueue": "SQS::Queue",
    "ProbeDeadLetterQueue": "SQS::Queue",
    "ApiLog": "Logs::LogGroup",
    "ProvisionLog": "Logs::LogGroup",
    "WebhookLog": "Logs::LogGroup",
    "TrackLog": "Logs::LogGroup",
    "AlertLog": "Logs::LogGroup",
    "ForwardLog": "Logs::LogGroup",
    "ArchiveLog": "Logs::LogGroup",
    "DigestLog": "Logs::LogGroup",
    "SweepLog": "Logs::LogGroup",
    "ProbeLog": "Logs::LogGroup",
    "WidgetLog": "Logs::LogGroup",
    "ButtonLog": "Logs::LogGroup",
}
"""Each resource that holds something of its owner's, by its logical id as deployed. A row is added, none changed."""
OPTIONAL = {
    "HasChannels": {"ChannelsSecret", "IncidentsTopic", "ForwardQueue", "ForwardDeadLetterQueue", "ForwardLog"},
    "HasArchive": {
        *("ArchiveKey", "ArchiveBucket", "ArchiveLogBucket"),  # which stay without the stack
        *("ArchiveQueue", "ArchiveDeadLetterQueue", "ArchiveLog"),
    },
    "HasDashboard": {"WidgetLog", "ButtonLog"},
}
"""The resources that go when the parameter of a condition is switched off."""
UNIQUE = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
CREATE_ONLY = {
    "AgentsTable": {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    },
    "AccountsTable": {"KeySchema": [{"AttributeName": "account_id", "KeyType": "HASH"}]},
    "ApiLog": {"LogGroupName": {"Fn::Sub": ["/aws/vendedlogs/${AWS::StackName}-${Unique}/api", {"Unique": UNIQUE}]}},
}
"""The create-only properties of what is kept, as they were deployed. What is not named has none."""
INDEXES = {
    "due": (["due_shard", "due_at"], "KEYS_ONLY"),
    "day": (["day", "listed"], "ALL"),
    "open": (["open_shard", "open_listed"], "ALL"),
}
"""The indexes of the agents table in the last release: their keys and their projection."""
KINDS = set(KEPT.values())


@cache
def create_only(kind: str) -> set[str]:
    """The properties of a type whose change replaces the resource, also where only some changes do."""
    schema = _schema(kind)
    paths = [*schema.get("createOnlyProperties", []), *schema.get("conditionalCreateOnlyProperties", [])]
    return {path.split("/")[2] for path in paths}


def _schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return schema


# -------------------------------------------------------------------------------------------------------------- updates


def test_what_holds_something_has_the_logical_id_with_which_it_was_deployed() -> None:
    """Under another one, an update would create it anew, empty, and delete or abandon the one that is there."""
    stateful = {
        name: resource["Type"].removeprefix("AWS::")
        for name, resource in processed().items()
        if resource["Type"].removeprefix("AWS::") in KINDS
    }
    assert stateful == KEPT


def test_no_update_replaces_what_holds_something() -> None:
    """Its create-only properties are those with which it was deployed, and depend on no parameter."""
    found = {}
    for name in KEPT:
        resource = processed()[name]
        properties = resource.get("Properties", {})
        if fixed := {each: properties[each] for each in create_only(resource["Type"]) if each in properties}:
            found[name] = fixed
    assert found == CREATE_ONLY
    for fixed in found.values():
        assert not targets(fixed) & TEMPLATE["Parameters"].keys()
        assert not [value for value in within(fixed) if isinstance(value, dict) and "Fn::If" in value]


def test_only_what_a_parameter_switches_off_can_go() -> None:
    conditional = {name: processed()[name]["Condition"] for name in KEPT if "Condition" in processed()[name]}
    assert conditional == {name: condition for condition, names in OPTIONAL.items() for name in names}


def test_an_update_adds_or_removes_one_index_at_most() -> None:
    """CloudFormation can neither do more in one update, nor change the keys or the projection of an index.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
    """
    found = {
        index["IndexName"]: (
            [key["AttributeName"] for key in index["KeySchema"]],
            index["Projection"]["ProjectionType"],
        )
        for index in of_type("DynamoDB::Table")["AgentsTable"]["GlobalSecondaryIndexes"]
    }
    assert {name: found[name] for name in found.keys() & INDEXES} == {
        name: INDEXES[name] for name in found.keys() & INDEXES
    }
    assert len(found.keys() ^ INDEXES.keys()) <= 1


@pytest.mark.parametrize("name", ["AgentsTable", "AccountsTable", "EncryptionKey"])
def test_what_cannot_be_made_again_outlives_its_stack_and_its_replacement(name: str) -> None:
    policies = {key: value for key, value in processed()[name].items() if key.endswith("Policy")}
    assert policies == {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


@pytest.mark.parametrize(
    ("name", "value", "description"),
    [
        (
            "CronofySecret",
            "{}",
            '{"<data center>": {"client_id": "...", "client_secrets": ["<current>", "<previous, while rotating>"]}}',
        ),
        (
            "ChannelsSecret",
            "[]",
            (
                '[{"name": "...", "kind": "slack|teams|pagerduty|jira|grafana|incident_io|rootly|https|topic", ...}]; '
                "CHANNELS.md has an example of each"
            ),
        ),
    ],
)
def test_no_update_touches_a_secret(name: str, value: str, description: str) -> None:
    """An update that writes the template's empty value would have every callback answered with 503.

    AWS does not document that a changed description leaves the stored value alone.
    """
    assert of_type("SecretsManager::Secret")[name] == {"SecretString": value, "Description": description}


def test_tables_can_be_imported_before_anything_else_of_the_stack_is_there() -> None:
    """`make restore` imports them, and the key, into a stack that has nothing yet."""
    for name in ("AgentsTable", "AccountsTable", "EncryptionKey"):
        assert {target for target in targets(processed()[name]) if not target.startswith("AWS::")} == {""}


# ----------------------------------------------------------------------------------------------------------- two stacks


def test_every_name_that_the_template_gives_has_the_name_or_the_id_of_its_stack() -> None:
    """All others are given by CloudFormation, which adds something of its own."""
    named = {}
    for name, resource in processed().items():
        schema = _schema(resource["Type"])
        own = [path.split("/")[2] for path in schema["primaryIdentifier"]] + [
            path.split("/")[2] for path in schema.get("createOnlyProperties", []) if path.endswith("Name")
        ]
        for key in own:
            value = resource.get("Properties", {}).get(key)
            if value is not None and not targets(value) & processed().keys():
                named[f"{name} {key}"] = value
    unique = {key for key, value in named.items() if "AWS::StackName" in str(value) or "AWS::StackId" in str(value)}
    assert {
        "SharedLayer LayerName",
        "ApiLog LogGroupName",
        "CloudWatchDashboard DashboardName",
        "DigestFunctionAtItsHour Name",
    } <= {key.replace(layer_suffix(), "") for key in unique}
    of_another = {"StageName", "Qualifier", "Id", "CatalogId"}  # names within a resource of the stack's own
    titles = {"ArchiveSearchQuery Name", "ArchiveSpeakersQuery Name"}  # several queries may have one
    assert {key for key in named.keys() - unique - titles if key.split()[1] not in of_another} == set()


def layer_suffix() -> str:
    """The digest, of the place of its content, that SAM appends to the logical id of the layer."""
    (layer,) = of_type("Lambda::LayerVersion", processed())
    return layer.removeprefix("SharedLayer")


def test_a_stack_exports_nothing() -> None:
    """The name of an export is unique in its account and region."""
    assert [name for name, output in TEMPLATE["Outputs"].items() if "Export" in output] == []
