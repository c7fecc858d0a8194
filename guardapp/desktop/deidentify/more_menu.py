"""What is needed less often: another target, further guarantees, rules from a file, another table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu, QWidget

from guardapp.desktop.i18n import call_it, tr

TARGETS = (2, 3, 5, 7, 10, 15, 20, 30, 50, 100)


def more_menu(
    parent: QWidget,
    target: int | None,
    set_target: Callable[[int | None], None] | None,
    entries: Mapping[str, Callable[[], object]],
) -> QMenu:
    """A menu that ends with its closing.

    target: the smallest group aimed at now, None where no size is asked for
    set_target: takes another one; None where there is nothing to group
    entries: what else there is, by its English key
    """
    menu = QMenu(parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    call_it(menu, "More")
    if set_target is not None:
        targets = menu.addMenu(tr("Smallest group to aim at"))
        for k in (*TARGETS, None):
            action = targets.addAction(tr("None: other guarantees decide") if k is None else f"k = {k}")
            action.setCheckable(True)
            action.setChecked(k == target)
            action.triggered.connect(partial(_take, set_target, k))
    for text, act in entries.items():
        menu.addAction(tr(text)).triggered.connect(partial(_do, act))
    return menu


def _do(act: Callable[[], object], checked: bool = False) -> None:
    act()


def _take(set_target: Callable[[int | None], None], k: int | None, checked: bool = False) -> None:
    # Qt adds whether the entry is ticked
    set_target(k)
