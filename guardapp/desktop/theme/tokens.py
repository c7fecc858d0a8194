"""The look's numbers, read once from `resources/theme/tokens.json`: colours, lengths, type, motion.

Nothing else in the desktop writes a colour, a length of the grid or a font size by hand.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal, NamedTuple

from guardapp.resource_files import resource

Mode = Literal["light", "dark"]


class TypeStyle(NamedTuple):
    """size in logical pixels, weight 100 … 900."""

    size: int
    weight: int


class PlotStyle(NamedTuple):
    """Colours of plots; `band` is the opacity (0 … 1) of a confidence band in its curve's hue."""

    series: tuple[str, ...]
    budget: str
    grid: str
    axis: str
    band: float


class Treatment(NamedTuple):
    """What happened to a value: the role of its colour, and its icon."""

    color: str
    icon: str


@cache
def _file() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(resource("theme", "tokens.json").read_text(encoding="utf-8"))
    return loaded


@cache
def colors(mode: Mode) -> dict[str, str]:
    """Colour role to "#RRGGBB"."""
    return dict(_file()["colors"][mode])


@cache
def plot(mode: Mode) -> PlotStyle:
    found = _file()["plot"][mode]
    return PlotStyle(tuple(found["series"]), found["budget"], found["grid"], found["axis"], found["band"])


@cache
def type_style(role: str) -> TypeStyle:
    """`caption`, `small`, `body`, `strong`, `h3`, `h2`, `number` or `hero`."""
    found = _file()["font"]["scale"][role]
    return TypeStyle(found["size"], found["weight"])


def height(name: str) -> int:
    return int(_file()["height"][name])


def width(name: str) -> int:
    return int(_file()["width"][name])


def space(step: int) -> int:
    """Steps 1 … 8: 4, 8, 12, 16, 24, 32, 48, 64."""
    return int(_file()["space"][str(step)])


def radius(name: str) -> int:
    return int(_file()["radius"][name])


def stroke(name: str) -> int:
    """`hair`, `focus`, `selectedCard`, `railMark`."""
    return int(_file()["stroke"][name])


def icon_size(name: str) -> int:
    """`inline` 14, `control` 16, `title` 20, `nav` 24, `empty` 40, `verdict` 64."""
    return int(_file()["icon"]["sizes"][name])


def motion(name: str) -> int:
    """Milliseconds of `hover` and `panel`."""
    return int(_file()["motion"][name])


def families(name: Literal["ui", "mono"]) -> list[str]:
    return list(_file()["font"][name])


def plot_limit(name: Literal["maxPoints", "maxHz"]) -> int:
    return int(_file()["plot"][name])


def line_width(name: Literal["live", "result", "threshold"]) -> int:
    return int(_file()["plot"]["width"][name])


def hatch_alpha() -> float:
    return float(_file()["plot"]["hatch"]["alpha"])


def treatment(name: str) -> Treatment:
    """`pseudonym`, `generalise`, `suppress` or `keep`."""
    return Treatment(**_file()["treatments"][name])


def state(name: str) -> Treatment:
    """Colour role and icon of a job state or a flag: `done`, `running`, `queued`, `redFlag` …"""
    return Treatment(**_file()["states"][name])


def nav_icon(page: str) -> str:
    return str(_file()["nav"][page])


def role_icon(role: str) -> str:
    return str(_file()["roles"][role])


def icon_names() -> list[str]:
    """Every icon that the tokens name."""
    found = [entry["icon"] for group in ("treatments", "states") for entry in _file()[group].values()]
    found += [*_file()["nav"].values(), *_file()["roles"].values(), _file()["icon"]["verdictStyle"]]
    return [str(name) for name in found]
