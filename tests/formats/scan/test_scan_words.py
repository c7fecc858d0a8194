"""Every finding can be said in Chinese: the modules of the scanner are read for what they report."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import guardapp.formats.scan as package
from guardapp.language import translate
from guardapp.seal.strip_words import KIND_WORDS

MODULES = sorted(Path(str(package.__file__)).parent.glob("*.py"))
VALUE = "os.system"
"""Stands for what is put into a sentence."""


def sentences(tree: ast.AST) -> Iterator[str]:
    """Texts that begin with a capital letter or with a value and are no documentation."""
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)} - {
        id(node) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
    }
    for node in ast.walk(tree):
        if id(node) in documents or id(node) in inner:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
        else:
            continue
        if " " in text.strip() and (text[:1].isupper() or text.startswith(VALUE)) and "\\" not in text:
            yield text


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_finding_has_its_chinese(path: Path) -> None:
    found = set(sentences(ast.parse(path.read_text(encoding="utf-8"))))
    left = {text for text in found if translate(text, "zh") == text}
    assert left - {f"{VALUE} {VALUE}", f"{VALUE} › {VALUE}"} == set()


def test_every_kind_of_thing_that_is_taken_out_has_its_chinese() -> None:
    assert [words for words in KIND_WORDS.values() if translate(words, "zh") == words] == []
