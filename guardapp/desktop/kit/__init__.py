"""The parts that every page is built from. English keys in, both languages and both themes out.

Plots are not re-exported, because pyqtgraph must not be imported before the first paint: take them from
`guardapp.desktop.kit.plots`, in a page that shows one.
"""

from guardapp.desktop.kit.buttons import Button, IconButton
from guardapp.desktop.kit.fields import Choice, Combo, Field, NumberField, OptionalNumber, TextField, Tick
from guardapp.desktop.kit.files import DropFrame, DropZone, FileField
from guardapp.desktop.kit.labels import ElidedLabel, Icon, IconLabel, Label, MonoLabel, RichLabel
from guardapp.desktop.kit.messages import Banner, CheckLine, EmptyState, ErrorCard, SoftFrame, VerdictCard, refill
from guardapp.desktop.kit.sliders import Slider, TradeoffSlider
from guardapp.desktop.kit.steps import Segmented, Steps
from guardapp.desktop.kit.surfaces import Card, ChoiceCard, Footer, PageHeader, clear, column, hline, row, vline
from guardapp.desktop.kit.tables import Cell, Column, TableModel, TableView, link
from guardapp.desktop.kit.tiles import Chip, FigureLine, ProgressBar, Tile, TileRow

__all__ = [
    "Banner",
    "Button",
    "Card",
    "Cell",
    "CheckLine",
    "Chip",
    "Choice",
    "ChoiceCard",
    "Column",
    "Combo",
    "DropFrame",
    "DropZone",
    "ElidedLabel",
    "EmptyState",
    "ErrorCard",
    "Field",
    "FigureLine",
    "FileField",
    "Footer",
    "Icon",
    "IconButton",
    "IconLabel",
    "Label",
    "MonoLabel",
    "NumberField",
    "OptionalNumber",
    "PageHeader",
    "ProgressBar",
    "RichLabel",
    "Segmented",
    "Slider",
    "SoftFrame",
    "Steps",
    "TableModel",
    "TableView",
    "TextField",
    "Tick",
    "Tile",
    "TileRow",
    "TradeoffSlider",
    "VerdictCard",
    "clear",
    "column",
    "hline",
    "link",
    "refill",
    "row",
    "vline",
]
