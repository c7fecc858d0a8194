"""The Checkpoints page: Protect, Open, Verify, Scan. Each is a mode with its own steps; the cards at the top choose.

Exporting a bundle, converting, stripping and changing recipients are modes without a card: one comes to them from
Protect, from Scan and from Open.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from guardapp.desktop.checkpoints.bundle_mode import BundleMode
from guardapp.desktop.checkpoints.convert_mode import ConvertMode
from guardapp.desktop.checkpoints.mode import Mode
from guardapp.desktop.checkpoints.open_mode import OpenMode
from guardapp.desktop.checkpoints.protect import ProtectMode
from guardapp.desktop.checkpoints.recipients_mode import RecipientsMode
from guardapp.desktop.checkpoints.scan_mode import ScanMode
from guardapp.desktop.checkpoints.strip_mode import StripMode
from guardapp.desktop.checkpoints.verify import VerifyMode
from guardapp.desktop.kit import ChoiceCard, Footer, row
from guardapp.desktop.page import Page, Services
from guardapp.desktop.theme import tokens
from guardapp.resource_files import resource

_CARDS = (
    ("protect", "ph.lock-simple", "Protect", "Seal for chosen people"),
    ("open", "ph.lock-simple-open", "Open", "Unseal with your key"),
    ("verify", "ph.shield-check", "Verify", "Who signed it, is it whole"),
    ("scan", "ph.magnifying-glass", "Scan", "Look for hostile code"),
)
_CARD_OF = {"convert": "scan", "strip": "scan", "recipients": "open"}
"""Modes without a card to the card that one came from."""

_SIGNATURES = (".sig",)


class CheckpointsPage(Page):
    """Owns the cards and the modes; everything else is the modes'."""

    name = "checkpoints"
    title_key = "Checkpoints"
    kinds = ("seal", "open", "verify", "bundle", "scan", "convert", "strip", "recipients")

    def __init__(self, services: Services) -> None:
        super().__init__(services)
        session = services.session("guardapp.seal.session")
        self.protect = ProtectMode(services, session)
        self.open = OpenMode(services, session)
        self.verify = VerifyMode(services, session)
        self.bundle = BundleMode(services, session)
        self.scan = ScanMode(services, session)
        self.convert = ConvertMode(services, session)
        self.strip = StripMode(services, session)
        self.recipients = RecipientsMode(services, session)
        self.modes: dict[str, Mode] = {
            "protect": self.protect,
            "open": self.open,
            "verify": self.verify,
            "bundle": self.bundle,
            "scan": self.scan,
            "convert": self.convert,
            "strip": self.strip,
            "recipients": self.recipients,
        }
        self.cards: dict[str, ChoiceCard] = {}
        self.mode = ""
        choice = row(gap=tokens.space(4))
        for name, icon, title, note in _CARDS:
            card = ChoiceCard(icon, title, note)
            card.chosen.connect(partial(self.choose, name))
            self.cards[name] = card
            choice.addWidget(card, 1)
        self.body.addLayout(choice)
        buttons = [button for mode in self.modes.values() for button in mode.buttons]
        self.set_footer(Footer(*buttons))
        for name, mode in self.modes.items():
            self.body.addWidget(mode, 1)
            mode.hide()
            mode.submitted.connect(self.submit)
            mode.moved.connect(partial(self._moved, name))
            for tool in mode.tools:
                self.header.tools.addWidget(tool)
        self.verify.open_wanted.connect(self._open_sealed)
        self.protect.bundle_wanted.connect(self._begin_bundle)
        self.scan.strip_wanted.connect(partial(self._begin, "strip"))
        self.scan.convert_wanted.connect(partial(self._begin, "convert"))
        self.convert.protect_wanted.connect(partial(self._begin, "protect"))
        self.open.change_wanted.connect(partial(self._begin, "recipients"))
        self.choose("protect")

    def choose(self, name: str) -> None:
        """Bring a mode to the front."""
        self.mode = name
        for other, card in self.cards.items():
            card.select(other == _CARD_OF.get(name, name))
        for other, mode in self.modes.items():
            mode.setVisible(other == name)
            for button in [*mode.tools, *mode.buttons]:
                button.setVisible(False)
        self._say()

    def _moved(self, name: str) -> None:
        if name == self.mode:
            self._say()

    def _say(self) -> None:
        if self.footer is not None and self.mode:
            self.modes[self.mode].say(self.header, self.footer)

    def retranslate(self) -> None:
        self._say()

    # -- files and jobs --------------------------------------------------------------------------------------------

    def accepts(self, path: Path) -> bool:
        return path.suffix.lower() in (*_SIGNATURES, ".sealed")

    def open_sample(self) -> None:
        self._take("protect", resource("samples", "digits-classifier.safetensors"))

    def open_file(self, path: Path) -> None:
        """A signature or a folder is verified; a sealed file opened where that was chosen, else verified.

        Where Scan, Convert, Strip or the change of recipients is in front, whatever comes is for it.
        """
        if self.mode in ("scan", "convert", "strip", "recipients"):
            self._take(self.mode, path)
        elif path.suffix in _SIGNATURES:
            self._take("verify", path.parent)
        elif path.is_dir():
            self._take("verify", path)
        elif path.suffix == ".sealed":
            self._take("open" if self.mode == "open" else "verify", path)
        else:
            self._take("verify" if self.mode == "verify" else "protect", path)

    def _take(self, name: str, path: Path) -> None:
        self.choose(name)
        self.modes[name].open_file(path)

    def _open_sealed(self, path: Path) -> None:
        self._take("open", path)

    def _begin(self, name: str, path: Path | None) -> None:
        if path is None:
            self.choose(name)
            self.modes[name].start_over()
        else:
            self._take(name, path)

    def _begin_bundle(self) -> None:
        self.choose("bundle")
        self.bundle.begin()

    def job_event(self, event: Any) -> None:
        row = getattr(event, "row", None)
        if row is not None:
            for mode in self.modes.values():
                if row.kind in mode.kinds:
                    mode.job_changed(row)

    def open_job(self, row: Any) -> None:
        for name, mode in self.modes.items():
            if row.kind in mode.kinds:
                self.choose(name)
                mode.take_job(row)
