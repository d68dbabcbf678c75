"""`make restore`: a new stack gets the tables of another, from their backup or, once that stack is gone, as they are.

CloudFormation imports the tables and the key into a stack that has nothing else yet, as they are: neither a restored
table's stream nor its expiry or backup is switched on. `make deploy` then makes of them what the template says, and
adds the rest. Run again after that, the command brings what the other stack has written since.
"""

import argparse
import json
import shlex
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import batched, groupby
from typing import Any

import boto3
from botocore.exceptions import ClientError

from meeting_agents.aws.accounts import encryption_context
from meeting_agents.aws.keys import ENTRY_PREFIX, EXPIRES_AT, entry, is_probe
from meeting_agents.domain.erasures import ERASED_KEY
from operate_parameters import default_parameters
from operate_stack import OperatorError, Stack, confirm, finish, nearest, show_progress

TABLES = ("AgentsTable", "AccountsTable")
KEY = "EncryptionKey"
LATEST = "latest"
CHANGE_SET = "restore"
POLL_SECONDS = 1.0
MAX_TRANSACTION = 100
"""Items that DynamoDB writes at once."""
TOKENS = ("refresh_token", "access_token")


@dataclass
class Source:
    """The stack whose tables are taken; it may be deleted."""

    name: str
    session: boto3.Session
    id: str
    ids: Mapping[str, str]
    """The physical ids of its tables and its key."""
    is_deleted: bool
    parameters: Mapping[str, str]
    """Those that differ from the template's defaults."""

    def scan(self, table: str, **options: Any) -> Iterator[dict[str, Any]]:
        """Iterate over the items of one of its tables."""
        pages = self.session.client("dynamodb").get_paginator("scan").paginate(TableName=self.ids[table], **options)
        return (item for page in pages for item in page["Items"])


def add_command(commands: Any, time_or_latest: Callable[[str], datetime | str], named: Callable[[str], Any]) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("restore", help="give a new stack the tables of another, from their backup")
    parser.add_argument("--source", type=named("SOURCE=meeting-agents"), required=True, help="the stack that has them")
    parser.add_argument("--source-region", default="", help="if it is in another region")
    parser.add_argument("--source-profile", default="", help="if it is in another account")
    parser.add_argument("--at", type=time_or_latest, default="", metavar="TIME", help="a time of 35 days, or latest")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def restore(stack: Stack, given: argparse.Namespace) -> None:
    """Say what will be done, ask, and do it. Stopped, it goes on where it was when it is run again."""
    profile, region = given.source_profile or None, given.source_region or stack.session.region_name
    is_elsewhere = bool(given.source_profile or given.source_region)
    session = boto3.Session(profile_name=profile, region_name=region) if is_elsewhere else stack.session
    source = find_source(session, given.source)
    if "TrackFunction" in _resources(stack):
        bring_over(stack, source, is_confirmed=given.yes)
        return
    if set(TABLES) <= _resources(stack).keys():
        finish([], "\n".join([f"{stack.name} has its tables already.", *next_steps(stack, source)]))
        return
    if not source.is_deleted and not given.at:
        raise OperatorError(
            f"{source.name} needs its tables itself: set AT=latest or AT=2026-11-22T08:00:00Z for a copy"
        )
    for line in _plan(stack, source, given.at):
        print(line)  # noqa: T201 - a command prints
    confirm(f"Restore into {stack.name}?", is_given=given.yes)
    ids = copy(stack, source, given.at) if given.at else dict(source.ids)
    import_into(stack, ids)
    finish([], "\n".join([f"{stack.name} has its tables.", *next_steps(stack, source)]))


def _plan(stack: Stack, source: Source, at: datetime | str) -> Iterator[str]:
    where = f"{stack.name} in {stack.session.region_name}"
    if not at:
        yield f"{where} takes the tables and the key that {source.name} left behind, with all that they hold."
        return
    yield f"{where} gets a copy of the tables of {source.name},"
    yield "as they were some five minutes ago:" if at == LATEST else f"as they were at {at:%Y-%m-%d %H:%M:%S} UTC:"
    for table in TABLES:
        size = source.session.client("dynamodb").describe_table(TableName=source.ids[table])["Table"]
        yield f"  {table}: about {size.get('ItemCount', 0):,} items, {size.get('TableSizeBytes', 0) / 1e9:.3f} GB"
    yield "It takes at least some minutes, and DynamoDB is paid for it by the GB. The users' tokens are encrypted"
    yield f"anew, with a key of its own. Nothing of {source.name} changes; both would alert about the same agents."


def next_steps(stack: Stack, source: Source) -> Iterator[str]:
    """Iterate over what the operator does next."""
    later = ("Architecture", "PublicUrl")
    parameters = shlex.join(f"{name}={value}" for name, value in source.parameters.items() if name not in later)
    yield "Next:"
    yield f"  make deploy STACK={stack.name}" + (f' PARAMETERS="{parameters}"' if parameters else "")
    yield f"  make secret STACK={stack.name} DATA_CENTER={source.parameters.get('DefaultDataCenter', 'us')}"
    if domain := source.parameters.get("PublicUrl"):
        yield f'  make deploy STACK={stack.name} PARAMETERS="PublicUrl={domain}"    # when that leads here'
    if not source.is_deleted:
        yield f"  make restore STACK={stack.name} SOURCE={source.name}    # again: what {source.name} has written since"


# ---------------------------------------------------------------------------------------------------------- the source


def find_source(session: boto3.Session, name: str) -> Source:
    """Return the stack of a name or, where there is none, the last one that was deleted within 90 days."""
    client = session.client("cloudformation")
    stack = Stack(name, session)
    if found := _resources(stack):
        ids, id_, is_deleted = found, stack.description["StackId"], False
    else:
        stacks = [each for page in client.get_paginator("list_stacks").paginate() for each in page["StackSummaries"]]
        gone = [each for each in stacks if (each["StackName"], each["StackStatus"]) == (name, "DELETE_COMPLETE")]
        if not gone:
            guess = nearest(name, {each["StackName"] for each in stacks})
            raise OperatorError(f"{session.region_name} has no stack {name}, and had none in 90 days: {guess}")
        id_, is_deleted = max(gone, key=lambda each: each["CreationTime"])["StackId"], True
        events = client.get_paginator("describe_stack_events").paginate(StackName=id_)
        ids = {
            event["LogicalResourceId"]: event["PhysicalResourceId"]
            for page in events
            for event in page["StackEvents"]
            if event.get("ResourceStatus") == "DELETE_SKIPPED"
        }
    if missing := {*TABLES, KEY} - ids.keys():
        raise OperatorError(f"the stack {name} has no {' and no '.join(sorted(missing))} to take")
    (described,) = client.describe_stacks(StackName=id_)["Stacks"]
    given = {each["ParameterKey"]: each["ParameterValue"] for each in described.get("Parameters", [])}
    parameters = {name: value for name, value in given.items() if value != default_parameters().get(name)}
    return Source(name, session, id_, {each: ids[each] for each in (*TABLES, KEY)}, is_deleted, parameters)


def _resources(stack: Stack) -> dict[str, str]:
    """Return the resources of a stack; none, if there is no such stack or it is still to be made."""
    return {name: id_ for name, id_ in stack.resources.items() if id_} if stack.status else {}


# ------------------------------------------------------------------------------------------------------------ the copy


def copy(stack: Stack, source: Source, at: datetime | str) -> dict[str, str]:
    """Restore the tables, and encrypt the tokens with a new key. Return the physical ids of all three."""
    client, ids = stack.session.client("dynamodb"), {}
    suffix = at if isinstance(at, str) else f"{at:%Y%m%dT%H%M%S}"
    for table in TABLES:
        ids[table] = f"{stack.name}-{table}-{suffix}"
        if _state(client, ids[table]):
            continue  # a run that was stopped has begun it
        arn = source.session.client("dynamodb").describe_table(TableName=source.ids[table])["Table"]["TableArn"]
        when: Any = {"UseLatestRestorableTime": True} if at == LATEST else {"RestoreDateTime": at}
        client.restore_table_to_point_in_time(SourceTableArn=arn, TargetTableName=ids[table], **when)
    began = time.monotonic()
    while waiting := [id_ for id_ in ids.values() if _state(client, id_) != "ACTIVE"]:
        show_progress(f"DynamoDB restores {len(waiting)} of {len(ids)} tables, {time.monotonic() - began:.0f} s")
        time.sleep(POLL_SECONDS)
    ids[KEY] = _new_key(stack)
    accounts = client.get_paginator("scan").paginate(TableName=ids["AccountsTable"])
    for item in (item for page in accounts for item in page["Items"]):
        _put_account(stack, source, ids, item)
    return ids


def _state(client: Any, table: str) -> str:
    try:
        return str(client.describe_table(TableName=table)["Table"]["TableStatus"])
    except client.exceptions.ResourceNotFoundException:
        return ""


def _new_key(stack: Stack) -> str:
    """Return a new key for the stack. Until it is imported, an alias leads a run that comes later to the same one."""
    kms, alias = stack.session.client("kms"), _alias(stack)
    try:
        return str(kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"])
    except kms.exceptions.NotFoundException:
        key = kms.create_key(Description="Tokens and messages of the meeting agents")["KeyMetadata"]["KeyId"]
        kms.create_alias(AliasName=alias, TargetKeyId=key)
        return key


def _alias(stack: Stack) -> str:
    return f"alias/{stack.name}-{CHANGE_SET}"


def _put_account(stack: Stack, source: Source, ids: Mapping[str, str], item: dict[str, Any]) -> bool:
    """Store an account with its tokens encrypted by the stack's key, unless a newer one is there. Return if it did."""
    encrypted = {
        name: {"B": _encrypt(stack, source, ids[KEY], item, item[name]["B"])} for name in TOKENS if name in item
    }
    client = stack.session.client("dynamodb")
    try:
        client.put_item(
            TableName=ids["AccountsTable"],
            Item=item | encrypted,
            ConditionExpression="attribute_not_exists(account_id) OR version <= :version",
            ExpressionAttributeValues={":version": item["version"]},
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


def _encrypt(stack: Stack, source: Source, key: str, item: dict[str, Any], token: bytes) -> bytes:
    """Return a token encrypted with the key of the stack, which may be in another region or account."""
    context = encryption_context(item["account_id"]["S"], item["data_center"]["S"])
    here, there = (session.client("kms") for session in (stack.session, source.session))
    try:
        decrypted = here.decrypt(CiphertextBlob=token, EncryptionContext=context)
    except ClientError:  # a key of another region or account
        decrypted = there.decrypt(CiphertextBlob=token, EncryptionContext=context)
    if decrypted["KeyId"].rpartition("/")[2] == key:
        return token
    return bytes(here.encrypt(KeyId=key, Plaintext=decrypted["Plaintext"], EncryptionContext=context)["CiphertextBlob"])


# ---------------------------------------------------------------------------------------------------------- the import


def import_into(stack: Stack, ids: Mapping[str, str]) -> None:
    """Let CloudFormation take the tables and the key into the stack, which it makes.

    Raises `OperatorError` with CloudFormation's reason.
    """
    resources = template_of(stack.session, ids)
    client = stack.session.client("cloudformation")
    named: dict[str, Any] = {"StackName": stack.name, "ChangeSetName": CHANGE_SET}
    if (status := stack.status) == "REVIEW_IN_PROGRESS":  # a run that was stopped has made it
        client.delete_change_set(**named)
    elif status:
        raise OperatorError(f"there is a stack {stack.name}, {status}: set STACK=… to a new name, or delete that stack")
    client.create_change_set(
        **named,
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps({"Resources": resources}),
        ResourcesToImport=[
            {
                "ResourceType": resources[name]["Type"],
                "LogicalResourceId": name,
                "ResourceIdentifier": {"KeyId" if name == KEY else "TableName": id_},
            }
            for name, id_ in ids.items()
        ],
    )
    while (change_set := client.describe_change_set(**named))["Status"].endswith(("PENDING", "IN_PROGRESS")):
        show_progress("CloudFormation looks at the tables")
        time.sleep(POLL_SECONDS)
    if change_set["Status"] != "CREATE_COMPLETE":
        raise OperatorError(f"CloudFormation cannot take the tables: {change_set.get('StatusReason', 'no reason')}")
    client.execute_change_set(**named)
    while (status := stack.status) != "IMPORT_COMPLETE":
        if status.endswith(("FAILED", "ROLLBACK_COMPLETE")):
            raise OperatorError(f"the import ended with {status}: its events in CloudFormation say why")
        show_progress("CloudFormation takes the tables")
        time.sleep(POLL_SECONDS)
    kms = stack.session.client("kms")
    with suppress(kms.exceptions.NotFoundException):  # what a deleted stack left has none
        kms.delete_alias(AliasName=_alias(stack))


def template_of(session: boto3.Session, ids: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the resources of a template that says of the tables and the key what they are.

    CloudFormation does not compare an imported resource with its template. It would take a stream that is not there for
    switched on, and no later update would switch it on. No table has its name in it, as none has in the stack's own
    template: a name that goes replaces the table.
    """
    policies = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
    resources = {
        table: {
            "Type": "AWS::DynamoDB::Table",
            **policies,
            "Properties": _table(session.client("dynamodb"), ids[table]),
        }
        for table in TABLES
    }
    return resources | {KEY: {"Type": "AWS::KMS::Key", **policies, "Properties": _key(session.client("kms"), ids[KEY])}}


def _table(client: Any, name: str) -> dict[str, Any]:
    table = client.describe_table(TableName=name)["Table"]
    properties = {each: table[each] for each in ("AttributeDefinitions", "KeySchema")}
    properties["BillingMode"] = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    properties["SSESpecification"] = {"SSEEnabled": "SSEDescription" in table}
    if indexes := table.get("GlobalSecondaryIndexes"):
        shown = ("IndexName", "KeySchema", "Projection")
        properties["GlobalSecondaryIndexes"] = [{each: index[each] for each in shown} for index in indexes]
    if table.get("StreamSpecification", {}).get("StreamEnabled"):
        properties["StreamSpecification"] = {"StreamViewType": table["StreamSpecification"]["StreamViewType"]}
    expiry = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    if expiry["TimeToLiveStatus"] in ("ENABLED", "ENABLING"):
        properties["TimeToLiveSpecification"] = {"AttributeName": expiry["AttributeName"], "Enabled": True}
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    if backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED":
        properties["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": True}
    return properties


def _key(client: Any, id_: str) -> dict[str, Any]:
    return {
        "Description": client.describe_key(KeyId=id_)["KeyMetadata"]["Description"],
        "EnableKeyRotation": client.get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"],
        "KeyPolicy": json.loads(client.get_key_policy(KeyId=id_, PolicyName="default")["Policy"]),
    }


# -------------------------------------------------------------------------------------------- what was written since


def bring_over(stack: Stack, source: Source, *, is_confirmed: bool) -> None:
    """Copy the entries that the source has and the stack lacks, and the accounts that it has newer.

    An entry is never changed, and its key is made from its content, so this can be done any number of times. What was
    erased at the source since is erased here, too: its erasure is an entry.
    """
    ids = {name: stack.resources[name] for name in (*TABLES, KEY)}
    if ids["AgentsTable"] == source.ids["AgentsTable"]:
        raise OperatorError(f"{stack.name} has these tables: set STACK=… to the new stack, SOURCE=… to the old one")
    print(f"{stack.name} gets each entry of {source.name} that it lacks, and each account that is newer there.")  # noqa: T201
    print("Its subscribers hear of these entries. People are alerted of what still stands.")  # noqa: T201
    confirm(f"Bring this over into {stack.name}?", is_given=is_confirmed)
    entries = agents = 0
    items = source.scan(
        "AgentsTable",
        FilterExpression="begins_with(sk, :entry) AND (attribute_not_exists(#expires) OR #expires > :now)",
        ExpressionAttributeNames={"#expires": EXPIRES_AT},
        ExpressionAttributeValues={":entry": {"S": ENTRY_PREFIX}, ":now": {"N": str(int(time.time()))}},
    )
    for agent_id, journal in groupby(items, key=lambda item: item["pk"]["S"]):
        added = 0 if is_probe(agent_id) else _add_entries(stack, ids["AgentsTable"], agent_id, list(journal))
        entries, agents = entries + added, agents + bool(added)
        show_progress(f"{entries:,} entries of {agents:,} agents")
    accounts = sum(_put_account(stack, source, ids, item) for item in source.scan("AccountsTable"))
    finish([], f"{entries:,} entries of {agents:,} agents and {accounts:,} accounts came over from {source.name}")


def _add_entries(stack: Stack, table: str, agent_id: str, journal: list[dict[str, Any]]) -> int:
    """Write the entries of an agent that are not there, all at once, so that no alert is decided on a part of them."""
    there = {
        item["sk"]["S"]
        for item in stack.query(
            KeyConditionExpression="pk = :pk AND begins_with(sk, :entry)",
            ExpressionAttributeValues={":pk": {"S": agent_id}, ":entry": {"S": ENTRY_PREFIX}},
            ProjectionExpression="sk",
            ConsistentRead=True,
        )
    }
    if entry(agent_id, ERASED_KEY)["sk"]["S"] in there:
        return 0  # what was erased here is not brought back
    missing = [item for item in journal if item["sk"]["S"] not in there]
    for batch in batched(missing, MAX_TRANSACTION, strict=False):
        puts: Any = [
            {"Put": {"TableName": table, "Item": item, "ConditionExpression": "attribute_not_exists(sk)"}}
            for item in batch
        ]
        stack.session.client("dynamodb").transact_write_items(TransactItems=puts)
    return len(missing)
