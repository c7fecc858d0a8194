"""The pages of the rail, in order. A page is imported and built when it is first shown."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from guardapp.desktop.page import Page


class PageEntry(NamedTuple):
    """name: also in the tokens' `nav`; title: English key; home: `module:Class`; at the foot of the rail or not."""

    name: str
    title: str
    home: str
    foot: bool = False

    @property
    def exists(self) -> bool:
        """Whether this build has the page."""
        module = self.home.split(":")[0]
        try:
            return importlib.util.find_spec(module) is not None
        except ModuleNotFoundError:
            return False

    def load(self) -> type[Page]:
        module, name = self.home.split(":")
        found: type[Page] = getattr(importlib.import_module(module), name)
        return found


PAGES = (
    PageEntry("home", "Home", "guardapp.desktop.home:HomePage"),
    PageEntry("deidentify", "De-identify", "guardapp.desktop.deidentify.page:DeidentifyPage"),
    PageEntry("checkpoints", "Checkpoints", "guardapp.desktop.checkpoints.page:CheckpointsPage"),
    PageEntry("training", "Private training", "guardapp.desktop.training.page:TrainingPage"),
    PageEntry("robustness", "Robustness", "guardapp.desktop.robustness.page:RobustnessPage"),
    PageEntry("vault", "Vault", "guardapp.desktop.vault_page:VaultPage"),
    PageEntry("settings", "Settings", "guardapp.desktop.settings_page:SettingsPage", foot=True),
)
