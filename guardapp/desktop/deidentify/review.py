"""Before a job is queued: what will happen to every column, what is guaranteed, and where the result goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.deidentify.guarantee_kinds import promised
from guardapp.desktop.deidentify.release_options import ReleaseOptions
from guardapp.desktop.deidentify.rules import Draft
from guardapp.desktop.i18n import on_language, speech, tr
from guardapp.desktop.kit import Card, CheckLine, Field, FigureLine, Label, TextField, clear
from guardapp.desktop.kit.labels import Icon
from guardapp.desktop.theme import tokens

_HEADINGS = {
    "suppress": "Removed or covered",
    "pseudonym": "Replaced under a key",
    "generalise": "Made coarser or changed",
    "keep": "Kept as they are",
}


class Review(QWidget):
    """folder_of(name): where the results of a job of that name would go; choose(then): asks for a table."""

    def __init__(self, folder_of: Callable[[str], Path], choose: Callable[[Callable[[Path], None]], None]) -> None:
        super().__init__()
        self._folder_of = folder_of
        self._groups = QVBoxLayout()
        self._groups.setSpacing(tokens.space(4))
        what = Card("What will happen")
        what.body.addLayout(self._groups)
        what.body.addStretch(1)
        self._promises = QVBoxLayout()
        self._promises.setSpacing(tokens.space(2))
        promised = Card("What is guaranteed")
        promised.body.addLayout(self._promises)
        self.name = TextField("Name of the job")
        self.name.setMaxLength(100)
        self.name.textChanged.connect(self._say_folder)
        self.folder = Label("", "small", "muted", wrap=True)
        where = Card("Where the result goes")
        where.body.addWidget(Field("Name", self.name))
        where.body.addWidget(self.folder)
        where.body.addWidget(Label(_AFTER, "small", "muted", wrap=True))
        self.options = ReleaseOptions(choose)
        where.body.addWidget(self.options)
        self._expected = QVBoxLayout()
        expected = Card("Measured in the preview")
        expected.body.addLayout(self._expected)
        side = QVBoxLayout()
        side.setSpacing(tokens.space(4))
        for card in (promised, where, expected):
            side.addWidget(card)
        side.addStretch(1)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(4))
        line.addWidget(what, 3)
        line.addLayout(side, 2)
        self._shown: tuple[Draft, Mapping[str, Any], str] | None = None
        on_language(self._resay)

    def _resay(self) -> None:
        if self._shown is not None:
            draft, figures, _ = self._shown
            self.show_draft(draft, figures, self.name.text())

    def show_draft(self, draft: Draft, figures: Mapping[str, Any], name: str) -> None:
        """Say it all for these rules."""
        self._shown = draft, figures, name
        clear(self._groups)
        for look, heading in _HEADINGS.items():
            names = [column for column in draft.columns if draft.treatment(column).look == look]
            if names:
                self._groups.addWidget(_Group(look, heading, names, draft))
        clear(self._promises)
        for text, evidence, values in _promises(draft):
            self._promises.addWidget(CheckLine("done", text, evidence, **values))
        if not draft.quasi:
            self._promises.addWidget(CheckLine("amberFlag", "No group size is guaranteed", _NO_QUASI))
        clear(self._expected)
        for title, value in _figures(figures):
            line = FigureLine(title)
            line.put(value)
            self._expected.addWidget(line)
        self.name.setText(name)
        self._say_folder()

    def _say_folder(self) -> None:
        self.folder.say("New folder: {folder}", folder=str(self._folder_of(self.name.text().strip() or "deid")))


_AFTER = (
    "The original stays as it is. When the file is written it is read back and everything guaranteed is counted again; "
    "if anything does not hold, nothing is released."
)
_NO_QUASI = "No column has the role quasi-identifier, so there are no groups to hide in."


class _Group(QWidget):
    """One kind of treatment and the columns that get it."""

    def __init__(self, look: str, heading: str, names: list[str], draft: Draft) -> None:
        super().__init__()
        found = tokens.treatment(look)
        lines = QVBoxLayout()
        lines.setSpacing(2)
        lines.addWidget(Label(heading, "strong", found.color))
        shown = []
        for name in names[:40]:
            words = draft.treatment(name).words
            rule = tr(words.key, **words.values)
            beside = f"（{rule}）" if speech().language == "zh" else f" ({rule})"
            shown.append(name if words.key in ("Keep", "Pseudonym") else f"{name}{beside}")
        text = Label("", "body", "text", wrap=True)
        text.put(("、" if speech().language == "zh" else ", ").join(shown) + (" …" if len(names) > 40 else ""))
        lines.addWidget(text)
        if look == "pseudonym":
            note = "Made with the vault key “{key}”; rows stay linkable for whoever holds it."
            lines.addWidget(Label(note, "small", "muted", wrap=True, key=draft.key))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(tokens.space(3))
        icon = QVBoxLayout()
        icon.addWidget(Icon(found.icon, found.color, tokens.icon_size("title")))
        icon.addStretch(1)
        line.addLayout(icon)
        line.addLayout(lines, 1)


def _promises(draft: Draft) -> list[tuple[str, str, dict[str, Any]]]:
    found: list[tuple[str, str, dict[str, Any]]] = []
    if draft.k is not None:
        shown = ", ".join(draft.quasi[:12]) + (" …" if len(draft.quasi) > 12 else "")
        text, evidence = "Every row looks like at least {n} others", "In the quasi-identifiers {columns}."
        found.append((text, evidence, {"n": draft.k - 1, "columns": shown}))
    for model in draft.guarantees if draft.quasi else ():
        words, why = promised(model)
        found.append((words.key, why, words.values))
    return found


def _figures(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    if found.get("k") is None:
        return [("Rows", wording.number(int(found["rows"])))]
    return [
        ("Rows", wording.number(int(found["rows"]))),
        ("k, smallest group", wording.number(int(found["k"]))),
        ("Records at risk", wording.percent(found["at_risk"]["after"], 1)),
        ("Suppressed cells", wording.percent(found["suppressed"], 1)),
        ("Utility kept", wording.percent(found["utility"])),
    ]
