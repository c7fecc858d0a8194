"""Every sentence that the vault, signing and bundle code can show has a Chinese translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardapp.language import translate

ROOT = Path(__file__).parents[2] / "guardapp"
SEAL_FILES = [
    "signing",
    "manifest",
    "bundle_job",
    "bundle_report",
    "job_records",
    "chain_links",
    "passport",
    "passport_check",
    "verify_job",
    "verify_report",
    "inside",
]
FILES = [
    *sorted((ROOT / "vault").glob("*.py")),
    *(ROOT / "seal" / f"{name}.py" for name in SEAL_FILES),
    *(ROOT / "cli" / f"{name}.py" for name in ("keys", "budget", "vault_access")),
    ROOT / "formats" / "age_keys.py",
]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def shown(node: ast.AST) -> Iterator[ast.expr]:
    """The arguments of calls that put text before a person: errors, stages, report blocks."""
    for call in ast.walk(node):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        if name in ("GuardError", "Check", "Agreement", "Words", "damaged", "_unreadable", "lost_device_key"):
            yield from call.args
            yield from (word.value for word in call.keywords if word.arg not in ("code", "answer"))
        elif name in ("stage", "section", "verdict", "paragraph"):
            yield from call.args[:1]
            yield from (word.value for word in call.keywords if word.arg == "detail")
        elif name in ("bullets", "table") and call.args and isinstance(call.args[0], ast.List):
            yield from call.args[0].elts


def example(text: ast.expr) -> str | None:
    """The text with a made-up value in each place; None for what is no literal text."""
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        return text.value
    if isinstance(text, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "Xy7" for part in text.values)
    return None


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_sentence_is_translated(path: Path) -> None:
    missing = []
    for expression in shown(ast.parse(path.read_text(encoding="utf-8"))):
        text = example(expression)
        if text and re.search("[a-z]{3}", text.replace("Xy7", "")) and not CHINESE.search(translate(text, "zh")):
            missing.append(text)
    assert missing == [], "\n".join(missing)
