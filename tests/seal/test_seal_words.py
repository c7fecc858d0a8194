"""Every sentence that sealing and checkpoints can say has a Chinese one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardapp.language import translate

PACKAGE = Path(__file__).parents[2] / "guardapp"
MODULES = [
    *(f"seal/{name}.py" for name in (
        "damage", "header", "hybrid", "inspect", "job", "job_report", "keys", "open_job", "payload", "plaintext",
        "reader", "recipients", "rewrap", "sealed", "unwrap",
    )),
    *(f"formats/{name}.py" for name in ("checkpoints", "safetensors", "state_dicts", "whole_file")),
    *(f"cli/{name}.py" for name in ("seal_job", "seal_keys")),
]  # fmt: skip
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SAID = {"what", "why", "next", "headline", "detail"}
SAYING = {
    "ValueError",
    "stage",
    "verdict",
    "section",
    "paragraph",
    "Figure",
    "Words",
    "append",
    "damaged",
    "_unreadable",
}


def text_of(node: ast.expr) -> str | None:
    """A constant, or an f-string with 7 for each of its values; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    return None


def sentences(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            said = [keyword.value for keyword in node.keywords if keyword.arg in SAID]
            said += node.args if name in SAYING else []
            if name == "bullets" and isinstance(node.args[0], ast.List):
                said += node.args[0].elts
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in {"why", "where", "done"}:
            said = node.value.elts if isinstance(node.value, ast.List) else [node.value]
        else:
            continue
        for value in said:
            text = text_of(value)
            if text and re.search(r"[a-z]{2} [a-z]", text) and "asked for" not in text:
                yield text


@pytest.mark.parametrize("module", MODULES)
def test_every_sentence_is_translated(module):
    missing = [text for text in sentences(PACKAGE / module) if not CHINESE.search(translate(text, "zh"))]
    assert not missing


def test_a_message_with_values_is_translated_to_its_end():
    said = (
        "segment 2 of 4 (bytes 1,048,783 to 2,097,358 of the file) was changed or is not in its place; "
        "it held the tensors bias, head"
    )
    segment = "第 2 个分段（共 4 个，文件的第 1,048,783 至 2,097,358 字节）"
    assert translate(said, "zh") == segment + "被改动，或不在原来的位置；其中有张量 bias, head"
    said = "it is sealed for any of 2 age keys (X25519) as well as a passphrase"
    said += ", and none of the 3 keys that were tried fits"
    kinds = "2 把 age 密钥（X25519）中的任意一把以及一个口令"
    assert translate(said, "zh") == f"它是为{kinds}密封的，而试过的 3 把密钥都不合适"
