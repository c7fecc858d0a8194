"""Everything that a person can read is there in Chinese, and one thing has one name in every catalogue.

English text is the key, so a sentence that was changed in the code and not in the catalogue would silently
stay English. The code itself is read for what it says: errors, stages, headlines, report blocks, and the window.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardapp.language import catalogue, translate
from guardapp.resource_files import resource

PACKAGE = Path(__file__).parents[1] / "guardapp"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "gallery.py")
"""All but the one that shows parts to engineers."""

VALUE = "Xy7"
"""Stands for a value in a sentence."""

EVERYWHERE = {
    "GuardError": ("what", "why", "next"),
    "AttackResult": ("measure", "sentence"),
    "not_run": ("", "measure", "sentence"),
    "Figure": ("label", "note"),
    "Words": ("text",),
    "stage": ("name",),
    "section": ("title",),
    "verdict": ("text", "level", "detail"),
    "paragraph": ("text",),
    "Flag": ("", "", "title", "why", "next"),
    "Check": ("title", "", "sentence"),
    "Agreement": ("title", "", "sentence"),
    "Report": ("title", "subtitle"),
    "ValueError": ("message",),
    "bullets": ("items",),
    "table": ("columns",),
    "damaged": ("what", "why"),
    "_unreadable": ("what", "why"),
    "_bad": ("", "what", "why"),
}
"""A call to its parameters in order; those that hold no text of ours are left empty."""

IN_THE_WINDOW = {
    "tr": ("template",),
    "say": ("", "template"),
    "call_it": ("", "template"),
    "tell": ("text",),
    "confirm": ("", "title", "text", "button"),
    "Sheet": ("", "", "title", "text"),
    "Banner": ("", "title", "text"),
    "Card": ("title", "note"),
    "Label": ("text",),
    "ElidedLabel": ("text",),
    "RichLabel": ("text",),
    "Button": ("text",),
    "add_button": ("text",),
    "IconButton": ("", "text"),
    "EmptyState": ("", "title", "text", "button"),
    "Column": ("title",),
    "FigureLine": ("label",),
    "Choice": ("", "text", "note"),
    "why_disabled": ("reason",),
    "StateLook": ("", "text"),
    "KindLook": ("title", "short"),
    "PageEntry": ("", "title"),
    "ChoiceCard": ("", "title", "note"),
    "DropZone": ("title", "text"),
    "DockTab": ("text",),
    "ProgressBar": ("name",),
    "TableView": ("name",),
    "Combo": ("name",),
    "Segmented": ("texts", "name"),
}

NAMES = {"guardapp", "CSV · Parquet", "CPU", "CUDA (NVIDIA)", "MPS (Apple)", "success", "warning", "danger"}
"""Proper names, the same in both languages, and the levels of a verdict, which are shown as colours."""

PUT_TOGETHER = {
    f"{VALUE} neither UTF-8, UTF-16 nor GB18030 text",
    f"{VALUE} makes this model wrong on {VALUE} of 100 {VALUE}",
}
"""Sentences whose parts are chosen while they are made; the catalogue holds what they become."""

FOR_PROGRAMMERS = {
    "a pseudonym key has 32 bytes",
    "a token key is derived from 32 bytes",
    "an encryption key is derived from 32 bytes",
    "FF1 needs a domain of a million and numerals of one byte",
    "fewer rows than a group needs",
    "an X25519 key has 32 bytes",
    "not a line of a journal",
    f"facts of more than {VALUE} bytes",
    f"the sequences of curve {VALUE} differ in length",
    "a picture in a report must be a PNG",
    f"{VALUE} of {VALUE} is no share",
    f"bytes {VALUE} to {VALUE} of {VALUE} were asked for",
    "steps ≥ 1, finite ε ≥ 0 and 0 ≤ δ < 1 are needed",
}
"""Preconditions of functions: no input of a person can break them."""

GLOSSARY = {
    r"de-identif": "去标识",
    r"private training": "隐私训练",
    r"robustness": "鲁棒性",
    r"checkpoint": "检查点",
    r"vault": "保险库",
    r"queue": "队列|排队",
    r"jobs?": "任务",
    r"batch file": "批处理文件",
    r"direct identifier": "直接标识符",
    r"quasi-identifier": "准标识符",
    r"pseudonym": "假名",
    r"suppress": "抑制",
    r"seal(ed|ing)?": "密封",
    r"recipients?": "接收者",
    r"passphrase": "口令",
    r"fingerprint": "指纹",
    r"signature": "签名",
    r"audit log": "审计日志",
}
"""An English term, at the start of a word, to the one Chinese term for it."""

FORBIDDEN = ("稳健", "封存", "作业", "密钥库", "脱敏", "化名", "概化", "私有训练")
"""Other words for what the glossary names."""

QUOTED = re.compile(r"`[^`]*`|“[^”]*”|\{\w+\}|\S*[\w]*[-_/.]\w\S*")
"""Commands, options, file names and values: what is written the same in both languages."""

WORD = re.compile(r"[A-Za-z]{3}")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LEFT_OVER = re.compile(r"\b[a-z]{2,} [a-z]{2,} [a-z]{2,}\b")


def texts(node: ast.expr | None) -> Iterator[str]:
    """Every text that an expression can be, with `VALUE` for what is put into an f-string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            yield from texts(element)


def said_by_calls(tree: ast.AST, calls: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        places = calls.get(getattr(call.func, "id", getattr(call.func, "attr", "")), ())
        for place, argument in zip(places, call.args, strict=False):
            if place:
                yield from texts(argument)
        for keyword in call.keywords:
            if keyword.arg in places:
                yield from texts(keyword.value)


def headlines(tree: ast.AST) -> Iterator[str]:
    """What `headline` is given or returns."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "headline":
            yield from texts(node.value)
        elif isinstance(node, ast.FunctionDef) and node.name in ("headline", "_headline"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    yield from texts(inner.value)


def spoken(path: Path) -> set[str]:
    """Every text of a module that is put before a person."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {*said_by_calls(tree, EVERYWHERE), *headlines(tree)}
    if path.is_relative_to(PACKAGE / "desktop"):
        found |= set(said_by_calls(tree, IN_THE_WINDOW))
    return {
        text
        for text in found
        if WORD.search(re.sub(r"\{\w+\}", "", text.replace(VALUE, "")))
        and text not in NAMES | PUT_TOGETHER | FOR_PROGRAMMERS
        and not text.startswith("ph.")
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_text_has_its_chinese(path: Path) -> None:
    missing = []
    for text in sorted(spoken(path)):
        chinese = translate(text, "zh")
        if (chinese == text or LEFT_OVER.search(chinese)) and text not in catalogue("zh"):
            missing.append(text)
    assert missing == []


def test_one_text_has_one_translation() -> None:
    seen: dict[str, set[str]] = {}
    for path in sorted(resource("translations", "zh").glob("*.json")):
        for english, chinese in json.loads(path.read_text(encoding="utf-8")).items():
            seen.setdefault(english, set()).add(chinese)
    assert {english: chinese for english, chinese in seen.items() if len(chinese) > 1} == {}


@pytest.mark.parametrize("term", GLOSSARY)
def test_a_term_has_one_name(term: str) -> None:
    at_word = re.compile(rf"\b{term}\b" if term.endswith("?") else rf"\b{term}", re.IGNORECASE)
    named = {
        english: chinese for english, chinese in catalogue("zh").items() if at_word.search(QUOTED.sub(" ", english))
    }
    assert {e: c for e, c in named.items() if not re.search(GLOSSARY[term], c)} == {}


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_second_word_for_a_term(word: str) -> None:
    assert [chinese for chinese in catalogue("zh").values() if word in chinese] == []
