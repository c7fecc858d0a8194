"""What is needed less often: another target, rules from a file, another table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from guardapp.desktop.i18n import call_it, tr

TARGETS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)


def more_menu(
    parent: QWidget,
    target: int | None,
    set_target: Callable[[int], None],
    load_rules: Callable[[], None],
    choose_table: Callable[[], None],
) -> QMenu:
    """A menu that ends with its closing. target: the smallest group aimed at now, None where no group is asked for."""
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    call_it(menu, "More")
    if target is not None:
        targets = menu.addMenu(tr("Smallest group to aim at"))
        for k in TARGETS:
            action = targets.addAction(f"k = {k}")
            action.setCheckable(True)
            action.setChecked(k == target)
            action.triggered.connect(partial(_take, set_target, k))
    menu.addAction(tr("Load rules…")).triggered.connect(lambda: load_rules())
    menu.addAction(tr("Choose a table…")).triggered.connect(lambda: choose_table())
    return menu


def _take(set_target: Callable[[int], None], k: int, checked: bool = False) -> None:
    # Qt adds whether the entry is ticked
    set_target(k)
