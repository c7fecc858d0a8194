"""What laws call the columns, and what stands between the rules and HIPAA's Safe Harbor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.kit import CheckLine, Label
from guardapp.desktop.kit.scrolling import scrolling
from guardapp.desktop.sheet import Sheet
from guardapp.desktop.theme import tokens

_HEIGHT = 380


def short(categories: Iterable[Mapping[str, Any]]) -> str:
    """For one line: HIPAA (F) · GDPR Art. 4(1) · PIPL GB/T 35273 A"""
    places: dict[str, list[str]] = {}
    for category in categories:
        found = places.setdefault(str(category["law"]), [])
        if category["place"] not in found:
            found.append(str(category["place"]))
    return " · ".join(f"{law} {', '.join(found)}" for law, found in places.items())


def long(categories: Iterable[Mapping[str, Any]]) -> str:
    """With what each category is called, in the present language; a category a line."""
    return "\n".join(
        f"{c['law']} {c['place']}: {tr(str(c['title']))}" + (f" ({tr('sensitive')})" if c["sensitive"] else "")
        for c in categories
    )


def show_laws(parent: QWidget, profiles: Sequence[Mapping[str, Any]], hindrances: Sequence[Mapping[str, str]]) -> Sheet:
    """profiles: all columns; hindrances: column and why, as `guardapp.deid.safe_harbor` has them."""
    text = "By the kinds that were found: a view to start from, no legal advice."
    sheet = Sheet(parent, "ph.scales", "Columns in the eyes of the law", text)
    listed = QWidget()
    lines = QVBoxLayout(listed)
    lines.setContentsMargins(0, 0, tokens.space(3), 0)
    lines.setSpacing(tokens.space(3))
    lines.addWidget(Label("HIPAA Safe Harbor", "strong"))
    if hindrances:
        lines.addWidget(Label("Under these rules it cannot be claimed:", "body", "muted", wrap=True))
    for entry in hindrances:
        # in quotation marks, so that the name of a column is not translated
        lines.addWidget(CheckLine("amberFlag", "“{column}”", tr(entry["why"]), column=entry["column"]))
    if not hindrances:
        lines.addWidget(Label(_NONE, "body", "muted", wrap=True))
    lines.addWidget(Label("HIPAA, GDPR and PIPL", "strong"))
    named = [profile for profile in profiles if profile.get("categories")]
    for profile in named:
        lines.addWidget(Label("“{column}”", "body", column=str(profile["name"])))
        lines.addWidget(Label("{lines}", "small", "muted", wrap=True, lines=long(profile["categories"])))
    if not named:
        lines.addWidget(Label("Nothing was found that has a name in them.", "body", "muted", wrap=True))
    lines.addStretch(1)
    area = scrolling(listed)
    area.setFixedHeight(_HEIGHT)
    area.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    sheet.add_field(area)
    sheet.add_button("Close", default=True)
    sheet.open()
    return sheet


_NONE = "Nothing that was found stands against it. What was not found, and what the publisher knows, still may."
