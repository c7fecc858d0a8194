"""The widget kit, operated as a person would."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from guardapp.desktop import kit
from guardapp.desktop.i18n import speech
from guardapp.errors import GuardError

Show = Callable[[QWidget], QWidget]
LEFT = Qt.MouseButton.LeftButton


def test_a_number_that_is_none_says_what_is_asked_for(qtbot: QtBot, show: Show) -> None:
    number = kit.NumberField("Epochs", 30, low=1, high=500, whole=True)
    field = kit.Field("Epochs", number)
    show(field)
    number.selectAll()
    qtbot.keyClicks(number, "many")
    assert number.value is None
    assert field._line.text() == "Write a whole number from 1 to 500."
    number.selectAll()
    qtbot.keyClicks(number, "40")
    assert number.value == 40
    assert not field._below.isVisible()


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "", "0", "501", "1.5"])
def test_numbers_outside_of_their_bounds_count_as_none(text: str, show: Show) -> None:
    number = kit.NumberField("Epochs", low=1, high=500, whole=True)
    show(number)
    number.setText(text)
    assert number.value is None


def test_an_ampersand_in_a_button_is_a_letter(show: Show) -> None:
    button = kit.Button("Review & queue")
    show(button)
    assert button.text() == "Review && queue"
    assert button.accessibleName() == "Review & queue"


def test_a_widget_says_itself_again_in_the_other_language(show: Show) -> None:
    label = kit.Label("{n} min", n=5)
    button = kit.Button("Cancel")
    show(label)
    show(button)
    speech().choose("zh")
    assert label.text() == "5 分钟"
    assert button.text() == "取消"
    speech().choose("en")
    assert label.text() == "5 min"


def test_a_long_label_is_shortened_and_does_not_widen_its_parent(show: Show) -> None:
    holder = QWidget()
    holder.setLayout(kit.row(label := kit.ElidedLabel("")))
    holder.resize(120, 40)
    show(holder)
    label.put("a name that is much longer than the space that there is for it")
    holder.layout().activate()
    assert holder.width() == 120
    assert label.elided
    assert label.toolTip() == label.text()


def test_the_segmented_switch_moves_by_mouse_and_arrow_keys(qtbot: QtBot, show: Show) -> None:
    switch = kit.Segmented(["All", "To check"], "Which columns")
    show(switch)
    qtbot.mouseClick(switch, LEFT, pos=QPoint(switch.width() - 10, 12))
    assert switch.index == 1
    qtbot.keyClick(switch, Qt.Key.Key_Left)
    assert switch.index == 0


def test_only_steps_that_were_reached_can_be_pressed(qtbot: QtBot, show: Show) -> None:
    steps = kit.Steps()
    show(steps)
    steps.go(1)
    asked: list[int] = []
    steps.chosen.connect(asked.append)
    cells = [rect.center().toPoint() for rect, _ in steps._layout()]
    qtbot.mouseClick(steps, LEFT, pos=cells[2])
    assert asked == []
    qtbot.mouseClick(steps, LEFT, pos=cells[0])
    assert asked == [0]


def test_a_slider_moves_by_keys_and_by_dragging(qtbot: QtBot, show: Show) -> None:
    slider = kit.Slider("Strength", 11, 5)
    slider.resize(300, 24)
    show(slider)
    qtbot.keyClick(slider, Qt.Key.Key_Right)
    assert slider.index == 6
    qtbot.keyClick(slider, Qt.Key.Key_End)
    assert slider.index == 10
    with qtbot.waitSignal(slider.settled):
        qtbot.mouseClick(slider, LEFT, pos=QPoint(8, 12))
    assert slider.index == 0


def test_a_combo_tells_what_the_user_picks_and_not_what_a_program_sets(qtbot: QtBot, show: Show) -> None:
    combo = kit.Combo("Role", [kit.Choice("a", "Identifier"), kit.Choice("b", "Keep")])
    show(combo)
    told: list[str] = []
    combo.picked.connect(told.append)
    combo.set_value("b")
    assert told == []
    qtbot.keyClick(combo, Qt.Key.Key_Up)
    assert told == ["a"]


def test_an_error_card_says_what_why_and_next_and_keeps_the_code_under_details(qtbot: QtBot, show: Show) -> None:
    card = kit.ErrorCard(GuardError("It broke", "because", "Mend it.", "a.code"))
    show(card)
    shown = {label.text() for label in card.findChildren(kit.Label) if label.isVisible()}
    assert {"It broke", "because", "Mend it."} <= shown
    assert "a.code" not in shown
    qtbot.mouseClick(card._details, LEFT)
    assert card._code.isVisible()


def test_what_comes_from_a_file_is_never_read_as_markup(show: Show) -> None:
    card = kit.VerdictCard()
    show(card)
    card.show_verdict("danger", "ph.x", "{name}", "Signed by <b>{name}</b>.", name="<img src=x>")
    assert card.headline.textFormat() == Qt.TextFormat.PlainText
    assert "&lt;img src=x&gt;" in card.sentence.text()


def test_a_removable_chip_goes_by_key_and_by_its_cross(qtbot: QtBot, show: Show) -> None:
    chip = kit.Chip("Aiko Tanaka", "ph.user", removable=True)
    show(chip)
    with qtbot.waitSignal(chip.removed):
        qtbot.keyClick(chip, Qt.Key.Key_Delete)
    with qtbot.waitSignal(chip.removed):
        qtbot.mouseClick(chip, LEFT, pos=QPoint(chip.width() - 12, 12))


class _Rows(kit.TableModel):
    def __init__(self) -> None:
        super().__init__([kit.Column("a", literal=True), kit.Column("b", literal=True)])

    def row_total(self) -> int:
        return 100

    def cell(self, row: int, column: int) -> kit.Cell | None:
        return None if row == 7 else kit.Cell(f"={row}", "suppress" if column and row == 3 else "")


def test_a_pair_of_tables_scrolls_and_selects_as_one(qtbot: QtBot, show: Show) -> None:
    left, right = kit.TableView("Original", _Rows()), kit.TableView("Protected", _Rows())
    kit.link(left, right)
    for view in (left, right):
        view.resize(300, 200)
        show(view)
    left.verticalScrollBar().setValue(40)
    assert right.verticalScrollBar().value() == 40
    right.setCurrentIndex(right.model().index(60, 0))
    assert left.currentIndex().row() == 60


def test_a_suppressed_cell_is_shown_as_a_dash_and_a_missing_one_as_loading() -> None:
    model = _Rows()
    assert model.data(model.index(3, 1)) == "—"
    assert model.data(model.index(7, 0)) == "…"
    assert model.data(model.index(2, 0)) == "=2"


def test_formulas_are_escaped_when_a_table_is_exported() -> None:
    assert "'=2" in _Rows().as_csv()
