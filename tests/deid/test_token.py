"""A token hides its value from everybody but the key's holder, who gets it back exactly."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from guardapp.cli import run
from guardapp.deid.policy import build_policy
from guardapp.deid.reveal import reveal
from guardapp.deid.rules.token import tokens, values_of
from guardapp.errors import GuardError
from guardapp.vault.audit import Audit
from guardapp.vault.store import Vault

KEY = bytes(range(32))
WORDS = st.lists(st.text(max_size=40), min_size=1, max_size=20)


def test_the_cipher_is_that_of_rfc_5297() -> None:
    # appendix A.1, deterministic authenticated encryption
    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    about = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    plain = bytes.fromhex("112233445566778899aabbccddee")
    sealed = "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"
    assert AESSIV(key).encrypt(plain, [about]).hex() == sealed


@given(WORDS)
def test_every_value_comes_back(values: list[str]) -> None:
    assert values_of(KEY, "id")(tokens(KEY, "id")(values)) == values


@given(WORDS)
def test_equal_values_have_equal_tokens_and_no_others_do(values: list[str]) -> None:
    made = tokens(KEY, "id")(values)
    assert len(set(made)) == len(set(values))
    assert dict(zip(values, made, strict=True)) == dict(reversed(list(zip(values, made, strict=True))))


@given(st.text(min_size=1, max_size=40), st.data())
def test_nobody_reads_a_token_with_another_key_or_column_or_after_a_change(value: str, data: st.DataObject) -> None:
    [token] = tokens(KEY, "id")([value])
    assert values_of(KEY[::-1], "id")([token]) == [None]
    assert values_of(KEY, "di")([token]) == [None]
    place = data.draw(st.integers(0, len(token) - 1))
    sign = data.draw(st.sampled_from([s for s in "0123456789ABCDEFGHJKMNPQRSTVWXYZ-" if s != token[place]]))
    assert values_of(KEY, "id")([token[:place] + sign + token[place + 1 :]]) == [None]
    assert values_of(KEY, "id")([token[:-1], token + "0", value, "T-", ""]) == [None] * 5


def test_a_token_tells_the_length_in_steps_of_16_bytes_only() -> None:
    lengths = {len(tokens(KEY, "id")(["x" * n])[0]) for n in range(16)}
    assert len(lengths) == 1


def test_a_key_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        tokens(b"short", "id")


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    luck = random.Random(5)
    path = tmp_path / "clinic.csv"
    names = ["Ann", "Bèla", "王芳", "O'Hara, Jr.", '"Q"']
    rows = (f"{i:06d},{_quoted(luck.choice(names))},{luck.randint(20, 60)}" for i in range(100_000))
    path.write_text("id,name,age\n" + "\n".join(rows) + "\n,,30\n", encoding="utf-8")
    return path


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "version: 1\nkey: research\ncolumns:\n"
        "  id: {role: direct, rule: token}\n  name: {role: direct, rule: token}\n  age: {role: other}\n"
    )
    return path


def test_a_protected_table_of_100_000_rows_is_revealed_by_the_key_and_by_nobody_else(
    clinic: Path, policy: Path, tmp_path: Path, home: Path
) -> None:
    from guardapp.formats.tables import open_table

    assert run(["deid", "run", str(clinic), "--policy", str(policy), "--out", str(tmp_path / "out")]) == 0
    protected = tmp_path / "out" / "clinic.csv"
    text = protected.read_text(encoding="utf-8")
    assert "王芳" not in text and "Hara" not in text and "000017" not in text
    back = tmp_path / "back.csv"
    assert run(["deid", "reveal", str(protected), "--policy", str(policy), "-o", str(back)]) == 0
    original, revealed = open_table(clinic), open_table(back)
    assert revealed.head(200_000) == original.head(200_000)
    assert back.stat().st_mode & 0o777 == 0o600
    assert "tokens-revealed" in [entry.event for entry in Audit().entries()]
    # nothing is overwritten
    assert run(["deid", "reveal", str(protected), "--policy", str(policy), "-o", str(back)]) == 2
    # another key says no, and leaves nothing
    Vault.open().new_key("other", "pseudonym")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(policy.read_text().replace("research", "other"))
    assert run(["deid", "reveal", str(protected), "--policy", str(wrong), "-o", str(tmp_path / "no.csv")]) == 1
    # a key that is not there is not made
    gone = tmp_path / "gone.yaml"
    gone.write_text(policy.read_text().replace("research", "nobody"))
    assert run(["deid", "reveal", str(protected), "--policy", str(gone), "-o", str(tmp_path / "no.csv")]) == 2
    assert "nobody" not in [key.name for key in Vault.open().keys()]
    assert not list(tmp_path.glob("*no.csv*"))


def test_a_changed_token_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    made = tokens(KEY, "id")(["a", "b"])
    path = tmp_path / "t.csv"
    path.write_text(f"id,age\n{made[0]},3\n{made[1][:-3]}000,4\n")
    policy = build_policy({"columns": {"id": {"role": "direct", "rule": "token"}, "age": {"role": "other"}}})
    with pytest.raises(GuardError, match="could not be revealed") as caught:
        reveal(path, policy, KEY, tmp_path / "out.csv")
    assert (caught.value.code, caught.value.exit_code) == ("reveal.not-a-token", 1)
    assert "1 of 2 different cells in “id”" in caught.value.why
    assert [one.name for one in tmp_path.iterdir()] == ["t.csv"]


def test_a_table_without_tokens_has_nothing_to_reveal(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,age\nP-0000000000000000,3\n")
    policy = build_policy({"columns": {"id": {"role": "direct", "rule": "pseudonym"}, "age": {"role": "other"}}})
    with pytest.raises(GuardError, match="nothing to reveal"):
        reveal(path, policy, KEY, tmp_path / "out.csv")


def test_a_quasi_identifier_takes_no_token() -> None:
    with pytest.raises(GuardError, match="policy"):
        build_policy({"columns": {"age": {"role": "quasi", "rule": "token"}}})
