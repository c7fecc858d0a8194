"""Every row that is seen gets its protected side, however the rows lie on pages."""

from __future__ import annotations

from typing import Any

from pytestqt.qtbot import QtBot

from guardapp.desktop.deidentify.preview_pair import PreviewPair


def answer(offset: int, rows: int, *, protected: bool) -> dict[str, Any]:
    lines = [[str(number)] for number in range(offset, offset + rows)]
    both = {"protected": lines, "states": [[""]] * rows} if protected else {}
    return {"offset": offset, "rows": 1000, "original": lines, "dropped": [], **both}


def test_rows_on_two_pages_are_wished_for_at_once_until_both_sides_are_here(qtbot: QtBot) -> None:
    pair = PreviewPair()
    qtbot.addWidget(pair)
    pair.resize(900, 700)
    pair.show()
    wishes: list[tuple[int, int]] = []
    pair.rows.wanted.connect(lambda offset, limit: wishes.append((offset, limit)))
    pair.open(["number"])
    pair.show_measured(answer(0, 60, protected=True), set())
    wishes.clear()
    page = pair.rows.size
    pair.bar.setValue(5 * page - 2)
    assert wishes == [(4 * page, 2 * page)]
    # the file's own cells come first; what becomes of them is still waited for
    pair.add_page(answer(4 * page, 2 * page, protected=False))
    assert wishes[-1] == (4 * page, 2 * page)
    wishes.clear()
    pair.add_page(answer(4 * page, 2 * page, protected=True))
    assert wishes == []
    seen = pair.right_model.numbers
    assert all(pair.rows.complete(number) for number in seen)
