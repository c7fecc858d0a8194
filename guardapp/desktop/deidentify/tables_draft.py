"""Several tables and the policy for them while it is looked at. No Qt in here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from guardapp.desktop.deidentify.rules import KEYED, rule_name


class TablesDraft:
    """What `guardapp.deid.related.overview` found, with the few things that are set for all tables at once."""

    def __init__(self, found: Mapping[str, Any]) -> None:
        self.tables: list[Mapping[str, Any]] = list(found["tables"])
        self.person: Mapping[str, str] = found["person"]
        self.joined: Mapping[str, str] = found["joined"]
        self.not_released: list[str] = list(found["not_released"])
        self.policy: dict[str, Any] = found["policy"]

    @property
    def rows(self) -> int:
        return sum(int(table["rows"]) for table in self.tables)

    @property
    def k(self) -> int | None:
        """The largest group size that a table asks for, which is what people should have when tables are joined."""
        return max((model["k"] for model in self._sized()), default=None)

    def set_k(self, k: int) -> None:
        """The same group size for every table that asks for one."""
        for model in self._sized():
            model["k"] = k

    def guarantees(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Every table's guarantees beside k, with the name of the table."""
        for name, table in self.policy["tables"].items():
            for model in table.get("models", []):
                if model["name"] != "k-anonymity":
                    yield name, model

    @property
    def require(self) -> str:
        return str(self.policy.get("attacks", {}).get("require", "report"))

    def set_require(self, require: str) -> None:
        self.policy["attacks"] = {"require": require}

    @property
    def needs_key(self) -> bool:
        tables = self.policy["tables"].values()
        return any(rule_name(column) in KEYED for table in tables for column in table["columns"].values())

    def _sized(self) -> list[dict[str, Any]]:
        tables = self.policy["tables"].values()
        return [model for table in tables for model in table.get("models", []) if model["name"] == "k-anonymity"]
