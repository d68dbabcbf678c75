"""The shape of the project: what imports what, what is where, and which words stand where."""

import ast
import json
import os
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from meeting_agents import wiring
from meeting_agents.cronofy.payloads import INTERACTIONS

ROOT = Path(__file__).parents[2]
LAYER = ROOT / "layers" / "shared" / "meeting_agents"
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/app.py"))
LEVELS = (
    {"errors", "time_limit", "plain_values"},
    {"domain"},
    {"wording"},
    {"cronofy"},
    {"aws"},
    {"announcement", "delivery", "renditions", "tokens"},
    {"provisioning", "archiving", "calendars", "profiles", "erasing"},
    {"alerting", "rescuing", "sweeping"},
    {"channels", "incident_list", "operations"},
    {"api", "forwarding", "publishing", "widget"},
    {"settings"},
    {"wiring"},
)
"""The packages, and the files beside them, bottom up: each imports from itself and from levels below its own."""
IMPURE = {
    *("channels.client", "cronofy.client", "cronofy.client_secrets"),
    *("cronofy.downloads", "cronofy.resource_addresses"),
    *("api.accounts", "api.calendar_events", "api.context", "api.docs", "api.incidents", "api.meeting_agents"),
    *("api.isolation", "api.pagination", "api.parameters", "api.passthrough", "api.problems", "api.silences"),
}
"""The modules of `channels`, `cronofy` and `api` that reach the outside, or the current request."""
OUTSIDE = {
    "boto3",
    "botocore",
    "httpx",
    "os",
    "pathlib",
    "socket",
    "ssl",
    "subprocess",
    "time",
    "random",
    "urllib.request",
}
"""Modules that reach the clock, chance, the disk, the network or the environment."""
SHARED = sorted(path for path in LAYER.rglob("*.py") if path.name != "__init__.py")
MODULES = [".".join(path.relative_to(LAYER).with_suffix("").parts) for path in SHARED]
DOMAIN, ALERTING, CHANNELS, CRONOFY, API, WIDGET = (
    {module for module in MODULES if module.startswith(f"{package}.")}
    for package in ("domain", "alerting", "channels", "cronofy", "api", "widget")
)
PURE = {"errors", "wording", "plain_values", "aws.keys", *DOMAIN, *ALERTING, *CHANNELS, *CRONOFY, *API} - IMPURE
SOURCES = sorted([*SHARED, *(ROOT / "functions").glob("*/*.py")])


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT)).removeprefix("layers/shared/meeting_agents/")


def imports(path: Path, *, when_run: bool = False) -> Iterator[str]:
    """Every module imported anywhere in a file; `when_run`: without those that only type checkers follow."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if when_run and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            skipped.update(child for statement in node.body for child in ast.walk(statement))
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path:
    return LAYER.joinpath(*module.split(".")).with_suffix(".py")


def ours(path: Path) -> set[str]:
    """The modules of the layer that a file imports, or from which it imports a name."""
    names = {name.removeprefix("meeting_agents.") for name in imports(path) if name.startswith("meeting_agents.")}
    found = {name: next((m for m in (name, name.rpartition(".")[0]) if m in MODULES), name) for name in names}
    return set(found.values()) - {"VERSION"}


# ---------------------------------------------------------------------------------------------------- what imports what


def package_of(module: str) -> str:
    return module.partition(".")[0]


def test_every_package_of_the_layer_has_one_level() -> None:
    levels = [package for level in LEVELS for package in level]
    assert sorted(levels) == sorted({package_of(module) for module in MODULES})


@pytest.mark.parametrize("module", MODULES)
def test_a_package_imports_from_itself_and_from_those_below_it(module: str) -> None:
    """So `alerting` does not know `api`, and neither knows an environment variable."""
    package = package_of(module)
    [height] = [height for height, level in enumerate(LEVELS) if package in level]
    below = {name for level in LEVELS[:height] for name in level}
    assert {package_of(name) for name in ours(file_of(module))} <= below | {package}


def test_the_api_does_not_know_the_alerts() -> None:
    """It shows incidents as `incident_list` lists them."""
    assert not {name for module in API for name in ours(file_of(module)) if package_of(name) == "alerting"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    TopologicalSorter({module: ours(file_of(module)) - {module} for module in MODULES}).prepare()


def test_a_package_is_empty() -> None:
    """A cold start pays for what it imports, and it imports the package with each of its modules."""
    for path in LAYER.glob("*/__init__.py"):
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1  # the docstring


def test_a_file_can_be_read_in_one_go() -> None:
    """A use case has about a hundred lines, a module some hundreds."""
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name for name, count in lines.items() if count > (150 if name.startswith("functions/") else 450)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_botocores_errors_are_turned_into_ours_where_aws_is_called(path: Path) -> None:
    """Once for the tables, the topics, the queues and the archive; each secret has one caller."""
    homes = ["aws/dynamodb.py", "aws/topics.py", "aws/queues.py", "aws/secret_text.py", "cronofy/client_secrets.py"]
    homes.append("aws/archive_bucket.py")
    is_home = name_of(path) in homes
    assert ("botocore.exceptions.ClientError" in set(imports(path))) is is_home


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_tables_layout_stands_in_one_file(path: Path) -> None:
    """Prefixes and names of keys and indexes."""
    written = {prefix for prefix in ("entry#", "lease#", "rate#", "ma_probe-") if prefix in code_of(path)}
    assert not written or name_of(path) == "aws/keys.py"


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_reaches_nothing_outside_and_uses_only_pure_ones(module: str) -> None:
    """No clock, no chance, no disk, no network, no environment: what it says depends on its arguments alone."""
    path = file_of(module)
    assert ours(path) <= PURE | {"announcement"}  # its models; it is made from entries of the journal
    assert {name for name in imports(path) if any(f"{name}.".startswith(f"{out}.") for out in OUTSIDE)} == set()
    assert not re.search(r"\b(now|today|utcnow|monotonic|uuid4|open)\(", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", sorted(WIDGET - {"widget.reading"}))
def test_a_page_is_made_from_its_arguments_alone(module: str) -> None:
    """It takes incidents as `incident_list` lists them, and reads nothing by itself."""
    path = file_of(module)
    assert ours(path) <= PURE | WIDGET | {"announcement", "incident_list"} - {"widget.reading"}
    assert {name for name in imports(path) if any(f"{name}.".startswith(f"{out}.") for out in OUTSIDE)} == set()
    assert not re.search(r"\b(now|today|utcnow|monotonic|uuid4|open)\(", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", sorted(DOMAIN))
def test_the_rules_need_nothing_but_each_other_and_the_standard_library(module: str) -> None:
    path = file_of(module)
    assert {name.split(".")[0] for name in imports(path)} <= sys.stdlib_module_names | {"meeting_agents"}
    assert ours(path) <= DOMAIN


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.name)
def test_no_function_knows_another_and_nothing_shipped_knows_a_test(path: Path) -> None:
    for source in [path / "app.py", *SHARED]:
        assert {name.split(".")[0] for name in imports(source)} & {"functions", "tests", "app"} == set()


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_function_is_one_folder_with_one_file() -> None:
    for function in FUNCTIONS:
        assert [path.name for path in function.iterdir() if path.name != "__pycache__"] == ["app.py"]


def test_only_wiring_reads_the_environment() -> None:
    """`Settings` gets it from `wiring`; no other module reads or sets it."""
    readers = {name_of(path) for path in SOURCES if re.search(r"environ\b|getenv", code_of(path))}
    assert readers == {"settings.py", "wiring.py"}
    assert (LAYER / "wiring.py").read_text(encoding="utf-8").count("os.environ") == 1


def test_no_file_is_named_after_what_everything_could_be() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "core", "shared_code"}
    files = [path for folder in ("layers", "functions", "tests") for path in (ROOT / folder).rglob("*.py")]
    assert {path for path in files if vague & set(path.stem.split("_"))} == set()


def test_every_example_of_an_event_is_used_by_a_test() -> None:
    """A test names the file, or its whole folder."""
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__)
    )
    for example in (ROOT / "events").glob("*/*.json"):
        json.loads(example.read_text(encoding="utf-8"))
        name, case = example.parent.name, example.stem
        used = re.search(rf'"events"\s*/\s*"{name}"|events/{name}|"{name}", "{case}"', text)
        assert used, f"no test reads events/{name}/{case}.json"
        assert re.search(rf"\b{example.stem}\b", text) or re.search(r"glob\(", text), f"no test uses {example}"


# -------------------------------------------------------------------------------------------------------------- running


def python(code: str) -> str:
    """The output of a fresh interpreter without an environment, whose sockets cannot connect."""
    forbid = "import socket\ndef no(*_): raise AssertionError('the network was touched')\nsocket.socket.connect = no\n"
    path = os.pathsep.join([str(LAYER.parent), str(ROOT)])
    found = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:0] = {path.split(os.pathsep)!r}\n{forbid}{code}"],
        env={},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not found.returncode, found.stderr
    return found.stdout


def test_every_module_and_every_function_is_imported_without_environment_and_network() -> None:
    names = [f"meeting_agents.{module}" for module in MODULES]
    names += [f"functions.{function.name}.app" for function in FUNCTIONS]
    assert python(f"import importlib\nfor name in {names}: importlib.import_module(name)\nprint('ok')") == "ok\n"


def test_the_receiver_imports_neither_rules_nor_models_nor_http() -> None:
    """A cold start pays for each, and Cronofy waits."""
    loaded = python("import functions.webhook.app; print(*sys.modules)").split()
    assert set(loaded) & {"pydantic", "httpx", "aws_xray_sdk"} == set()
    needed = {"errors", "cronofy.signature", "settings", "wiring", "cronofy", "cronofy.client_secrets"}
    needed |= {"aws", "aws.keys", "aws.dynamodb", "aws.notifications", "aws.expiry", "cronofy.meeting_end"}
    assert {name for name in loaded if name.startswith("meeting_agents.")} == {f"meeting_agents.{n}" for n in needed}


def test_the_receiver_makes_only_its_own_collaborators() -> None:
    """No part of the overview, the lists or the texts is on the way from a callback to its answer, not even late."""
    receiver = ast.parse((ROOT / "functions" / "webhook" / "app.py").read_text(encoding="utf-8"))
    used = {ast.unparse(node) for node in ast.walk(receiver) if isinstance(node, ast.Attribute)}
    made = {name for name in used if name.startswith("wiring.") and name.count(".") == 1}
    own = {"agents_table", "client_secrets", "read_client_secrets", "settings", "make_ready"}
    assert made == {f"wiring.{name}" for name in own}
    own = {"errors", "cronofy.signature", "cronofy.client_secrets", "aws.keys", "aws.notifications", "wiring"}
    assert ours(ROOT / "functions" / "webhook" / "app.py") == own


@pytest.mark.parametrize("function", ["track", "widget", "digest", "alert"])
def test_a_function_that_does_not_call_cronofy_imports_no_http_client(function: str) -> None:
    """A cold start pays for it."""
    loaded = python(f"import functions.{function}.app; print(*sys.modules)").split()
    assert set(loaded) & {"httpx", "meeting_agents.provisioning"} == set()


@pytest.mark.parametrize("path", FUNCTIONS, ids=lambda path: path.name)
def test_only_the_function_behind_the_api_imports_it(path: Path) -> None:
    """The others would pay for its models and routes at each cold start."""
    loaded = python(f"import functions.{path.name}.app; print(*sys.modules)").split()
    found = {module for module in API if f"meeting_agents.{module}" in loaded}
    assert found == (API if path.name == "provision" else set())


def test_the_models_of_openapi_are_not_imported_until_they_are_needed() -> None:
    """They are a fifth of the cold start of the function behind the API."""
    loaded = python("import functions.provision.app; print(*sys.modules)").split()
    assert {name for name in loaded if name.endswith((".openapi.models", ".swagger_ui"))} == set()


def test_collaborators_are_made_once() -> None:
    """A second client costs a cold start's time at each call."""
    makers = [value for value in vars(wiring).values() if hasattr(value, "cache_clear")]
    assert len(makers) > 5
    made = [node.name for node in top_level(LAYER / "wiring.py") if not cached(node)]
    assert set(made) <= {"make_ready", "read_client_secrets", "lease"}  # two make no collaborator, one is made of one


def top_level(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]


def cached(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).startswith("cache") for decorator in node.decorator_list)


# ---------------------------------------------------------------------------------------------------------------- traps


def calls(path: Path, name: str) -> int:
    """The number of calls of a function with this name in a file."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return sum(ast.unparse(node.func).rpartition(".")[2] == name for node in nodes)


def test_every_notification_is_verified() -> None:
    """A verification that is never called is a classic fault of webhook receivers."""
    webhook = ROOT / "functions" / "webhook" / "app.py"
    assert calls(webhook, "verify")
    write = "append_notification"
    assert calls(webhook, write) == 1
    assert [name_of(path) for path in SOURCES if calls(path, write)] == ["functions/webhook/app.py"]
    receive = next(node for node in top_level(webhook) if calls_in(node, write))
    order = [name for name in calls_of(receive) if name in ("_signers", "verify", write)]
    assert order[-1] == write
    assert len(order) > 1


def calls_of(node: ast.AST) -> list[str]:
    found = [inner for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    found.sort(key=lambda call: (call.lineno, call.col_offset))
    return [ast.unparse(call.func).rpartition(".")[2] for call in found]


def calls_in(node: ast.AST, name: str) -> bool:
    return name in calls_of(node)


def test_a_notification_is_stored_by_one_conditional_write_without_a_read() -> None:
    """Get, then put, lets two copies through at the same moment."""
    notifications = file_of("aws.notifications").read_text(encoding="utf-8")
    table = {"get", "query", "query_page", "existing", "insert", "put", "replace", "update", "try_update", "write_all"}
    assert [name for name in calls_of(ast.parse(notifications)) if name in table] == ["insert"]
    source = file_of("aws.dynamodb").read_text(encoding="utf-8")
    [insert] = (node for node in ast.walk(ast.parse(source)) if named(node, "insert"))
    assert [name for name in calls_of(insert) if "item" in name] == ["put_item"]
    assert "ConditionExpression=NOT_EXISTS" in ast.unparse(insert)


def named(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == name


def test_a_request_is_written_down_before_cronofy_hears_of_it() -> None:
    """The durable record first, then the side effect: what is sent can always be found again."""
    provisioning = ast.parse(file_of("provisioning").read_text(encoding="utf-8"))
    [submit] = (node for node in ast.walk(provisioning) if named(node, "submit"))
    order = [name for name in calls_of(submit) if name in ("_record_request", "_send", "_record_outcome")]
    assert order == ["_record_request", "_send", "_record_outcome"]


# ---------------------------------------------------------------------------------------------------------------- words


def code_of(path: Path, *, strings: bool = True) -> str:
    """A file without its comments and docstrings, and if wanted without any text."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    skipped = {tokenize.COMMENT} | (set() if strings else {tokenize.STRING, tokenize.FSTRING_MIDDLE})
    docstrings = {
        (node.lineno, node.col_offset)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
    return " ".join(t.string for t in tokens if t.type not in skipped and t.start not in docstrings)


VENDOR_WORDS = {*INTERACTIONS, "cronofy-hmac-sha256", "event_subscription"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_vendors_words_for_what_happened_stop_at_one_file(path: Path) -> None:
    """Only where they are ours as well may the same word stand elsewhere."""
    known = {kind.value for kind in INTERACTIONS.values()}
    home = {"payloads.py": VENDOR_WORDS, "signature.py": {"cronofy-hmac-sha256"}}.get(path.name, set())
    words = VENDOR_WORDS - known - home
    texts = re.findall(r"[a-z0-9_-]+", code_of(path))
    assert words & set(texts) == set()


NAMED = re.compile(r"(^|_)events?($|_)|Events?")
OURS = re.compile(r"event_ids?$|event_triggers?$|EVENT_TRIGGERS|calendar_events?(_|$)|CalendarEvent")
POWERTOOLS = {"current_event", "event_type", "EventType"}


def identifiers(path: Path) -> set[str]:
    """The names that a file itself gives or uses."""
    fields = {ast.Name: "id", ast.arg: "arg", ast.Attribute: "attr", ast.keyword: "arg"}
    fields |= {ast.FunctionDef: "name", ast.ClassDef: "name"}
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {getattr(node, fields[type(node)]) or "" for node in nodes if type(node) in fields}


def comments_and_docstrings(path: Path) -> str:
    """The comments and docstrings of a file, without code, addresses and paths in them."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    nodes = [node.value for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Expr)]
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return re.sub(r"`[^`]*`|https?://\S+", "", "\n".join([*comments, *texts]))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_event_is_lambdas_word_and_cronofys_calendar_event_and_nothing_of_ours(path: Path) -> None:
    """A fact about an agent is an entry; the message about it is an announcement."""
    is_theirs = path.name == "payloads.py" or path.parent.parent.name == "functions"  # a callback's field, an argument
    allowed = POWERTOOLS | ({"event"} if is_theirs else set())
    names = {name for name in identifiers(path) if NAMED.search(name) and not OURS.search(name)}
    assert names <= allowed
    others = re.findall(r"(?:\S+\s+)?\b[Ee]vents?\b(?!\s+trigger)", comments_and_docstrings(path))
    assert [words for words in others if not re.match(r"calendar\s+events?|Lambda\s+events?", words)] == []
