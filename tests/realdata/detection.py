"""How many identifiers inside real-looking texts are found: `python -m tests.realdata.detection`, a table on stdout.

The texts are the 1,500 labelled ones of presidio-research (`synth_dataset_v2.json`), made from templates. A labelled
identifier is found when at least half of its characters are covered as its kind; a covered stretch is right when it
shares characters with a labelled identifier of its kind.
"""

from __future__ import annotations

import json
from pathlib import Path

from guardapp.deid.detectors import TEXT_KINDS
from guardapp.deid.detectors.in_text import Span, spans

TEXTS = Path(__file__).parents[3] / "shared" / "data" / "presidio-research" / "synth_dataset_v2.json"
LABELS = {
    "EMAIL_ADDRESS": {"email"},
    "IP_ADDRESS": {"ipv4", "ipv6"},
    "PHONE_NUMBER": {"phone", "cn_mobile"},
    "CREDIT_CARD": {"payment_card"},
    "IBAN_CODE": {"iban"},
    "US_SSN": {"us_ssn"},
    "DOMAIN_NAME": {"url"},
}
"""The labels of the data and the kinds that answer them. There is no kind for web addresses (`DOMAIN_NAME`)."""


def shared_characters(label: dict[str, int], span: Span) -> int:
    return max(0, min(label["end_position"], span.end) - max(label["start_position"], span.start))


def main() -> None:
    texts = json.loads(TEXTS.read_text(encoding="utf-8"))
    covered = [spans(text["full_text"], TEXT_KINDS) for text in texts]
    print(f"| {'label':13} | labelled | found | recall | covered | right | precision |")
    for label, kinds in LABELS.items():
        labelled = found = stretches = right = 0
        for text, all_spans in zip(texts, covered, strict=True):
            marks = [mark for mark in text["spans"] if mark["entity_type"] == label]
            mine = [span for span in all_spans if span.kind in kinds]
            labelled += len(marks)
            stretches += len(mine)
            for mark in marks:
                length = mark["end_position"] - mark["start_position"]
                found += 2 * sum(shared_characters(mark, span) for span in mine) >= length
            right += sum(any(shared_characters(mark, span) for mark in marks) for span in mine)
        recall = f"{100 * found / labelled:.1f} %"
        precision = f"{100 * right / stretches:.1f} %" if stretches else "-"
        print(f"| {label:13} | {labelled:8} | {found:5} | {recall:>6} | {stretches:7} | {right:5} | {precision:>9} |")


if __name__ == "__main__":
    main()
