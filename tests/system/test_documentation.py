"""The documents are true: made from the code, found in the tree, or seen in a run."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from package import DEPLOY
from tests.documentation import DOCUMENTS, main, written
from tests.sandbox.deployment import ROOT

PAGES = sorted([*DOCUMENTS, "CHANGELOG.md", *(f".github/{path.name}" for path in (ROOT / ".github").glob("*.md"))])
PARTS = [(name, part) for name, parts in DOCUMENTS.items() for part in parts]
CODE = re.compile(r"`([^`\n]+)`")
NOT_PATHS = {"Etc/UTC"}
"""Text that only looks like a path."""
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def links(name: str) -> Iterator[tuple[Path, str]]:
    """The file and the anchor of each relative link of a document."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text_of(name))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield ((ROOT / name).parent / path).resolve() if path else ROOT / name, anchor


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_generated_part_is_as_the_code_is_now(name: str) -> None:
    """`make docs` rewrites it."""
    assert written(name, text_of(name)) == text_of(name)


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_part_that_drifts_is_noticed(name: str, part: str) -> None:
    """One word more in a part, and the document is not what would be written."""
    changed = text_of(name).replace(f"<!-- /{part} -->", f"drifted\n<!-- /{part} -->")

    assert written(name, changed) != changed


def test_a_missing_part_is_an_error() -> None:
    """A part cannot vanish from its document unnoticed."""
    with pytest.raises(ValueError, match=r"OPERATIONS.md has no part <!-- parameters -->"):
        written("OPERATIONS.md", text_of("OPERATIONS.md").replace("<!-- parameters -->", ""))


def test_the_check_names_each_outdated_document_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document of a copy drifts: the check finds it, `make docs` rewrites it, and the check is content."""
    for name in DOCUMENTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text_of(name), encoding="utf-8")
    drifted = tmp_path / "functions/README.md"
    drifted.write_text(drifted.read_text(encoding="utf-8").replace("<!-- /routes -->", "drifted\n<!-- /routes -->"))
    monkeypatch.setattr("tests.documentation.FOLDER", tmp_path)

    assert main(["--check"]) == 1
    assert capsys.readouterr().out.startswith("functions/README.md: outdated")
    assert "drifted" in drifted.read_text(encoding="utf-8")
    assert main([]) == 0
    assert drifted.read_text(encoding="utf-8") == text_of("functions/README.md")
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    """A relative link names a file or folder; an anchor names a heading of its document."""
    found = list(links(name))

    assert [str(path) for path, _ in found if not path.exists()] == []
    assert [anchor for path, anchor in found if anchor and anchor not in anchors(path)] == []


def test_the_readme_leads_to_every_other_document() -> None:
    """GitHub itself offers the template of a pull request."""
    found = {str(path.relative_to(ROOT)) for path, _ in links("README.md")}

    assert {*PAGES} - {"README.md", ".github/pull_request_template.md"} <= found


@pytest.mark.parametrize("name", PAGES)
def test_every_make_command_named_exists(name: str) -> None:
    """`make something` in the text is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    text = text_of(name)
    named = {match for code in CODE.findall(text) for match in re.findall(r"(?<!git )\bmake ([a-z-]+)", code)}
    named |= set(re.findall(r"^ *make ([a-z-]+)", text, re.MULTILINE))

    assert named <= targets


@pytest.mark.parametrize("name", PAGES)
def test_every_file_named_exists(name: str) -> None:
    """A path in code is one from the root, from the document's folder or from a package; a bare name is any file's."""
    homes = (ROOT, (ROOT / name).parent, ROOT / "layers/shared/meeting_agents", ROOT / "tests")
    files = {path.name for folder in ("functions", "layers", "tests") for path in (ROOT / folder).rglob("*.py")}
    codes = CODE.findall(FENCED.sub("", text_of(name)))
    paths = [re.sub(r"<\w+>", "*", code) for code in codes if re.fullmatch(r"[\w.<>]+(/[\w.<>]+)+|\w+/", code)]
    missing = [path for path in paths if not any(any(home.glob(path.rstrip("/"))) for home in homes)]

    assert [path for path in missing if path not in NOT_PATHS] == []
    assert [code for code in codes if re.fullmatch(r"\w+\.py", code) and code not in files] == []


@pytest.mark.parametrize("text", [text_of("README.md"), DEPLOY], ids=["README.md", "DEPLOY.md"])
def test_the_cost_that_is_named_first_is_the_one_that_was_computed(text: str) -> None:
    found = json.loads(text_of(".bench.json"))["cost"]
    at_rest, meetings = sum(found["usd_per_month_at_rest"].values()), found["usd_per_1000_meetings"]
    assert f"about US$ {at_rest:.0f} a month and US$ {meetings:.2f} per 1,000 meetings" in text


def test_the_functions_named_are_the_functions() -> None:
    """The table of functions has a row for each folder, in any order."""
    named = re.findall(r"^\| \[`(\w+)`\]\(\w+/app.py\)", text_of("functions/README.md"), re.MULTILINE)

    assert sorted(named) == sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))
    assert set(CODE.findall(text_of("README.md").split("one use case each")[1].split("What they share")[0])) == {*named}


def test_each_word_of_the_glossary_has_one_meaning() -> None:
    """A concept has one row."""
    table = text_of("layers/shared/README.md").split("## Glossary")[1].split("\n## ")[0]
    words = re.findall(r"^\| ([a-z -]+) \| .+\. \|$", table, re.MULTILINE)

    assert len(words) == len(set(words)) == table.count("\n| ") - 1
