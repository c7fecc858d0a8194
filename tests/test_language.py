"""Translations: whole catalogues, matching templates, and nothing lost when no template fits."""

from __future__ import annotations

import re

import pytest

from guardapp import language
from guardapp.language import catalogue, translate


@pytest.fixture
def small_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {
        "{name} cannot be opened": "无法打开 {name}",
        "line {line} of {name} has {found} cells": "{name} 第 {line} 行有 {found} 个单元格",
        "Encrypting": "正在加密",
        "{stage} failed": "{stage}失败",
    }
    monkeypatch.setattr(language, "catalogue", lambda language: entries)
    language._templates.cache_clear()
    translate.cache_clear()
    yield  # type: ignore[misc]
    language._templates.cache_clear()
    translate.cache_clear()


def test_english_is_its_own_translation() -> None:
    assert translate("Anything {at} all", "en") == "Anything {at} all"


@pytest.mark.usefixtures("small_catalogue")
def test_values_are_carried_into_the_translated_sentence() -> None:
    assert translate("clinic.csv cannot be opened", "zh") == "无法打开 clinic.csv"
    assert translate("line 7 of a.csv has 3 cells", "zh") == "a.csv 第 7 行有 3 个单元格"


@pytest.mark.usefixtures("small_catalogue")
def test_a_value_that_is_itself_known_is_translated() -> None:
    assert translate("Encrypting failed", "zh") == "正在加密失败"


@pytest.mark.usefixtures("small_catalogue")
def test_a_text_that_nothing_fits_is_shown_as_it_is() -> None:
    assert translate("Something new", "zh") == "Something new"


def test_every_translation_keeps_the_places_of_its_english() -> None:
    places = re.compile(r"\{(\w+)\}")
    wrong = [key for key, value in catalogue("zh").items() if set(places.findall(key)) != set(places.findall(value))]
    assert wrong == []
