"""How many names and addresses in Chinese sentences are found: `python -m tests.realdata.chinese_sentences`.

The sentences, in `chinese_sentences.txt`, have names 【…】, addresses 〔…〕 or neither, each of its own; people
and places are made up. Those after the empty line were written after the rules, and the rules were not changed by them.
"""

from __future__ import annotations

import re
from pathlib import Path

from guardapp.deid.detectors import ASKED_KINDS
from guardapp.deid.detectors.in_text import spans

SENTENCES = Path(__file__).with_suffix(".txt")
_MARK = re.compile("【(?P<person_name>.*?)】|〔(?P<address>.*?)〕")


def parted(marked: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The sentence without marks, and start, end and kind of what was marked."""
    text, wanted, last = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[last : match.start()]
        kind = str(match.lastgroup)
        wanted.append((len(text), len(text) + len(match[kind]), kind))
        text, last = text + match[kind], match.end()
    return text + marked[last:], wanted


def main() -> None:
    for batch in SENTENCES.read_text(encoding="utf-8").split("\n\n"):
        lines = batch.split()
        print(f"{len(lines)} sentences")
        for kind in ASKED_KINDS:
            labelled = found = exact = covered = right = 0
            for marked in lines:
                text, all_wanted = parted(marked)
                wanted = [place for place in all_wanted if place[2] == kind]
                mine = [span for span in spans(text, ASKED_KINDS) if span.kind == kind]
                labelled, covered = labelled + len(wanted), covered + len(mine)
                for start, end, _ in wanted:
                    shared = sum(max(0, min(end, span.end) - max(start, span.start)) for span in mine)
                    found += 2 * shared >= end - start
                    exact += any((span.start, span.end) == (start, end) for span in mine)
                right += sum(any(start < span.end and span.start < end for start, end, _ in wanted) for span in mine)
                if {(start, end) for start, end, _ in wanted} != {(span.start, span.end) for span in mine}:
                    print(f"  {kind}: {marked} {[text[span.start : span.end] for span in mine]}")
            print(f"{kind}: {labelled} marked, {found} found, {exact} exactly; {covered} covered, {right} right")


if __name__ == "__main__":
    main()
