"""What a policy may ask to be known about the use that is left in its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from guardapp.spec import Part


class _Column(Protocol):
    @property
    def role(self) -> str: ...

    @property
    def effective_rule(self) -> str: ...


class UtilityCheck(Part):
    """A model is trained on the table before and after, to see what protecting it has cost."""

    target: str = Field(description="The column that the model predicts from the quasi-identifiers.")

    def refuse(self, columns: Mapping[str, _Column]) -> None:
        """ValueError where the target is not in the result as it was, or there is nothing to predict it from."""
        column = columns.get(self.target)
        if column is None:
            raise ValueError(f"utility names the column “{self.target}”, which is not under columns")
        if column.role not in ("sensitive", "other") or column.effective_rule != "keep":
            raise ValueError(f"utility needs “{self.target}” to be kept, with the role sensitive or other")
        if not any(c.role == "quasi" and c.effective_rule not in ("drop", "redact") for c in columns.values()):
            raise ValueError("utility needs a column with role quasi to predict from")
