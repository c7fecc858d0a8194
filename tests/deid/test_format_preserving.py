"""An encrypted value looks like the value, comes back with its key, and is refused where it could be guessed."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardapp.cli import run
from guardapp.deid.policy import build_policy
from guardapp.deid.rule_options import Fpe
from guardapp.deid.rules.format_preserving import decrypted, encrypted
from guardapp.errors import GuardError
from guardapp.vault.store import Vault

KEY = bytes(range(32))
VALUES = st.lists(st.text(st.sampled_from("0123456789-+ ()王aZX"), min_size=1, max_size=24), min_size=1, max_size=30)


@settings(deadline=None)
@given(VALUES, st.sampled_from(["digits", "letters", "digits_upper", "alphanumeric"]))
def test_every_value_comes_back_or_is_covered(values: list[str], alphabet: str) -> None:
    options = Fpe(alphabet=alphabet, short="redact")
    made = encrypted(KEY, "phone", options)(values)
    back = decrypted(KEY, "phone", options)(made)
    for value, new, again in zip(values, made, back, strict=True):
        assert (new, again) == ("*", "*") if new == "*" else again == value
        assert len(new) == len(value) or new == "*"


def test_what_is_outside_the_alphabet_stays_in_its_place() -> None:
    made = encrypted(KEY, "phone", Fpe())(["138-1234-5678", "+86 138 1234 5679", "11010519491231002X"])
    assert re.fullmatch(r"\d{3}-\d{4}-\d{4}", made[0])
    assert re.fullmatch(r"\+\d\d \d{3} \d{4} \d{4}", made[1])
    assert re.fullmatch(r"\d{17}X", made[2])
    assert made[0] != "138-1234-5678"


def test_columns_alphabets_and_keys_give_other_values_and_a_project_the_same() -> None:
    value = ["123456789012"]
    column, project = Fpe(), Fpe(consistent="project")
    made = {
        encrypted(key, name, options)(value)[0]
        for key in (KEY, KEY[::-1])
        for name in ("a", "b")
        for options in (column, Fpe(alphabet="digits_upper"))
    }
    assert len(made) == 8
    assert encrypted(KEY, "a", project)(value) == encrypted(KEY, "b", project)(value)
    assert decrypted(KEY[::-1], "a", column)(encrypted(KEY, "a", column)(value)) != value


def test_a_short_value_is_refused_with_the_number_of_rows_before_anything_is_written(tmp_path: Path) -> None:
    from guardapp.deid.job import DeidSpec
    from guardapp.deid.job import run as protect
    from guardapp.progress import Progress

    path = tmp_path / "t.csv"
    path.write_text("id,age\n123456,1\n12345,2\n12345,3\n1-2-3,4\n,5\n")
    columns = {"id": {"role": "direct", "rule": "fpe"}, "age": {"role": "other"}}
    out = tmp_path / "out"
    out.mkdir()
    spec = DeidSpec(name="t", input=path, policy=build_policy({"columns": columns}))
    with pytest.raises(GuardError, match="in its format") as caught:
        protect(spec, out, Progress(keys={"pseudonyms": KEY}))
    assert caught.value.code == "rule.too-short"
    assert caught.value.why.startswith("3 rows")
    assert not list(out.iterdir())
    columns["id"]["rule"] = {"fpe": {"short": "redact"}}  # type: ignore[assignment]
    spec = DeidSpec(name="t", input=path, policy=build_policy({"columns": columns}))
    protect(spec, out, Progress(keys={"pseudonyms": KEY}))
    cells = [line.split(",")[0] for line in (out / "t.csv").read_text().splitlines()[1:]]
    assert cells[1:] == ["*", "*", "*", ""]
    assert re.fullmatch(r"\d{6}", cells[0])


def test_cells_that_a_spreadsheet_would_run_come_back_without_the_apostrophe(tmp_path: Path) -> None:
    from guardapp.deid.job import DeidSpec
    from guardapp.deid.job import run as protect
    from guardapp.deid.policy import load_policy
    from guardapp.deid.reveal import reveal
    from guardapp.formats.tables import open_table
    from guardapp.progress import Progress

    path, out = tmp_path / "t.csv", tmp_path / "out"
    path.write_text("id,who,seen\n+86 138 1234 5678,@a,2024-01-01\n@123456789,@b,2024-02-01\n1234567,c,2024-03-01\n")
    out.mkdir()
    columns = {
        "id": {"role": "direct", "rule": "fpe"},
        "who": {"role": "other"},
        "seen": {"role": "other", "rule": {"date_shift": {"person": "who", "days": 30_000}}},
    }
    policy = build_policy({"columns": columns})
    protect(DeidSpec(name="t", input=path, policy=policy), out, Progress(keys={"pseudonyms": KEY}))
    assert (out / "t.csv").read_text().count("'") == 4
    back = tmp_path / "back.parquet"
    reveal(out / "t.csv", load_policy(out / "policy.yaml"), KEY, back)
    # the column in between was kept, apostrophes and all
    assert [row[::2] for row in open_table(back).head(5)] == [row[::2] for row in open_table(path).head(5)]


def test_values_of_too_many_characters_are_refused_too() -> None:
    with pytest.raises(GuardError, match="in its format"):
        encrypted(KEY, "note", Fpe())(["1" * 1001])
    assert len(encrypted(KEY, "note", Fpe())(["1" * 1000])[0]) == 1000


def test_ff3_is_not_known() -> None:
    with pytest.raises(GuardError, match="policy"):
        build_policy({"columns": {"id": {"role": "direct", "rule": "ff3"}}})


def test_reversible_rules_of_100_000_rows_are_revealed_by_the_key_and_by_nobody_else(
    tmp_path: Path, home: Path
) -> None:
    from guardapp.formats.tables import open_table

    luck = random.Random(3)
    path = tmp_path / "visits.csv"
    lines = (
        f"{luck.randrange(10**11):011d},AB{luck.randrange(10**6):06d},"
        f"{1940 + luck.randrange(80)}-{luck.randint(1, 12):02d}-{luck.randint(1, 28):02d},{luck.randrange(9)}"
        for _ in range(100_000)
    )
    path.write_text("phone,code,seen,kind\n" + "\n".join(lines) + "\n")
    policy = tmp_path / "policy.yaml"
    policy.write_text(
        "version: 1\nkey: research\ncolumns:\n"
        "  phone: {role: direct, rule: {fpe: {consistent: project}}}\n"
        "  code: {role: direct, rule: {fpe: {alphabet: digits_upper}}}\n"
        "  seen: {role: other, rule: {date_shift: {person: phone, days: 90}}}\n  kind: {role: other}\n"
    )
    assert run(["deid", "run", str(path), "--policy", str(policy), "--out", str(tmp_path / "out")]) == 0
    protected, released = tmp_path / "out" / "visits.csv", tmp_path / "out" / "policy.yaml"
    before, after = open_table(path).head(100_000), open_table(protected).head(100_000)
    for at in (0, 2):
        assert sum(one[at] == other[at] for one, other in zip(before, after, strict=True)) < 5
    back = tmp_path / "back.csv"
    assert run(["deid", "reveal", str(protected), "--policy", str(released), "-o", str(back)]) == 0
    assert open_table(back).head(100_000) == before
    # without the sign nobody could tell a wrong key
    assert run(["deid", "reveal", str(protected), "--policy", str(policy), "-o", str(tmp_path / "no.csv")]) == 2
    # a vault that has another key under the name is refused by the sign beside the release
    Vault.open().new_key("other", "pseudonym")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(released.read_text().replace("research", "other"))
    assert run(["deid", "reveal", str(protected), "--policy", str(wrong), "-o", str(tmp_path / "no.csv")]) == 1
    assert not (tmp_path / "no.csv").exists()
