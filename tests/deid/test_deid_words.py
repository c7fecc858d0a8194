"""The sentences that profiling puts together are Chinese to the last word."""

from __future__ import annotations

from pathlib import Path

from guardapp.deid.profile import profile
from guardapp.language import translate


def test_reasons_of_a_profile_are_chinese_to_the_last_word(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "nhs_number,full_name,age,remark,when,code\n"
        + "".join(
            f"943 476 5919,Anna Smith,{i},mail a{i}@example.org now,2024-01-{i:02d},x{i}\n" for i in range(10, 29)
        )
    )
    for column in profile(path).columns:
        for text in (column.why, column.evidence, column.kind_title):
            translated = translate(text, "zh")
            assert translated != text
            for word in ("values", "header", "singles", "pass", "of rows", "texts"):
                assert word not in translated
