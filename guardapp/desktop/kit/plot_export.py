"""Taking a plot or a table away: PNG, SVG and CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QPainter, QPixmap
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from guardapp.desktop.i18n import tr
from guardapp.desktop.theme.state import theme

if TYPE_CHECKING:
    from guardapp.desktop.kit.plots import PlotCard

_SCALE = 2


def write_png(widget: QWidget, path: Path) -> None:
    """The widget as a picture at twice its size on screen."""
    picture = QPixmap(widget.size() * _SCALE)
    picture.setDevicePixelRatio(_SCALE)
    picture.fill(theme().color("surface"))
    widget.render(picture)
    picture.save(str(path), "PNG")


def write_svg(widget: QWidget, path: Path) -> None:
    """The widget as a drawing that scales."""
    from PySide6.QtSvg import QSvgGenerator

    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(QSize(widget.width(), widget.height()))
    generator.setViewBox(QRect(QPoint(0, 0), widget.size()))
    generator.setTitle(widget.accessibleName() or "guardapp")
    painter = QPainter(generator)
    widget.render(painter, QPoint(0, 0))
    painter.end()


def write_csv(text: str, path: Path) -> None:
    # the mark at the start makes Excel read it as UTF-8
    path.write_text(text, encoding="utf-8-sig", newline="")


def fill_export_menu(menu: QMenu, card: PlotCard) -> None:
    """Save as a picture, a drawing, or the numbers."""
    for text, suffix in (("Save as PNG…", "png"), ("Save as SVG…", "svg"), ("Save the numbers as CSV…", "csv")):
        menu.addAction(tr(text)).triggered.connect(lambda _=False, kind=suffix: _ask(card, kind))


def save_plot(card: PlotCard, path: Path) -> None:
    """Write by the suffix of `path`."""
    if path.suffix == ".csv":
        write_csv(card.as_csv(), path)
    elif path.suffix == ".svg":
        write_svg(card, path)
    else:
        write_png(card, path)


def _ask(card: PlotCard, suffix: str) -> None:
    dialog = QFileDialog(card.window(), tr("Export the plot as a picture or a table"))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    dialog.setNameFilter(f"*.{suffix}")
    dialog.selectFile(f"{card.title.text() or 'plot'}.{suffix}")
    dialog.fileSelected.connect(lambda name: save_plot(card, Path(name)))
    dialog.open()
