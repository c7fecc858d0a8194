"""Where people write and choose: text, numbers, choices, ticks. Each has a label, and a line for what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QVBoxLayout, QWidget

from guardapp.desktop.i18n import call_it, plain, say, speech, tr
from guardapp.desktop.kit.labels import Icon, Label, restyle
from guardapp.desktop.kit.surfaces import row
from guardapp.desktop.theme import icons, tokens
from guardapp.desktop.theme.fonts import font
from guardapp.desktop.theme.state import theme


class TextField(QLineEdit):
    """One line of text; `bad` turns its border to danger (the sentence stands in `Field`)."""

    def __init__(self, name: str, *, placeholder: str = "", icon: str | None = None, secret: bool = False) -> None:
        super().__init__()
        self.setFont(font("body"))
        call_it(self, name)
        if placeholder:
            say(self, placeholder, into="setPlaceholderText")
        if icon:
            action = self.addAction(icons.icon(icon, "muted"), QLineEdit.ActionPosition.LeadingPosition)
            icons.dress(action, icon, "muted")
        if secret:
            self.setEchoMode(QLineEdit.EchoMode.Password)
            self.setInputMethodHints(Qt.InputMethodHint.ImhSensitiveData | Qt.InputMethodHint.ImhNoPredictiveText)

    def set_bad(self, bad: bool) -> None:
        wanted = "true" if bad else "false"
        if self.property("bad") != wanted:
            self.setProperty("bad", wanted)
            restyle(self)


class NumberField(TextField):
    """A number between bounds, typed freely; `value` is None while the text is not one.

    Units belong into the label ("Noise σ"), never into the number.
    """

    number_changed = Signal(object)

    def __init__(
        self,
        name: str,
        value: float | None = None,
        *,
        low: float | None = None,
        high: float | None = None,
        whole: bool = False,
    ) -> None:
        super().__init__(name)
        self._low, self._high, self._whole = low, high, whole
        if value is not None:
            self.set_value(value)
        self.textChanged.connect(self._check)

    @property
    def value(self) -> float | None:
        """The number, if the text is one and within the bounds."""
        text = self.text().strip().replace(",", "").replace("，", "").replace(" ", "")
        try:
            number = int(text) if self._whole else float(text)
        except ValueError:
            return None
        inside = (self._low is None or number >= self._low) and (self._high is None or number <= self._high)
        return number if inside and number == number and abs(number) != float("inf") else None

    def set_value(self, value: float) -> None:
        self.setText(f"{value:,}" if self._whole else f"{value:g}")

    @property
    def bounds_sentence(self) -> tuple[str, dict[str, object]]:
        """What is asked for, as an English key and its values."""
        kind = "a whole number" if self._whole else "a number"
        values: dict[str, object] = {"low": f"{self._low:g}" if self._low is not None else ""}
        values["high"] = f"{self._high:g}" if self._high is not None else ""
        if self._low is not None and self._high is not None:
            return f"Write {kind} from {{low}} to {{high}}.", values
        if self._low is not None:
            return f"Write {kind}, {{low}} or more.", values
        return f"Write {kind}.", {}

    def _check(self) -> None:
        self.set_bad(self.value is None)
        self.number_changed.emit(self.value)


class OptionalNumber(NumberField):
    """A number, or nothing."""

    @property
    def empty(self) -> bool:
        return not self.text().strip()

    @property
    def wrong(self) -> bool:
        return not self.empty and self.value is None

    def _check(self) -> None:
        self.set_bad(self.wrong)
        self.number_changed.emit(0 if self.empty else self.value)


class Field(QWidget):
    """A control under its label, with a help line or, when something is wrong, icon and sentence below it."""

    def __init__(self, label: str, control: QWidget, help: str = "") -> None:
        super().__init__()
        self.control = control
        self.label = Label(label, "body", "muted")
        self._help = help
        self._mark = Icon("ph.warning-circle", "danger", tokens.icon_size("inline"))
        self._line = Label("", "small", "muted", wrap=True)
        self._below = QWidget()
        below = row(self._mark, self._line, gap=6)
        below.setAlignment(self._mark, Qt.AlignmentFlag.AlignTop)
        below.setStretch(1, 1)
        self._below.setLayout(below)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(1))
        whole.addWidget(self.label)
        whole.addWidget(control)
        whole.addWidget(self._below)
        self.label.setBuddy(control)
        if not control.accessibleName():
            call_it(control, label)
        self.clear_error()
        if isinstance(control, NumberField):
            control.number_changed.connect(self._number)

    def _number(self, value: object) -> None:
        if value is None and isinstance(self.control, NumberField):
            sentence, values = self.control.bounds_sentence
            self.show_error(sentence, **values)
        else:
            self.clear_error()

    def show_error(self, sentence: str, **values: Any) -> None:
        """What is wrong and what to do, in one or two sentences (an English key)."""
        self._mark.setVisible(True)
        self._line.set_color("danger")
        self._line.say(sentence, **values)
        self._below.setVisible(True)
        say(self.control, sentence, into="setAccessibleDescription", **values)
        if isinstance(self.control, TextField):
            self.control.set_bad(True)

    def clear_error(self) -> None:
        self._mark.setVisible(False)
        self._line.set_color("muted")
        self._line.say(self._help) if self._help else self._line.put("")
        self._below.setVisible(bool(self._help))
        plain(self.control, tr(self._help) if self._help else "", into="setAccessibleDescription")
        if isinstance(self.control, TextField):
            self.control.set_bad(False)

    def set_help(self, sentence: str, **values: Any) -> None:
        self._help = tr(sentence, **values)
        self.clear_error()
        self._line.say(sentence, **values)


class Choice(NamedTuple):
    """An option of a combo box: its value for programs, its English key, and an icon."""

    value: str
    text: str
    icon: str | None = None


class Combo(QComboBox):
    """A choice with icons. `picked(value)` is emitted when the user chooses, never when a program does.

    The wheel scrolls the page unless the box has the focus, so that nothing changes by accident.
    """

    picked = Signal(str)

    def __init__(self, name: str, choices: Sequence[Choice] = (), *, compact: bool = False) -> None:
        super().__init__()
        self._choices: list[Choice] = []
        self.setFont(font("small" if compact else "body"))
        self.setProperty("compact", "true" if compact else "false")
        self.setIconSize(QSize(14, 14) if compact else QSize(16, 16))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setMaxVisibleItems(12)
        call_it(self, name)
        self.set_choices(choices)
        self.activated.connect(lambda index: self.picked.emit(self._choices[index].value))
        speech().changed.connect(self._resay)
        theme().changed.connect(self._resay)

    def set_choices(self, choices: Sequence[Choice], value: str | None = None) -> None:
        """Replace the options; keeps the chosen value where it still exists."""
        kept = value if value is not None else self.value
        self._choices = list(choices)
        self.blockSignals(True)
        self.clear()
        for choice in self._choices:
            self.addItem(tr(choice.text))
        self.blockSignals(False)
        self._resay()
        self.set_value(kept or "")

    @property
    def value(self) -> str:
        index = self.currentIndex()
        return self._choices[index].value if 0 <= index < len(self._choices) else ""

    def set_value(self, value: str) -> None:
        for index, choice in enumerate(self._choices):
            if choice.value == value:
                self.setCurrentIndex(index)

    def _resay(self) -> None:
        size = self.iconSize().width()
        for index, choice in enumerate(self._choices):
            self.setItemText(index, tr(choice.text))
            if choice.icon:
                self.setItemIcon(index, icons.icon(choice.icon, "muted", size))
        self.update()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        color = theme().color("text" if self.isEnabled() else "disabled")
        icons.paint(painter, "ph.caret-down", QRectF(self.width() - 22, (self.height() - 14) / 2, 14, 14), color)
        painter.end()


class Tick(QCheckBox):
    """A check box with an English key, drawn with the look's own box."""

    def __init__(self, text: str, *, name: str = "", **values: Any) -> None:
        super().__init__()
        self.setFont(font("body"))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        if text:
            say(self, text, **values)
        call_it(self, name or text, **values)

    def sizeHint(self) -> QSize:
        width = 22 + (self.fontMetrics().horizontalAdvance(self.text()) + 10 if self.text() else 0)
        return QSize(width, max(24, self.fontMetrics().height() + 4))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, pos: object) -> bool:
        return True

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_tick(painter, QRectF(2, (self.height() - 16) / 2, 16, 16), self.isChecked(), self.isEnabled())
        if self.hasFocus():
            pen = painter.pen()
            pen.setStyle(Qt.PenStyle.SolidLine)
            pen.setColor(theme().color("focus"))
            pen.setWidth(2)
            painter.setPen(pen)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(1, (self.height() - 18) / 2, 18, 18), 5, 5)
        painter.setFont(self.font())
        painter.setPen(theme().color("text" if self.isEnabled() else "disabled"))
        words = QRectF(28, 0, self.width() - 26, self.height())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, self.text())
        painter.end()


def paint_tick(painter: QPainter, box: QRectF, checked: bool, enabled: bool = True) -> None:
    """Draw a check box's square; used by lists as well."""
    radius = tokens.radius("checkbox")
    painter.save()
    if checked:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme().color("accent" if enabled else "disabled"))
        painter.drawRoundedRect(box, radius, radius)
        icons.paint(painter, "ph.check-bold", box.adjusted(2, 2, -2, -2), theme().color("onAccent"))
    else:
        painter.setPen(theme().color("control" if enabled else "border"))
        painter.setBrush(theme().color("surface" if enabled else "sunken"))
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    painter.restore()
