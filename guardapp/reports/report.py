"""The report as blocks in reading order, and the one HTML file that they become."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import guardapp
from guardapp.language import Language, translate
from guardapp.reports.plot import Plot, svg
from guardapp.reports.theme import style_sheet
from guardapp.reports.words import Level, bilingual, cell, escaped

PNG = b"\x89PNG\r\n\x1a\n"

_SHAPES = {
    "success": '<path d="M32 4 8 13v17q0 23 24 30 24-7 24-30V13z"/><path class="cut" d="m21 32 8 8 15-16"/>',
    "warning": '<path d="M32 6L4 56h56z"/><path class="cut" d="M32 25v14M32 47v1"/>',
    "danger": '<path d="M21 4h22l17 17v22l-17 17h-22l-17-17v-22z"/><path class="cut" d="M32 17v20M32 46v1"/>',
    "neutral": '<circle cx="32" cy="32" r="28"/><path class="cut" d="M32 30v16M32 18v1"/>',
}
"""Each level has a shape of its own, because a state is never shown by colour alone."""


@dataclass(frozen=True)
class Figure:
    """A tile: a number and the line that judges it ("target at least 5"). Without a judgement a number is no tile."""

    label: str
    value: str
    judgement: str
    level: Level = "neutral"


class Report:
    """Blocks in the order in which they are added; `write` makes the file.

    language: the one that is shown first and that screen readers hear of plots; both are in the file
    """

    def __init__(self, title: str, subtitle: str = "", *, language: Language = "en") -> None:
        self.title, self.subtitle, self.language = title, subtitle, language
        self._blocks: list[str] = []
        self._open_section = False

    def verdict(self, text: str, *, level: Level, detail: str = "") -> None:
        """The one sentence that a hurried reader takes away, with what it rests on."""
        below = f"<p>{bilingual(detail)}</p>" if detail else ""
        words = f"<div><strong>{bilingual(text)}</strong>{below}</div>"
        self._add(f'<div class="verdict {level}" role="note">{_icon(level)}{words}</div>')

    def paragraph(self, text: str) -> None:
        self._add(f"<p>{bilingual(text)}</p>")

    def section(self, title: str) -> None:
        """Start a card; what is added from here on stands in it."""
        self._close_section()
        self._add(f'<section class="card"><h2>{bilingual(title)}</h2><div>')
        self._open_section = True

    def bullets(self, items: Iterable[str]) -> None:
        self._add("<ul>" + "".join(f"<li>{bilingual(item)}</li>" for item in items) + "</ul>")

    def figures(self, figures: Iterable[Figure]) -> None:
        tiles = "".join(
            f'<dl class="tile {figure.level}"><dt>{bilingual(figure.label)}</dt>'
            f'<dd class="value">{bilingual(figure.value)}</dd>'
            f'<dd class="judgement">{_icon(figure.level)}<span>{bilingual(figure.judgement)}</span></dd></dl>'
            for figure in figures
        )
        self._add(f'<div class="tiles">{tiles}</div>')

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        *,
        caption: str = "",
        numeric: Iterable[int] = (),
    ) -> None:
        """columns are language; cells are data and shown as they are, unless they are `Words`.

        numeric: the numbers of the columns (0, 1, …) that are aligned right
        """
        right = set(numeric)

        def row(tag: str, cells: Iterable[str]) -> str:
            aligned = ((' class="n"' if number in right else "", text) for number, text in enumerate(cells))
            return "<tr>" + "".join(f"<{tag}{side}>{text}</{tag}>" for side, text in aligned) + "</tr>"

        head = row("th", (bilingual(column) for column in columns))
        body = "".join(row("td", (cell(value) for value in values)) for values in rows)
        title = f"<caption>{bilingual(caption)}</caption>" if caption else ""
        self._add(f'<div class="scroll"><table>{title}<thead>{head}</thead><tbody>{body}</tbody></table></div>')

    def plot(self, plot: Plot) -> None:
        self._add(svg(plot, self.language))

    def images(self, pictures: Iterable[tuple[str, bytes]]) -> None:
        """(caption, PNG file's bytes) each; ValueError for anything but PNG, which browsers might take for a script."""
        figures = []
        for caption, png in pictures:
            if not png.startswith(PNG):
                raise ValueError("a picture in a report must be a PNG")
            data = base64.b64encode(png).decode("ascii")
            alt = escaped(translate(caption, self.language))
            figures.append(
                f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"/>'
                f"<figcaption><span>{bilingual(caption)}</span></figcaption></figure>"
            )
        self._add(f'<div class="pictures">{"".join(figures)}</div>')

    def details(self, title: str, values: Mapping[str, Any]) -> None:
        """A spec or other settings, quoted as they were given, in a card of their own."""
        self.section(title)
        plain = json.loads(json.dumps(values, default=str))
        quoted = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=100)
        self._add(f"<pre>{escaped(quoted)}</pre>")
        self._close_section()

    def html(self) -> str:
        """The whole document."""
        self._close_section()
        style = style_sheet()
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
        policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
        chosen = {"en": "", "zh": ""} | {self.language: " checked"}
        tag = "zh-Hans" if self.language == "zh" else "en"
        blocks = "\n".join(self._blocks)
        subtitle = f'<p class="subtitle">{bilingual(self.subtitle)}</p>' if self.subtitle else ""
        made_by = bilingual(f"Made by guardapp {guardapp.__version__}. This file needs no network and runs no code.")
        return (
            f'<!DOCTYPE html>\n<html lang="{tag}">\n<head>\n'
            f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n'
            f"<title>{escaped(translate(self.title, self.language))}</title>\n<style>{style}</style>\n</head>\n<body>\n"
            f'<input class="choice" type="radio" name="language" id="en" aria-label="English"{chosen["en"]}>\n'
            f'<input class="choice" type="radio" name="language" id="zh" aria-label="中文"{chosen["zh"]}>\n'
            f"<header><div><h1>{bilingual(self.title)}</h1>{subtitle}</div>"
            '<div class="switch"><label for="en">English</label><label for="zh">中文</label></div></header>\n'
            f"<main>\n{blocks}\n</main>\n<footer>{made_by}</footer>\n</body>\n</html>\n"
        )

    def write(self, path: Path) -> None:
        path.write_text(self.html(), encoding="utf-8", newline="\n")

    def _add(self, block: str) -> None:
        self._blocks.append(block)

    def _close_section(self) -> None:
        if self._open_section:
            self._add("</div></section>")
            self._open_section = False


def _icon(level: Level) -> str:
    return f'<svg class="mark" viewBox="0 0 64 64" aria-hidden="true">{_SHAPES[level]}</svg>'
