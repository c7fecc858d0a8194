"""The one style sheet of the application, generated from the tokens.

Rules select by class and property (`QPushButton[v="primary"]`, `QFrame[k="card"]`), never `*`. Fonts are set on
widgets, not here, because a font rule of a style sheet would drop the tabular figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

from guardapp.desktop.theme import tokens

_TEXT_ROLES = (
    "text", "muted", "subtle", "disabled", "accentText", "onAccent", "success", "warning", "danger",
    "pseudonym", "generalise", "suppress",
)  # fmt: skip

_RULES = Template("""
QMainWindow, QDialog, QWidget[k="page"], QStackedWidget[k="pages"] { background: $window; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: 4px 8px; }

QFrame[k="card"] { background: $surface; border: 1px solid $border; border-radius: ${r_card}px; }
QFrame[k="card"][selected="true"] { background: $selected; border: 2px solid $accent; }
QFrame[k="sunken"] { background: $sunken; border: none; border-radius: ${r_control}px; }
QFrame[k="hline"] { background: $divider; border: none; min-height: 1px; max-height: 1px; }
QFrame[k="vline"] { background: $divider; border: none; min-width: 1px; max-width: 1px; }
QFrame[k="rail"] { background: $rail; border: none; border-right: 1px solid $border; }
QFrame[k="footer"], QFrame[k="dock"] { background: $surface; border: none; border-top: 1px solid $border; }
QFrame[k="status"] { background: $rail; border: none; border-top: 1px solid $border; }
QFrame[k="popup"] { background: $raised; border: 1px solid $border; border-radius: ${r_card}px; }
QFrame[k="soft"] { background: $sunken; border: 1px solid $border; border-radius: ${r_card}px; }
QFrame[k="soft"][tone="success"] { background: $successSoft; border-color: $successLine; }
QFrame[k="soft"][tone="warning"] { background: $warningSoft; border-color: $warningLine; }
QFrame[k="soft"][tone="danger"] { background: $dangerSoft; border-color: $dangerLine; }
QFrame[k="softline"][tone="success"] { background: $successLine; border: none; max-width: 1px; }
QFrame[k="softline"][tone="warning"] { background: $warningLine; border: none; max-width: 1px; }
QFrame[k="softline"][tone="danger"] { background: $dangerLine; border: none; max-width: 1px; }
QFrame[k="softline"][tone="neutral"] { background: $border; border: none; max-width: 1px; }

QLabel { background: transparent; }

QPushButton { color: $text; background: $surface; border: 1px solid $control; border-radius: ${r_control}px;
  padding: 0 15px; min-height: 30px; max-height: 30px; }
QPushButton:hover { background: $hover; }
QPushButton:pressed { background: $pressed; }
QPushButton:focus { border: 2px solid $focus; padding: 0 14px; min-height: 28px; max-height: 28px; }
QPushButton:disabled { color: $disabled; background: $sunken; border: 1px solid $border; }
QPushButton[v="primary"] { color: $onAccent; background: $accent; border: 1px solid $accent; }
QPushButton[v="primary"]:hover { background: $accentHover; border-color: $accentHover; }
QPushButton[v="primary"]:pressed { background: $accentPressed; border-color: $accentPressed; }
QPushButton[v="primary"]:focus { border: 2px solid $text; }
QPushButton[v="primary"]:disabled { color: $disabled; background: $sunken; border: 1px solid $border; }
QPushButton[v="danger"] { color: $danger; }
QPushButton[v="ghost"] { background: transparent; border: 1px solid transparent; }
QPushButton[v="ghost"]:hover { background: $hover; }
QPushButton[v="ghost"]:pressed { background: $pressed; }
QPushButton[v="ghost"]:focus { border: 2px solid $focus; }
QPushButton[v="link"] { color: $accentText; background: transparent; border: 1px solid transparent; padding: 0 1px;
  text-align: left; }
QPushButton[v="link"]:hover { color: $accentHoverText; }
QPushButton[v="link"]:focus { border: 2px solid $focus; padding: 0; }
QPushButton[v="link"]:disabled, QPushButton[v="ghost"]:disabled { color: $disabled; background: transparent;
  border: 1px solid transparent; }
QPushButton[v="danger"]:disabled { color: $disabled; }
QPushButton[compact="true"] { padding: 0 9px; min-height: 22px; max-height: 22px; }
QPushButton[compact="true"]:focus { padding: 0 8px; min-height: 20px; max-height: 20px; }
QPushButton[v="link"][compact="true"] { padding: 0 1px; }
QPushButton[v="link"][compact="true"]:focus { padding: 0; }

QToolButton { background: transparent; border: 1px solid transparent; border-radius: ${r_control}px; padding: 0;
  color: $text; }
QToolButton:hover { background: $hover; }
QToolButton:pressed, QToolButton:checked { background: $pressed; }
QToolButton:focus { border: 2px solid $focus; }
QToolButton::menu-indicator { image: none; width: 0; }
QLineEdit QToolButton, QLineEdit QToolButton:hover { background: transparent; border: none; padding: 0; }

QLineEdit, QPlainTextEdit, QTextEdit { color: $text; background: $surface; border: 1px solid $control;
  border-radius: ${r_control}px; padding: 0 7px; selection-background-color: $accent;
  selection-color: $onAccent; }
QLineEdit { min-height: 30px; max-height: 30px; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus { border: 2px solid $focus; padding: 0 6px; }
QLineEdit:focus { min-height: 28px; max-height: 28px; }
QLineEdit:disabled, QPlainTextEdit:disabled { color: $disabled; background: $sunken; border: 1px solid $border; }
QLineEdit[bad="true"] { border: 1px solid $danger; }
QLineEdit[bad="true"]:focus { border: 2px solid $danger; }
QPlainTextEdit, QTextEdit { padding: 7px; }
QPlainTextEdit:focus, QTextEdit:focus { padding: 6px; }
QPlainTextEdit[flat="true"] { border: none; border-radius: 0; background: $surface; padding: 8px; }
QPlainTextEdit[flat="true"]:focus { border: 2px solid $focus; padding: 6px; }

QComboBox { color: $text; background: $surface; border: 1px solid $control; border-radius: ${r_control}px;
  padding: 0 28px 0 8px; min-height: 30px; max-height: 30px; }
QComboBox:hover { background: $hover; }
QComboBox:focus, QComboBox:on { border: 2px solid $focus; padding: 0 27px 0 7px; min-height: 28px; max-height: 28px; }
QComboBox:disabled { color: $disabled; background: $sunken; border: 1px solid $border; }
QComboBox[compact="true"] { min-height: 22px; max-height: 22px; border-color: $border; }
QComboBox[compact="true"]:focus, QComboBox[compact="true"]:on { min-height: 20px; max-height: 20px;
  border-color: $focus; }
QComboBox::drop-down { border: none; width: 26px; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView { background: $raised; color: $text; border: 1px solid $border; padding: 4px;
  outline: none; selection-background-color: $selected; selection-color: $text; }
QComboBox QAbstractItemView::item { min-height: 28px; padding: 0 6px; border-radius: 4px; }
QComboBox QAbstractItemView::item:selected { background: $selected; color: $text; }

QCheckBox, QRadioButton { color: $text; background: transparent; spacing: 8px; border: 2px solid transparent;
  border-radius: ${r_checkbox}px; }
QCheckBox:focus, QRadioButton:focus { border: 2px solid $focus; }
QCheckBox:disabled, QRadioButton:disabled { color: $disabled; }

QMenu { background: $raised; color: $text; border: 1px solid $border; padding: 4px; }
QMenu::item { padding: 6px 24px 6px 8px; border-radius: 4px; }
QMenu::item:selected { background: $selected; }
QMenu::item:disabled { color: $disabled; }
QMenu::icon { padding-left: 8px; }
QMenu::separator { height: 1px; background: $divider; margin: 4px 8px; }

QScrollArea { background: transparent; border: none; }
QScrollArea > QWidget > QWidget[k="scrolled"] { background: transparent; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 2px; border: none; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 2px; border: none; }
QScrollBar::handle { background: $scroll; border-radius: 3px; }
QScrollBar::handle:vertical { min-height: 32px; }
QScrollBar::handle:horizontal { min-width: 32px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; background: none; border: none; }
QScrollBar::add-page, QScrollBar::sub-page { background: none; }

QTableView, QListView, QTreeView { background: $surface; color: $text; border: none; outline: none;
  selection-background-color: $selected; selection-color: $text; }
QHeaderView { background: $surface; border: none; }
QHeaderView::section { background: $surface; color: $muted; border: none; border-bottom: 1px solid $border;
  padding: 0 8px 0 12px; }
QTableCornerButton::section { background: $surface; border: none; }
QSplitter::handle { background: transparent; }
""")


def stylesheet(colors: Mapping[str, str]) -> str:
    """The whole style sheet for one set of colours."""
    lengths = {f"r_{name}": str(tokens.radius(name)) for name in ("card", "control", "checkbox")}
    # a link darkens on a light ground and keeps its pale colour on a dark one
    dark = int(colors["window"][1:3], 16) < 0x80
    links = {"accentHoverText": colors["accentText"] if dark else colors["accentHover"]}
    labels = "\n".join(f'QLabel[c="{role}"] {{ color: {colors[role]}; }}' for role in _TEXT_ROLES)
    return _RULES.substitute(colors, **lengths, **links) + labels
