"""The parameters of a deploy: those of an environment in samconfig.toml, and over them those given to the command."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from operate_stack import OperatorError, nearest

ROOT = Path(__file__).parents[2]


def parameters_of(environment: str, pairs: Sequence[str]) -> list[str]:
    """Return `Name=value` for each parameter. A later pair of a name replaces an earlier one.

    Raises `OperatorError` for an unknown environment, and for a parameter that the template does not have, which SAM
    leaves out without a word.
    """
    known = _known_parameters()
    merged: dict[str, str] = {}
    for pair in [*_overrides(environment), *pairs]:
        name, has_value, value = pair.partition("=")
        if not has_value:
            raise OperatorError(f'{pair!r} is no Name=value: set PARAMETERS="Name=value Other=value"')
        if name not in known:
            raise OperatorError(f"the template has no parameter {name}: {nearest(name, known)}")
        merged[name] = value
    return [f"{name}={value}" for name, value in merged.items()]


def _overrides(environment: str) -> list[str]:
    environments = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    names = [name for name, section in environments.items() if isinstance(section, dict)]
    if environment not in names:
        raise OperatorError(f"samconfig.toml has no environment {environment}: {nearest(environment, names)}")
    overrides: list[str] = environments[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    return overrides


def default_parameters() -> dict[str, str]:
    """Return the defaults of the template's parameters."""
    found = re.findall(r"^  (\w+):\n(?:    .*\n)*?    Default: (.*)$", _section(), re.MULTILINE)
    return {name: value.strip('"') for name, value in found}


def _known_parameters() -> list[str]:
    return re.findall(r"^  (\w+):$", _section(), re.MULTILINE)


def _section() -> str:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    return text.partition("\nParameters:\n")[2].partition("\nConditions:\n")[0]
