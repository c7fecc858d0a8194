"""English and Simplified Chinese. English text is the key; sentences with values in them are matched as templates.

An error says `f"{name} cannot be opened"`, because that is how it reads best where it is raised. The catalogue holds
the template `{name} cannot be opened`; what was shown is matched against it, the values are carried over, and a text
that no template fits is shown in English rather than not at all.
"""

from __future__ import annotations

import json
import re
from functools import cache, lru_cache
from typing import Literal

from guardapp.resource_files import resource

Language = Literal["en", "zh"]

_PLACE = re.compile(r"\{(\w+)\}")


@cache
def catalogue(language: Language) -> dict[str, str]:
    """English text or template to its translation; empty for English. One JSON file a room, merged."""
    merged: dict[str, str] = {}
    folder = resource("translations", language)
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        merged.update(json.loads(path.read_text(encoding="utf-8")))
    return merged


@cache
def _templates(language: Language) -> list[tuple[re.Pattern[str], str]]:
    found = [(key, value) for key, value in catalogue(language).items() if _PLACE.search(key)]
    # the template with the most fixed text wins, so that "{a} of {b}" does not swallow longer sentences
    found.sort(key=lambda pair: -len(_PLACE.sub("", pair[0])))
    return [(_pattern(key), value) for key, value in found]


def _pattern(template: str) -> re.Pattern[str]:
    parts = _PLACE.split(template)
    seen: set[str] = set()
    out = []
    for index, part in enumerate(parts):
        if index % 2 == 0:
            out.append(re.escape(part))
        elif part in seen:
            out.append(f"(?P={part})")
        else:
            seen.add(part)
            out.append(f"(?P<{part}>.+?)")
    return re.compile("".join(out), re.DOTALL)


@lru_cache(maxsize=8192)
def translate(text: str, language: Language) -> str:
    """`text` in `language`; values inside a matched template are themselves translated (a stage name, a role).

    Remembered, because a text that is in no catalogue is tried against every template, and tables ask at every paint.
    """
    if language == "en" or not text:
        return text
    exact = catalogue(language).get(text)
    if exact is not None:
        return exact
    for pattern, template in _templates(language):
        match = pattern.fullmatch(text)
        if match:
            values = {name: translate(value, language) for name, value in match.groupdict().items()}
            return _filled(template, values)
    return text


def _filled(template: str, values: dict[str, str]) -> str:
    return _PLACE.sub(lambda place: values.get(place[1], place[0]), template)
