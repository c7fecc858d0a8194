"""How many identifiers inside real-looking texts are found: `python -m tests.bench.text_detection`, Markdown on stdout.

The texts are the 1,500 labelled ones of presidio-research (`synth_dataset_v2.json`), filled into 207 templates. Texts
of one template are alike, so the templates are parted, not the texts: patterns and words may be chosen by the misses
of the tuning half alone (`--misses` shows those and no others), and the held-back half measures them.

A labelled identifier is found when at least half of its characters are covered as its kind; a covered stretch is right
when it shares characters with a labelled identifier of its kind. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from guardapp.deid.detectors import ASKED_KINDS, TEXT_KINDS
from guardapp.deid.detectors.in_text import Span, spans

TEXTS = Path(__file__).parents[3] / "shared" / "data" / "presidio-research" / "synth_dataset_v2.json"
PEOPLE = TEXTS.with_name("FakeNameGenerator.com_3000.csv")
SENTENCES = ("Phone: {}", "You can call me on {} after six.", "Well, {} is what I was told yesterday.")
"""What the 3,000 phone numbers of `PEOPLE` are put into: two sentences speak of telephones, one does not."""
LABELS = {
    "EMAIL_ADDRESS": {"email"},
    "IP_ADDRESS": {"ipv4", "ipv6"},
    "PHONE_NUMBER": {"phone", "cn_mobile"},
    "CREDIT_CARD": {"payment_card"},
    "IBAN_CODE": {"iban"},
    "US_SSN": {"us_ssn"},
    "DOMAIN_NAME": {"url"},
}
"""The labels of the data and the kinds that answer them."""
ASKED_LABELS = {"PERSON": {"person_name"}, "STREET_ADDRESS": {"address"}}
HALVES = ("tuning", "held back")


class Text(NamedTuple):
    """A text, the labelled stretches in it, and the template that it was filled into."""

    text: str
    marks: list[dict[str, Any]]
    template: str


def halves(texts: Sequence[Text]) -> tuple[list[Text], list[Text]]:
    """The texts of every other template: ordered by the rarest label in them, so that each label is in both halves.

    Among templates of the same rarest label, the order is that of their SHA-256.
    """
    of_label = defaultdict(set)
    for text in texts:
        for mark in text.marks:
            of_label[mark["entity_type"]].add(text.template)
    rarest = {
        text.template: min(
            ((len(of_label[mark["entity_type"]]), mark["entity_type"]) for mark in text.marks), default=(len(texts), "")
        )
        for text in texts
    }
    order = sorted(rarest, key=lambda template: (rarest[template], hashlib.sha256(template.encode()).hexdigest()))
    held_back = set(order[1::2])
    return [t for t in texts if t.template not in held_back], [t for t in texts if t.template in held_back]


class Count(NamedTuple):
    """Of one label: templates, labelled stretches, those found, covered stretches, those right, and what is wrong."""

    templates: int
    labelled: int
    found: int
    covered: int
    right: int
    wrong: list[str]


def shared_characters(mark: dict[str, Any], span: Span) -> int:
    return max(0, min(int(mark["end_position"]), span.end) - max(int(mark["start_position"]), span.start))


def count(texts: Sequence[Text], covered: Sequence[Sequence[Span]], label: str, kinds: set[str]) -> Count:
    templates, wrong = set(), []
    labelled = found = stretches = right = 0
    for text, all_spans in zip(texts, covered, strict=True):
        marks = [mark for mark in text.marks if mark["entity_type"] == label]
        mine = [span for span in all_spans if span.kind in kinds]
        labelled += len(marks)
        stretches += len(mine)
        for mark in marks:
            templates.add(text.template)
            length = mark["end_position"] - mark["start_position"]
            if 2 * sum(shared_characters(mark, span) for span in mine) >= length:
                found += 1
            else:
                wrong.append(f"missed {mark['entity_value']!r} in {text.text!r}")
        for span in mine:
            if any(shared_characters(mark, span) for mark in marks):
                right += 1
            else:
                wrong.append(f"not one {text.text[span.start : span.end]!r} in {text.text!r}")
    return Count(len(templates), labelled, found, stretches, right, wrong)


def share(part: int, whole: int) -> str:
    """A share with Wilson's interval, in per cent."""
    if whole == 0:
        return "–"
    z, p = 1.96, part / whole
    middle = (p + z * z / (2 * whole)) / (1 + z * z / whole)
    half = z * math.sqrt(p * (1 - p) / whole + z * z / (4 * whole * whole)) / (1 + z * z / whole)
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return f"{100 * p:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def phone_is_found(sentence: str, phone: str) -> bool:
    """Whether at least half of the number is covered as one."""
    start = sentence.index("{}")
    mark = {"start_position": start, "end_position": start + len(phone)}
    mine = [span for span in spans(sentence.format(phone), TEXT_KINDS) if span.kind in LABELS["PHONE_NUMBER"]]
    return 2 * sum(shared_characters(mark, span) for span in mine) >= len(phone)


def list_what_packages_hold() -> None:
    """What is covered in descriptions of the installed packages, e-mail and web addresses aside; to look through."""
    words, found = 0, []
    for package in distributions():
        for text in (package.read_text("METADATA") or "").split("\n\n"):
            words += len(text.split())
            found += [
                f"{span.kind}: {text[max(0, span.start - 30) : span.start]!r} {text[span.start : span.end]!r}"
                for span in spans(text, TEXT_KINDS)
                if span.kind not in ("email", "url")
            ]
    print(f"{words} words, {len(found)} covered", *found, sep="\n")


def labelled_texts() -> list[Text]:
    return [
        Text(text["full_text"], text["spans"], text["masked"]) for text in json.loads(TEXTS.read_text(encoding="utf-8"))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misses", action="store_true", help="list what the tuning half has wrong")
    parser.add_argument("--packages", action="store_true", help="list what is covered in descriptions of packages")
    asked = parser.parse_args()
    if asked.packages:
        list_what_packages_hold()
        return
    print("| half | label | templates | labelled | found | recall | covered | right | precision |")
    print("|---|---|---|---|---|---|---|---|---|")
    for half, texts in zip(HALVES, halves(labelled_texts()), strict=True):
        covered = [spans(text.text, (*TEXT_KINDS, *ASKED_KINDS)) for text in texts]
        for label, kinds in (LABELS | ASKED_LABELS).items():
            counted = count(texts, covered, label, kinds)
            templates, labelled, found, stretches, right, wrong = counted
            print(
                f"| {half} | {label} | {templates} | {labelled} | {found} | {share(found, labelled)} | {stretches}"
                f" | {right} | {share(right, stretches)} |"
            )
            if asked.misses and half == "tuning":
                print("\n".join(wrong))
    print("\n| sentence | phone numbers | found |\n|---|---|---|")
    with PEOPLE.open(encoding="utf-8-sig", newline="") as file:
        phones = [person["TelephoneNumber"] for person in csv.DictReader(file)]
    for sentence in SENTENCES:
        found = sum(phone_is_found(sentence, phone) for phone in phones)
        print(f"| {sentence.format('…')} | {len(phones)} | {share(found, len(phones))} |")


if __name__ == "__main__":
    main()
