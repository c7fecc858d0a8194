"""Settings: language, theme, device, folders. Every change applies at once; there is nothing to save."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from guardapp import __version__
from guardapp.desktop import keyboard
from guardapp.desktop.i18n import speech, system_language
from guardapp.desktop.kit.buttons import Button
from guardapp.desktop.kit.fields import Choice, Combo, Field
from guardapp.desktop.kit.labels import ElidedLabel, Label
from guardapp.desktop.kit.surfaces import Card, hline, row
from guardapp.desktop.page import Page, Services
from guardapp.desktop.theme.state import Choice as ThemeChoice
from guardapp.desktop.theme.state import theme
from guardapp.language import Language

_LANGUAGES = (
    Choice("", "As the system", "ph.desktop"),
    Choice("en", "English", "ph.translate"),
    Choice("zh", "简体中文", "ph.translate"),
)
_THEMES = (
    Choice("system", "As the system", "ph.desktop"),
    Choice("light", "Light", "ph.sun"),
    Choice("dark", "Dark", "ph.moon"),
)
_DEVICES = (
    Choice("auto", "Automatic: CUDA, then MPS, then CPU", "ph.cpu"),
    Choice("cpu", "CPU", "ph.cpu"),
    Choice("cuda", "CUDA (NVIDIA)", "ph.cpu"),
    Choice("mps", "MPS (Apple)", "ph.cpu"),
)


class SettingsPage(Page):
    """What the user prefers."""

    name = "settings"
    title_key = "Settings"

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        self.header.subtitle.say("Every change applies at once")
        settings = services.settings
        self.language = Combo("Language", _LANGUAGES)
        self.language.set_value(settings.get("language"))
        self.language.picked.connect(self._choose_language)
        self.theme = Combo("Theme", _THEMES)
        self.theme.set_value(settings.get("theme"))
        self.theme.picked.connect(self._choose_theme)
        self.device = Combo("Device", _DEVICES)
        self.device.set_value(settings.get("device"))
        self.device.picked.connect(lambda value: settings.put("device", value))
        look = Card("Appearance")
        look.body.addWidget(Field("Language", self.language))
        look.body.addWidget(Field("Theme", self.theme))
        look.body.addStretch(1)
        work = Card("Work")
        help = "Where training and checks run. Each job can choose for itself."
        work.body.addWidget(Field("Device", self.device, help))
        work.body.addStretch(1)
        grid = QGridLayout()
        grid.setSpacing(16)
        grid.addWidget(look, 0, 0)
        grid.addWidget(work, 0, 1)
        grid.addWidget(self._folders(), 1, 0)
        grid.addWidget(self._keyboard(), 1, 1)
        grid.addWidget(self._about(), 2, 0, 1, 2)
        for column in range(2):
            grid.setColumnStretch(column, 1)
        self.body.addLayout(grid)
        self.body.addStretch(1)

    def _folders(self) -> Card:
        card = Card("Folders")
        self._results = self._folder_line(card, "Results", self._choose_results)
        self._results_reset = Button("Use the data folder", "link", compact=True)
        self._results_reset.clicked.connect(lambda: self._take_results(None))
        card.body.addWidget(self._results_reset)
        card.body.addWidget(hline())
        home = self.services.jobs.home
        data = self._folder_line(card, "Data: vault, queue, settings", None)
        data.put(str(home))
        note = "Set the environment variable GUARDAPP_HOME before the start to move it."
        card.body.addWidget(Label(note, "small", "muted", wrap=True))
        card.body.addStretch(1)
        self._show_results()
        return card

    def _folder_line(self, card: Card, title: str, choose: object) -> ElidedLabel:
        shown = ElidedLabel("", "small", "text", mode=Qt.TextElideMode.ElideMiddle)
        card.body.addWidget(Label(title, "body", "muted"))
        parts: list[QWidget] = [shown]
        if callable(choose):
            button = Button("Change…", compact=True)
            button.clicked.connect(choose)
            parts.append(button)
        line = row(*parts)
        line.setStretch(0, 1)
        card.body.addLayout(line)
        return shown

    def _keyboard(self) -> Card:
        card = Card("Keyboard")
        for line in keyboard.lines():
            card.body.addLayout(line)
        card.body.addStretch(1)
        return card

    @staticmethod
    def _about() -> Card:
        card = Card("About")
        version = Label("", "body")
        version.say(
            "guardapp {version}. Everything runs on this computer; nothing is sent anywhere.", version=__version__
        )
        version.setWordWrap(True)
        card.body.addWidget(version)
        fonts = "Licence: Apache-2.0. Inter and JetBrains Mono: SIL Open Font License. Icons: Phosphor, MIT."
        card.body.addWidget(Label(fonts, "small", "muted", wrap=True))
        return card

    # -- changes ---------------------------------------------------------------------------------------------------

    def _choose_language(self, value: str) -> None:
        self.services.settings.put("language", value)
        speech().choose(cast(Language, value) if value else system_language())

    def _choose_theme(self, value: str) -> None:
        self.services.settings.put("theme", value)
        theme().choose(cast(ThemeChoice, value))

    def _choose_results(self) -> None:
        self.services.choose_file(self._take_results, "Choose a folder for results", folder=True)

    def _take_results(self, path: Path | None) -> None:
        self.services.settings.put("results", str(path) if path is not None else "")
        self._show_results()

    def _show_results(self) -> None:
        self._results.put(str(self.services.jobs.results_folder))
        self._results_reset.setVisible(bool(self.services.settings.get("results")))
