"""Whatever de-identification says, it says in Chinese too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardapp.deid.profile import profile
from guardapp.language import catalogue, translate

ROOT = Path(__file__).parents[2] / "guardapp"
FILES = [
    *sorted((ROOT / "deid").rglob("*.py")),
    *(ROOT / "formats" / name for name in ("table_errors.py", "csv_dialect.py")),
    ROOT / "cli" / "deid.py",
]
CALLS = {"GuardError": (0, 1, 2), "_bad": (1, 2), "stage": (0,), "verdict": (0,), "section": (0,), "paragraph": (0,),
         "Figure": (0, 2), "Report": (0, 1), "Words": (0,), "ValueError": (0,)}  # fmt: skip


def texts(node: ast.expr | None) -> Iterator[str]:
    """Every text that an expression can be; each placeholder of an f-string filled with a number."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def spoken() -> list[tuple[str, str]]:
    found = []
    for path in FILES:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "id", getattr(call.func, "attr", ""))
            for place in CALLS.get(name, ()):
                if place < len(call.args):
                    found += [(path.stem, text) for text in texts(call.args[place])]
    return found


# the parts of these sentences are put together while they are raised; what they become is in the catalogue
PUT_TOGETHER = {
    "{where}", "7 neither UTF-8, UTF-16 nor GB18030 text", "a pseudonym key has 32 bytes",
}  # fmt: skip


@pytest.mark.parametrize(("where", "text"), [pair for pair in spoken() if pair[1] not in PUT_TOGETHER])
def test_every_sentence_has_its_chinese(where: str, text: str) -> None:
    assert translate(text, "zh") != text or text in catalogue("zh")


def test_reasons_of_a_profile_are_chinese_to_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "nhs_number,full_name,age,remark,when,code\n"
        + "".join(
            f"943 476 5919,Anna Smith,{i},mail a{i}@example.org now,2024-01-{i:02d},x{i}\n" for i in range(10, 29)
        )
    )
    for column in profile(path).columns:
        for text in (column.why, column.evidence, column.kind_title):
            translated = translate(text, "zh")
            assert translated != text
            for word in ("values", "header", "singles", "pass", "of rows", "texts"):
                assert word not in translated
