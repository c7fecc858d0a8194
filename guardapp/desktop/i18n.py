"""English and Chinese in the window, switched without restart.

English text is the key. A widget is told its text once, as a key with values, and says it again by itself when the
language changes:

    say(label, "{done} of {total} passed", done=6, total=6)
    say(button, "Lock the vault now", into="setToolTip")
    tr("Close")                                     # a text for now, not remembered

A value that is itself a key is wrapped: `say(label, "Training · {name}", name=Key("untitled"))`; one that reads
differently in each language is a function: `say(label, "about {time}", time=lambda: wording.duration(480))`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import shiboken6
from PySide6.QtCore import QLocale, QObject, Signal

from guardapp.language import Language, catalogue, translate


class Key(str):
    """A value that is translated before it is put into a sentence."""

    __slots__ = ()


class Speech(QObject):
    """The language of the window."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.language: Language = "en"

    def choose(self, language: Language) -> None:
        """Switch live: every remembered text is said again, then listeners (pages, models) are told."""
        self.language = language
        for widget, texts in list(_said.items()):
            if shiboken6.isValid(widget):
                for into, text in list(texts.items()):
                    getattr(widget, into)(tr(text.template, **text.values))
        self.changed.emit()


@cache
def speech() -> Speech:
    return Speech()


def system_language() -> Language:
    """Chinese where the desktop is Chinese, else English."""
    return "zh" if QLocale.system().language() == QLocale.Language.Chinese else "en"


class _Text(NamedTuple):
    template: str
    values: dict[str, Any]


_said: weakref.WeakKeyDictionary[Any, dict[str, _Text]] = weakref.WeakKeyDictionary()


def tr(template: str, /, **values: Any) -> str:
    """`template` in the current language, its `{places}` filled.

    A sentence that comes from a job (a headline, an error) has its values inside already: call `tr(sentence)`.
    """
    language = speech().language
    if not values:
        return translate(template, language)
    text = catalogue(language).get(template, template)
    return text.format(**{name: _value(value, language) for name, value in values.items()})


def _value(value: Any, language: Language) -> Any:
    if callable(value):
        return value()
    return translate(value, language) if isinstance(value, Key) else value


def say(widget: Any, template: str, /, *, into: str = "setText", **values: Any) -> None:
    """Set a text now and again at every change of language. `into` is the setter: `setText`, `setToolTip` …"""
    _said.setdefault(widget, {})[into] = _Text(template, values)
    getattr(widget, into)(tr(template, **values))


def call_it(widget: Any, template: str, /, **values: Any) -> None:
    """The widget's accessible name, what a screen reader says."""
    say(widget, template, into="setAccessibleName", **values)


def plain(widget: Any, text: str, into: str = "setText") -> None:
    """Set a text that has no translation (a file name), and forget what the widget was told before."""
    _said.setdefault(widget, {}).pop(into, None)
    getattr(widget, into)(text)


def on_language(listener: Callable[[], None]) -> None:
    """Call a bound method of a QObject whenever the language has changed; it ends with its object."""
    speech().changed.connect(listener)
