"""Every sentence of a check is there in Chinese."""

from __future__ import annotations

import ast
import inspect
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from guardapp.language import translate
from guardapp.robust import flags, model_flags
from guardapp.robust.cascade import passes
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.findings import Findings
from guardapp.robust.flags import Measured, judge
from guardapp.robust.report import write_report
from guardapp.robust.selfchecks import SelfChecks, check_itself
from guardapp.robust.stress import Damage
from guardapp.robust.victim import Victim


def sentences_of_the_rules() -> list[str]:
    """The title, why and next of every flag that the rules can raise, with a share for each value."""
    found = []
    sources = inspect.getsource(flags) + inspect.getsource(model_flags)
    for node in ast.walk(ast.parse(sources)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Flag":
            found += [text for text in map(_text, node.args[2:]) if text]
    return found


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "7 %" for part in node.values)
    return ""


@pytest.mark.parametrize("text", sentences_of_the_rules())
def test_a_flag_is_translated(text: str) -> None:
    assert translate(text, "zh") != text


class English(HTMLParser):
    """Texts that stand outside a pair of languages."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.alone: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "input", "img", "line", "circle", "rect", "path", "polyline", "polygon"):
            languages = dict(attrs).get("lang")
            self.open.append(f"{tag}:{languages}" if languages and tag != "html" else tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1].split(":")[0] == tag:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        paired = any(":" in tag for tag in self.open)
        quoted = {"pre", "style", "title", "desc", "label"} & set(self.open)
        if data.strip() and not paired and not quoted:
            self.alone.append(data.strip())


def test_no_sentence_of_the_report_is_english_alone(
    network: nn.Module, pictures: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    evaluator = Evaluator(Victim(network, 3), *pictures, "linf")
    curve = [evaluator.attack(0.08, passes("quick", 3))]
    checks: SelfChecks = check_itself(evaluator, [0.08])
    findings = Findings(
        norm="linf",
        unit="images",
        clean=evaluator.clean,
        curve=curve,
        damage=[Damage("noise", 0.1, evaluator.clean), Damage("missing", 0.5, evaluator.clean)],
        flags=judge(Measured(evaluator.clean, 3, curve, checks)),
        worst=[],
        cpu_seconds=1.0,
        facts={"model": "model", "budget": "quick"},
    )
    write_report(findings, {}, tmp_path)
    alone = English((tmp_path / "report.html").read_text(encoding="utf-8")).alone
    assert [text for text in alone if any(letter.isascii() and letter.isalpha() for letter in text)] == []
    assert translate(findings.headline, "zh") != findings.headline
