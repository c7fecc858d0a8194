"""The report's one style sheet: the design tokens as CSS variables, then `resources/theme/report.css`."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from guardapp.resource_files import resource


@cache
def tokens() -> dict[str, Any]:
    """The design tokens that window, plots and reports share."""
    loaded: dict[str, Any] = json.loads(resource("theme", "tokens.json").read_text(encoding="utf-8"))
    return loaded


@cache
def style_sheet() -> str:
    """CSS for the whole report. The dark theme is for screens alone: paper is always light."""
    rules = resource("theme", "report.css").read_text(encoding="utf-8")
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_root(_colours('dark'))} }}"
    return "\n".join([_root(_colours("light") | _lengths()), dark, rules])


def _root(variables: dict[str, str]) -> str:
    return ":root { " + "; ".join(f"--{name}: {value}" for name, value in variables.items()) + " }"


def _colours(theme: str) -> dict[str, str]:
    plot = tokens()["plot"][theme]
    series = {f"series-{number}": colour for number, colour in enumerate(plot["series"], start=1)}
    lines = {"budget": plot["budget"], "grid": plot["grid"], "axis": plot["axis"], "band": str(plot["band"])}
    return {**tokens()["colors"][theme], **series, **lines}


def _lengths() -> dict[str, str]:
    look = tokens()
    font = look["font"]
    lengths = {"space": look["space"], "radius": look["radius"], "stroke": look["stroke"] | look["plot"]["width"]}
    variables = {f"{group}-{name}": f"{value}px" for group, values in lengths.items() for name, value in values.items()}
    for role, scale in font["scale"].items():
        variables |= {f"{role}-size": f"{scale['size']}px", f"{role}-weight": str(scale["weight"])}
    for name, generic in (("ui", "sans-serif"), ("mono", "monospace")):
        variables[f"font-{name}"] = ", ".join([*(f'"{family}"' for family in font[name]), generic])
    return variables | {f"line-{script}": str(height) for script, height in font["lineHeight"].items()}
