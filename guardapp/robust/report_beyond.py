"""The part of the report on what was tried beyond the norm."""

from __future__ import annotations

from guardapp.reports import Report, Words
from guardapp.robust.beyond import Beyond
from guardapp.robust.certify.twin import Twin
from guardapp.robust.constrained import RowAttack
from guardapp.robust.corruptions import SEVERITIES
from guardapp.robust.flag import percent
from guardapp.robust.natural import Corrupted, Part, Summary
from guardapp.robust.patches import Patched

SHOWN_PARTS = 15


def write_beyond(report: Report, beyond: Beyond) -> None:
    if beyond.rows is not None:
        _rows(report, beyond.rows)
    if beyond.twins:
        _twins(report, beyond.twins)
    if beyond.patches:
        _patches(report, beyond.patches)
    if beyond.summary is not None:
        _corruptions(report, beyond.corruptions, beyond.summary)
    _parts(report, "subgroup", "Subgroups", "Accuracy on parts of the rows, the weakest first.", beyond.parts)
    text = "Accuracy when one column is shuffled among the rows: the lower, the more the model leans on it."
    _parts(report, "permutation", "Columns that the model leans on", text, beyond.parts)


def _rows(report: Report, found: RowAttack) -> None:
    report.section("Rows that could be handed in")
    report.paragraph(
        "The attacker changes rows in their own units and keeps bounds, whole numbers, categories, directions and "
        "relations. A budget of 1 lets each number move by one median absolute deviation of its column."
    )
    rows = []
    for point in found.points:
        changed = Words("none") if point.columns is None else f"{point.columns:.1f}"
        shares = [percent(point.robust.value), percent(point.robust.low), percent(point.robust.high)]
        rows.append([f"{point.budget:g}", *shares, str(point.climb), str(point.search), changed])
    columns = ["Budget", "Right answers", "Low", "High", "Broken by gradient", "Broken by search", "Cells changed"]
    report.table(columns, rows, numeric=range(7))
    report.bullets(
        [
            f"Every one of the {len(found.rows)} changed rows was read again and checked against every constraint.",
            f"{found.attackable} rows that are right keep the relations themselves; the others were left alone.",
        ]
    )


def _twins(report: Report, found: tuple[Twin, ...]) -> None:
    report.section("Proved for the smoothed twin")
    report.paragraph(
        "The twin answers what the model says most often under Gaussian noise. Within the L2 radius no change makes it "
        "wrong, for each example with 99.9 % confidence (Cohen et al. 2019). It is a promise about the twin, not about "
        "the model itself: use the twin to have it."
    )
    rows = []
    for twin in found:
        for radius, part in twin.proved:
            shares = [percent(value) for value in (part.value, part.low, part.high)]
            rows.append([f"{twin.sigma:g}", f"{radius:.3g}", *shares, str(twin.abstained)])
    columns = ["Noise", "L2 radius", "Proved right", "Low", "High", "Abstained"]
    report.table(columns, rows, numeric=range(6))


def _patches(report: Report, found: tuple[Patched, ...]) -> None:
    report.section("One repainted square")
    report.paragraph(
        "The attacker paints one square of the picture, wherever it hurts most, in any colours; each picture gets a "
        "square of its own. This is no printed sticker in front of a camera, which bears angle and light too."
    )
    rows = []
    for one in found:
        shares = [percent(part) for part in (one.right.value, one.right.low, one.right.high)]
        rows.append([f"{one.side} × {one.side}", *shares, str(one.right.total)])
    report.table(["Pixels", "Right answers", "Low", "High", "Pictures"], rows, numeric=range(1, 5))


def _corruptions(report: Report, found: tuple[Corrupted, ...], whole: Summary) -> None:
    report.section("Common corruptions")
    report.paragraph(
        f"Mean error {percent(whole.mean_error)}, {100 * whole.added:.1f} points above the error without damage; "
        f"worst {percent(whole.worst_error)}."
    )
    names = list(dict.fromkeys(one.name for one in found))
    right = {(one.name, one.severity): one.right.value for one in found}
    severities = range(1, SEVERITIES + 1)
    rows = [[Words(name), *(percent(right[name, severity]) for severity in severities)] for name in names]
    report.table(["Corruption", *(str(severity) for severity in severities)], rows, numeric=range(1, SEVERITIES + 1))
    report.paragraph(
        "Share of right answers at severity 1 to 5. The kinds are those of ImageNet-C and three digital faults, drawn "
        "anew here, so compare with other models checked here, not with published figures."
    )


def _parts(report: Report, kind: str, title: str, text: str, parts: tuple[Part, ...]) -> None:
    chosen = sorted((part for part in parts if part.kind == kind), key=lambda part: part.right.value)[:SHOWN_PARTS]
    if not chosen:
        return
    report.section(title)
    report.paragraph(text)
    rows = [
        [part.name, percent(part.right.value), percent(part.right.low), percent(part.right.high), str(part.right.total)]
        for part in chosen
    ]
    report.table(["Rows of the table", "Right answers", "Low", "High", "Rows"], rows, numeric=range(1, 5))
