"""One concept, one noun: the words that the project has given up stay out of it."""

import ast
import io
import re
import subprocess
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IDENTIFIERS = {
    "Answered": "PassthroughResponse",
    "Asked": "ProvisioningRequest",
    "NoTurn": "LeaseTimeout",
    "Told": "ProvisioningResult",
    "Turn": "Lease",
    "advice": "runbook or next_steps",
    "asked": "requested, or the request's own name",
    "awaited": "expected, or next_deadline",
    "graces": "grace_periods",
    "inbox": "notifications",
    "people": "subscribers, or the alerts topic",
    "place": "location, position or links",
    "places": "locations, positions or links",
    "prose": "text",
    "said": "notification, text or message",
    "told": "steps, alerted, published or the thing's own name",
    "trouble": "incident",
    "troubled": "has_incident",
    "troubles": "incidents",
    "unheeded": "unacknowledged",
    "untold": "failed",
    "vocabulary": "model",
    "parked": "dead_lettered",
}
"""Words of an identifier, between underscores and capitals, and the words to use instead."""
WORDS = {
    "all the same": "although, or leave it out",
    "all-clear": "resolved",
    "bear": "accept or carry",
    "borne": "accepted or carried",
    "failure queue": "dead-letter queue",
    "heed": "acknowledge or follow",
    "heeded": "acknowledged or followed",
    "mend": "fix",
    "mended": "fixed",
    "mends": "fixes",
    "nobody": "no one, or a plain negative",
    "parked": "dead-lettered",
    "people are told": "an alert is sent",
    "people were told": "an alert was sent",
    "pass over": "skip",
    "passed over": "skipped",
    "told of": "alerted",
    "trouble": "incident",
    "troubled": "with an incident",
    "whatever": "anything that, or the thing itself",
    "whoever": "anyone who, or the role itself",
    "whom": "another sentence",
}
"""Words and phrases of any text, in any case, and what to write instead."""
FIRST_WORDS = ("What", "Whether", "Where", "How", "By", "For", "Until")
"""A docstring begins with a verb in the present tense or a plain noun phrase, not with one of these."""
ITSELF = Path("tests/system/test_language.py")
NOT_OURS = ("tests/requirements/", "tests/corpus/", "LICENSE", ".bench.json", "tests/golden/")


def files() -> list[Path]:
    """The project's own text files, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    kept = (name for name in listed if not name.startswith(NOT_OURS) and not name.endswith(("found.json", ".png")))
    return [Path(name) for name in kept if Path(name) != ITSELF and (ROOT / name).is_file()]


def parts(identifier: str) -> list[str]:
    """The words of an identifier: `told_at` and `ToldAt` both have `told` or `Told`, and `at`."""
    return [part for word in identifier.split("_") for part in (re.findall(r"[A-Z]?[a-z]+|[A-Z]+", word) or [word])]


def retired_identifiers(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the word and its replacement for each retired word in a name of Python code."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            for part in parts(token.string):
                replacement = IDENTIFIERS.get(part) or IDENTIFIERS.get(part.lower())
                if replacement:
                    yield token.start[0], token.string, replacement


def retired_words(text: str) -> Iterator[tuple[int, str, str]]:
    """The line, the word and its replacement for each retired word in any text."""
    for number, line in enumerate(text.splitlines(), 1):
        for word, replacement in WORDS.items():
            if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", line, re.IGNORECASE):
                yield number, word, replacement


def odd_docstrings(text: str) -> Iterator[tuple[int, str, str]]:
    """The line and the first word of each docstring that begins with one of `FIRST_WORDS`."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            first = node.value.value.split(maxsplit=1)[:1]
            if first and first[0] in FIRST_WORDS:
                yield node.lineno, first[0], "a verb or a plain noun phrase"


def found(path: Path) -> list[str]:
    """Each retired word of a file, with its line and its replacement."""
    text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
    hits = list(retired_words(text))
    if path.suffix == ".py":
        hits += [*retired_identifiers(text), *odd_docstrings(text)]
    return [f"{path}:{line}: {word!r}: write {replacement}" for line, word, replacement in sorted(hits)]


@pytest.mark.parametrize("path", files(), ids=str)
def test_no_retired_word_is_used(path: Path) -> None:
    """The message names the line, the word and the word to use instead."""
    assert found(path) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "told = 1"),
        ("a.py", "def people_of(): ..."),
        ("a.py", "class NoTurn: ..."),
        ("a.py", '"""What a thing is."""'),
        ("a.py", "x = 1  # whoever reads it"),
        ("a.yaml", "Description: Tells whom it concerns"),
        ("a.md", "People are told."),
        ("Makefile", "help: ## parked messages"),
    ],
)
def test_a_retired_word_is_found_wherever_it_stands(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert len(found(tmp_path / name)) == 1


def test_words_that_only_look_alike_are_kept() -> None:
    """`placeholder` has no place in it, and a bearer bears no burden."""
    assert list(retired_identifiers("placeholder = replace = bearer = 1")) == []
    assert list(retired_words("Authorization: Bearer token; recommend; a nobody-else")) == []


PLAIN = {"Action", "Conference", "Meeting", "Pending", "Request", "Resource", "Severity", "State"}
"""Classes of the model whose names have their everyday meaning, or Cronofy's."""


def test_the_glossary_has_the_nouns_of_the_model() -> None:
    """A class of a noun's types, codes or states is covered by the noun."""
    text = (ROOT / "layers/shared/README.md").read_text(encoding="utf-8")
    glossary = text.partition("| word | meaning |")[2].partition("\n\n")[0]
    words = set(re.findall(r"^\| ([\w -]+) \|", glossary, re.MULTILINE))
    domain = ROOT / "layers/shared/meeting_agents/domain"
    trees = [ast.parse((domain / name).read_text(encoding="utf-8")) for name in ("model.py", "record.py")]
    classes = {node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}
    names = {re.sub(r"(Type|Code|Status)$", "", name) for name in classes - PLAIN}
    nouns = {re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower() for name in names}
    assert classes >= PLAIN
    assert len(nouns) > 5
    assert nouns <= words


if __name__ == "__main__":
    counts = Counter({str(path): len(found(path)) for path in files()})
    for name, count in counts.most_common():
        if count:
            print(f"{count:4} {name}")
