"""YAML files that a person wrote and that may be hostile: plain data, bounded in size, depth and what it unfolds to."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from guardapp.errors import GuardError, from_os_error

MOST_BYTES = 1 << 20
MOST_ALIASES = 50
MOST_VALUES = 100_000
"""Scalars, lists and mappings after aliases are unfolded: nine nested aliases of nine would be 387 million."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that is there twice and more aliases than anyone writes by hand."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.constructor.ConstructorError(None, None, "too many aliases", None)
        return super().compose_node(parent, index)

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(None, None, "merging (<<) is not supported", key.start_mark)
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"“{key.value}” is there twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The data in a YAML (or JSON) file: dicts, lists, strings, numbers, booleans, dates, None.

    Raises GuardError `yaml.unreadable`, with line and column, `yaml.too-big`, or what the system refused.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise from_os_error(error, path) from error
    if len(text) > MOST_BYTES:
        raise _too_big(path, f"it has more than {MOST_BYTES} bytes")
    try:
        data = yaml.load(text, _Loader)  # noqa: S506  (a SafeLoader with more checks)
    except RecursionError:
        raise _too_big(path, "it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise GuardError(
            f"{path.name} cannot be read as YAML",
            _reason(error),
            "Correct that place; lists start with “- ”, and indentation is by spaces.",
            "yaml.unreadable",
        ) from None
    if _values(data) > MOST_VALUES:
        raise _too_big(path, f"it unfolds to more than {MOST_VALUES} values")
    return data


def _values(data: Any) -> int:
    """How many values a walk over `data` meets, counted until there are too many."""
    count, waiting = 0, [data]
    while waiting and count <= MOST_VALUES:
        value = waiting.pop()
        count += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
    return count


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    if isinstance(error, yaml.reader.ReaderError):
        return "it holds bytes that are no text"
    return "it is not valid"


def _too_big(path: Path, why: str) -> GuardError:
    return GuardError(
        f"{path.name} is too big to be a list of settings", why, "Choose another file, or split it.", "yaml.too-big"
    )
