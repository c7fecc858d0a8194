from __future__ import annotations

from pathlib import Path

from guardapp.deid.detectors import TEXT_KINDS
from guardapp.deid.detectors.in_text import spans
from tests.bench.text_detection import LABELS, Text, count, halves, labelled_texts


def test_identifiers_inside_texts_of_others_are_found(shared: Path) -> None:
    """On the templates that words and patterns were not chosen by; all figures: docs/detection.md."""
    assert shared.is_dir()
    _, held_back = halves(labelled_texts())
    covered = [spans(text.text, TEXT_KINDS) for text in held_back]
    for label, kinds in LABELS.items():
        counted = count(held_back, covered, label, kinds)
        assert counted.found >= 0.97 * counted.labelled > 0, label
        assert counted.right >= 0.95 * counted.covered > 0, label


def test_no_template_is_in_both_halves_and_every_label_is() -> None:
    texts = [
        Text(f"{word} {number}", [{"entity_type": label}], word)
        for number in range(3)
        for word, label in zip("abcdef", ("PHONE", "PHONE", "PHONE", "CARD", "CARD", "CARD"), strict=True)
    ]
    tuning, held_back = halves(texts)
    assert {text.template for text in tuning}.isdisjoint(text.template for text in held_back)
    labels = [{mark["entity_type"] for text in half for mark in text.marks} for half in (tuning, held_back)]
    assert labels == [{"PHONE", "CARD"}] * 2
    assert len(tuning) + len(held_back) == len(texts)
