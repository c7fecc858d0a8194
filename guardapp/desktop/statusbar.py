"""The line at the bottom: device and memory, the job that runs, whether the vault is open."""

from __future__ import annotations

import os
import shutil
from typing import Any

from PySide6.QtCore import QProcess, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from guardapp.desktop import wording
from guardapp.desktop.i18n import Key, speech, tr
from guardapp.desktop.kit.buttons import Button
from guardapp.desktop.kit.labels import ElidedLabel, Icon
from guardapp.desktop.kit.tiles import ProgressBar
from guardapp.desktop.theme import tokens

_EVERY_MS = 3000


class StatusBar(QFrame):
    """Asks the system for figures every three seconds, never while it is hidden."""

    vault_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("k", "status")
        self.setFixedHeight(tokens.height("status"))
        self._device = ElidedLabel("CPU", "small", "muted")
        self._memory = ElidedLabel("", "small", "muted")
        self._mark = Icon("ph.play-circle", "muted", tokens.icon_size("control"))
        self._job = ElidedLabel("", "small", "muted")
        self._bar = ProgressBar("Progress of the running job")
        self._bar.setFixedWidth(96)
        self._left = ElidedLabel("", "small", "muted")
        self._message = ElidedLabel("", "small", "text")
        self._vault = Button("Vault", "ghost", "ph.lock-simple", compact=True)
        self._vault.setFont(self._device.font())
        self._vault.clicked.connect(self.vault_pressed)
        line = QHBoxLayout(self)
        line.setContentsMargins(16, 0, 8, 0)
        line.setSpacing(tokens.space(2))
        line.addWidget(Icon("ph.cpu", "muted", tokens.icon_size("control")))
        line.addWidget(self._device)
        line.addSpacing(8)
        line.addWidget(self._memory)
        line.addSpacing(16)
        self._running: tuple[QWidget, ...] = (self._mark, self._job, self._bar, self._left)
        for widget in self._running:
            line.addWidget(widget)
            widget.hide()
        line.addWidget(self._message)
        line.addStretch(1)
        line.addWidget(self._vault)
        self._gpu = ""
        self._query: QProcess | None = None
        self._forget = QTimer(self)
        self._forget.setSingleShot(True)
        self._forget.timeout.connect(lambda: self._message.put(""))
        self._timer = QTimer(self)
        self._timer.setInterval(_EVERY_MS)
        self._timer.timeout.connect(self._measure)
        speech().changed.connect(self._show_figures)

    def start(self) -> None:
        """Begin to measure; called after the first paint, because psutil takes time to import."""
        self._measure()
        self._timer.start()

    def stop(self) -> None:
        self._timer.stop()
        self._forget.stop()
        if self._query is not None:
            self._query.disconnect(self)
            self._query.kill()
            self._query.waitForFinished(1000)
            self._query = None

    def _measure(self) -> None:
        if not self.isVisible():
            return
        self._show_figures()
        if self._query is None and shutil.which("nvidia-smi"):
            query = QProcess(self)
            query.finished.connect(self._gpu_told)
            self._query = query
            query.start("nvidia-smi", ["--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"])

    def _gpu_told(self) -> None:
        query, self._query = self._query, None
        if query is None:
            return
        first = bytes(query.readAllStandardOutput().data()).decode(errors="replace").strip().split("\n")[0].split(",")
        query.deleteLater()
        try:
            used, total = (float(part) / 1024 for part in first)
        except ValueError:
            self._gpu = ""
        else:
            self._gpu = tr("CUDA · {used} of {total} GB", used=f"{used:.1f}", total=f"{total:.0f}")
        self._show_figures()

    def _show_figures(self) -> None:
        import psutil

        memory = psutil.virtual_memory()
        if self._gpu:
            self._device.put(self._gpu)
        else:
            self._device.say("CPU · {n} cores", n=os.cpu_count() or 1)
        used, total = (memory.total - memory.available) / 1e9, memory.total / 1e9
        self._memory.say("Memory {used} of {total} GB", used=f"{used:.1f}", total=f"{total:.0f}")

    def show_job(self, field: str, name: str, fraction: float | None, seconds: float | None) -> None:
        """The running job: its field (an English key), name, share done 0 … 1, and seconds left where known."""
        self._job.say("{field} · {name}", field=Key(field), name=name)
        self._bar.set_value(fraction)
        share = wording.percent(fraction) if fraction is not None else ""
        if seconds is not None and share:
            self._left.say("{share} · about {time} left", share=share, time=wording.duration(seconds))
        else:
            self._left.put(share)
        for widget in self._running:
            widget.show()

    def show_no_job(self) -> None:
        for widget in self._running:
            widget.hide()

    def show_vault(self, *, locked: bool | None, seconds: float | None = None) -> None:
        """`locked` None: not known yet. `seconds` until it locks by itself, where it does."""
        if locked is None:
            self._vault.say("Vault")
        elif locked:
            self._vault.set_icon("ph.lock-simple")
            self._vault.say("Vault locked")
        else:
            self._vault.set_icon("ph.lock-simple-open")
            if seconds is not None:
                self._vault.say("Vault unlocked · locks in {time}", time=wording.duration(seconds))
            else:
                self._vault.say("Vault unlocked")

    def tell(self, text: str, tone: str, milliseconds: int = 6000, **values: Any) -> None:
        """One line for a few seconds."""
        self._message.set_color("text" if tone == "neutral" else tone)
        self._message.say(text, **values)
        self._message.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self._forget.start(milliseconds)
