"""Why a column has its role, in words, what laws call it, and which key makes its pseudonyms."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent, QTextDocument
from PySide6.QtWidgets import QFrame, QVBoxLayout

from guardapp.desktop.deidentify.law_sheet import long, short
from guardapp.desktop.deidentify.rules import KEYED, Draft, rule_name
from guardapp.desktop.i18n import on_language, speech, tr
from guardapp.desktop.kit import ElidedLabel, Icon, Label, RichLabel, row
from guardapp.desktop.theme import tokens

_ROLES = {
    "direct": "<b>{name}</b> is a direct identifier: {why}.",
    "quasi": "<b>{name}</b> is a quasi-identifier: {why}.",
    "sensitive": "<b>{name}</b> is sensitive: {why}.",
    "other": "<b>{name}</b> is kept: {why}.",
}
_CHANGED = {
    "direct": "You made <b>{name}</b> a direct identifier. Suggested was another role, because {why}.",
    "quasi": "You made <b>{name}</b> a quasi-identifier. Suggested was another role, because {why}.",
    "sensitive": "You made <b>{name}</b> sensitive. Suggested was another role, because {why}.",
    "other": "You decided to keep <b>{name}</b>. Suggested was another role, because {why}.",
}
_RULES = {
    "pseudonym": "A keyed pseudonym keeps rows linkable.",
    "token": "A token can be turned back by whoever holds the key.",
    "fpe": "Equal values, the length and other characters stay; the key turns it back.",
    "date_shift": "All dates of a person move by the same secret number of days.",
    "fake": "Invented values fit what is left in their row, and can be told from real ones.",
    "replace": "Values become what the list says.",
    "round": "Numbers become the nearest multiple.",
    "noise": "Random numbers are added: noise, not a guarantee of differential privacy.",
    "microaggregate": "Numbers become the mean of a group of similar rows.",
    "pram": "Some cells are drawn again from the column.",
    "rank_swap": "Values change places with others of a similar rank.",
    "record_swap": "Pairs of rows exchange their values of this column.",
    "drop": "The column is left out of the new file.",
    "mask": "Covered characters keep the length of the value.",
    "redact": "Every value is covered whole.",
    "redact_text": "Only the identifiers inside the text are covered.",
}


class WhyBox(QFrame):
    """Two or three lines for the column that is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("k", "sunken")
        self._profile: Mapping[str, Any] | None = None
        self._draft: Draft | None = None
        self.key = ElidedLabel("", "small", "muted")
        self.key.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.text = RichLabel("", "small")
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(12, 6, 12, 8)
        whole.setSpacing(2)
        self.law = ElidedLabel("", "small", "muted")
        top = row(Icon("ph.lightbulb"), Label("Why", "strong"), 8, self.key)
        top.setStretch(3, 1)
        whole.addLayout(top)
        whole.addWidget(self.text, 1)
        whole.addWidget(self.law)
        self.setFixedHeight(tokens.height("tile") - 8)
        on_language(self.say)

    def show_column(self, profile: Mapping[str, Any] | None, draft: Draft | None) -> None:
        self._profile, self._draft = profile, draft
        self.say()

    def say(self) -> None:
        """Compose the sentence, in the current language."""
        profile, draft = self._profile, self._draft
        if profile is None or draft is None:
            self.text.put("")
            self.key.put("")
            self.law.put("")
            return
        self.law.put(short(profile.get("categories", ())))
        self.law.setToolTip(long(profile.get("categories", ())))
        column = draft.columns[str(profile["name"])]
        role, rule = str(column["role"]), rule_name(column)
        sentences = _ROLES if role == profile["role"] else _CHANGED
        why = tr(str(profile["why"]))
        whole = self._sentence(sentences[role], why, _RULES.get(rule))
        shown = next(
            (text for text in (whole, self._sentence(sentences[role], why, None)) if self._fits(text)),
            None,
        )
        while shown is None:
            # the tooltip has it all
            why = why[: len(why) * 9 // 10]
            text = self._sentence(sentences[role], f"{why}…", None)
            shown = text if self._fits(text) or len(why) < 20 else None
        self.text.put(shown)
        self.text.setToolTip(whole)
        if rule in KEYED:
            self.key.say("Key: {key} (vault)", key=draft.key)
        else:
            self.key.put("")

    def _sentence(self, sentence: str, why: str, rule: str | None) -> str:
        assert self._profile is not None
        text = tr(sentence, name=html.escape(str(self._profile["name"])), why=html.escape(why))
        between = "" if speech().language == "zh" else " "
        return f"{text}{between}{tr(rule)}" if rule else text

    def _fits(self, text: str) -> bool:
        """Whether a text fits into the three lines that there are."""
        lines = QTextDocument()
        lines.setDefaultFont(self.text.font())
        lines.setDocumentMargin(0)
        lines.setHtml(text)
        lines.setTextWidth(max(120, self.text.width()))
        return lines.size().height() <= self.text.height() + 1

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.say()
