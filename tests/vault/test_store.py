"""The vault keeps keys: encrypted, bound to their names, for whoever has the passphrase or the account."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from guardapp.errors import GuardError
from guardapp.spec import KeyNeed
from guardapp.vault import protection
from guardapp.vault.keys import KeyType
from guardapp.vault.last_good import restore_last_good
from guardapp.vault.provider import key_provider
from guardapp.vault.store import Vault

PASSPHRASE = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_argon2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest memory keeps the tests fast; one test below uses the real settings."""
    monkeypatch.setattr(protection, "MEMORY_KIB", 64)
    monkeypatch.setattr(protection, "PASSES", 1)


@pytest.fixture
def vault(home: Path) -> Vault:
    return Vault.open(home)


@pytest.mark.parametrize("kind", ["x25519", "signing", "rsa", "pseudonym"])
def test_a_key_is_the_same_after_reopening(home: Path, vault: Vault, kind: KeyType) -> None:
    info = vault.new_key("mine", kind)
    private = vault.private("mine")
    again = Vault.open(home)
    assert again.keys() == [info]
    assert again.private("mine") == private


def test_keys_have_the_text_forms_that_others_read(vault: Vault) -> None:
    pyrage = pytest.importorskip("pyrage")
    vault.new_key("age", "x25519")
    identity = pyrage.x25519.Identity.from_str(vault.private("age").decode())
    assert str(identity.to_public()) == vault.public("age")
    vault.new_key("sign", "signing")
    key = serialization.load_pem_private_key(vault.private("sign"), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1"
    vault.new_key("rsa", "rsa")
    rsa_key = serialization.load_pem_private_key(vault.private("rsa"), None)
    assert isinstance(rsa_key, rsa.RSAPrivateKey) and rsa_key.key_size >= 3072
    assert rsa_key.public_key() == serialization.load_pem_public_key(vault.public("rsa").encode())


def test_a_fingerprint_can_be_recomputed_by_others(vault: Vault, tmp_path: Path) -> None:
    import hashlib

    info = vault.new_key("sign", "signing")
    der = serialization.load_pem_public_key(info.public.encode()).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert info.fingerprint.replace(" ", "").lower() == hashlib.sha256(der).hexdigest()[:32]
    assert [len(group) for group in info.fingerprint.split(" ")] == [4] * 8


def test_no_private_key_lies_on_the_disk_in_the_clear(home: Path, vault: Vault) -> None:
    secrets = []
    for kind in ("x25519", "signing", "rsa", "pseudonym"):
        vault.new_key(kind, kind)  # type: ignore[arg-type]
        secrets.append(vault.private(kind))
    vault.set_passphrase(PASSPHRASE)
    vault.delete("signing")
    vault.set_passphrase(None)
    scalar = b"".join(secrets[1].split(b"\n")[1:-2])[:40]
    needles = [*secrets, scalar, secrets[0][20:50], PASSPHRASE.encode()]
    for file in home.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not [needle for needle in needles if needle in content], file


def test_a_vault_without_a_passphrase_says_so_and_is_open(vault: Vault) -> None:
    assert not vault.locked
    assert vault.protection == "device"
    assert "account only" in vault.protection_note
    assert vault.seconds_until_lock() is None
    with pytest.raises(GuardError) as error:
        vault.lock()
    assert error.value.code == "vault.no-passphrase"


def test_only_the_account_may_read_the_files(vault: Vault) -> None:
    vault.new_key("a", "x25519")
    for file in vault.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    assert stat.S_IMODE(vault.folder.stat().st_mode) == 0o700


def test_a_passphrase_locks_and_unlocks(home: Path, vault: Vault) -> None:
    vault.new_key("a", "x25519")
    private = vault.private("a")
    vault.set_passphrase(PASSPHRASE)
    assert not (vault.folder / "device.key").exists()
    assert vault.private("a") == private
    again = Vault.open(home)
    assert again.locked
    assert [info.name for info in again.keys()] == ["a"]  # public halves can be seen
    with pytest.raises(GuardError) as error:
        again.private("a")
    assert error.value.code == "vault.locked"
    with pytest.raises(GuardError) as error:
        again.new_key("b", "x25519")
    assert error.value.code == "vault.locked"
    again.unlock(PASSPHRASE)
    assert again.private("a") == private
    again.lock()
    assert again.locked


@pytest.mark.parametrize("wrong", ["", "correct horse batterz", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_is_refused(home: Path, vault: Vault, wrong: str) -> None:
    vault.set_passphrase(PASSPHRASE)
    again = Vault.open(home)
    with pytest.raises(GuardError) as error:
        again.unlock(wrong)
    assert (error.value.code, error.value.answer) == ("vault.passphrase", "no")
    assert again.locked


def test_a_passphrase_is_the_same_however_its_accents_are_typed(home: Path, vault: Vault) -> None:
    vault.set_passphrase("caf\u00e9 au lait")
    again = Vault.open(home)
    assert again.locked
    again.unlock("cafe\u0301 au lait")
    assert not again.locked


def test_a_short_passphrase_is_refused_and_changes_nothing(vault: Vault) -> None:
    with pytest.raises(GuardError) as error:
        vault.set_passphrase("1234567")
    assert error.value.code == "vault.weak-passphrase"
    assert vault.protection == "device" and not vault.locked


def test_the_real_argon2_settings_are_those_of_rfc_9106(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("GUARDAPP_HOME", str(home))
    vault = Vault.open(home)
    vault.set_passphrase(PASSPHRASE)
    connection = sqlite3.connect(vault.path)
    (parameters,) = connection.execute("SELECT parameters FROM protection").fetchone()
    connection.close()
    assert '"memory_kib": 65536' in parameters and '"passes": 3' in parameters and '"lanes": 4' in parameters


def test_an_absurd_argon2_cost_is_refused_before_it_is_paid(home: Path, vault: Vault) -> None:
    vault.set_passphrase(PASSPHRASE)
    edit(
        vault.path,
        "UPDATE protection SET parameters = replace(parameters, '\"memory_kib\": 64', '\"memory_kib\": 1e9')",
    )
    with pytest.raises(GuardError) as error:
        Vault.open(home).unlock(PASSPHRASE)
    assert error.value.code == "vault.damaged"


def test_idle_time_locks(vault: Vault) -> None:
    vault.set_passphrase(PASSPHRASE)
    vault.new_key("a", "x25519")
    left = vault.seconds_until_lock()
    assert left is not None and 0 < left <= vault.lock_after
    vault.lock_after = 0.05
    time.sleep(0.1)
    assert vault.locked
    assert vault.seconds_until_lock() is None
    with pytest.raises(GuardError):
        vault.private("a")
    vault.lock_after = 900
    vault.unlock(PASSPHRASE)
    vault.private("a")


def test_asking_whether_it_is_locked_does_not_keep_it_open(vault: Vault) -> None:
    vault.set_passphrase(PASSPHRASE)
    vault.lock_after = 0.2
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        vault.keys()
        if vault.locked:
            return
    pytest.fail("the vault never locked itself")


def test_another_window_notices_a_new_passphrase(home: Path, vault: Vault) -> None:
    vault.new_key("a", "x25519")
    other = Vault.open(home)
    vault.set_passphrase(PASSPHRASE)
    assert other.locked
    other.unlock(PASSPHRASE)
    vault.set_passphrase(None)
    assert not other.locked
    assert other.private("a") == vault.private("a")


def test_the_old_device_key_opens_nothing_after_a_passphrase_is_set(home: Path, vault: Vault) -> None:
    device_key = (vault.folder / "device.key").read_bytes()
    vault.new_key("a", "x25519")
    vault.set_passphrase(PASSPHRASE)
    vault.new_key("b", "x25519")
    (vault.folder / "device.key").write_bytes(device_key)
    assert Vault.open(home).locked
    assert not (vault.folder / "device.key").exists()


def test_a_lost_device_key_is_said_plainly_and_nothing_is_overwritten(home: Path, vault: Vault) -> None:
    vault.new_key("a", "x25519")
    before = vault.path.read_bytes()
    (vault.folder / "device.key").unlink()
    with pytest.raises(GuardError) as error:
        Vault.open(home)
    assert error.value.code == "vault.device-key"
    assert not (vault.folder / "device.key").exists()
    assert vault.path.read_bytes() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE keys SET public = (SELECT public FROM keys WHERE name = 'b') WHERE name = 'a'",
        "UPDATE keys SET sealed = (SELECT sealed FROM keys WHERE name = 'b') WHERE name = 'a'",
        "UPDATE keys SET name = 'c' WHERE name = 'a'",
        "UPDATE keys SET type = 'rsa' WHERE name = 'a'",
        "UPDATE keys SET fingerprint = fingerprint || '0' WHERE name = 'a'",
        "UPDATE keys SET public = public || ' ' WHERE name = 'someone'",
        "UPDATE keys SET sealed = x'00' WHERE name = 'someone'",
        "UPDATE keys SET has_private = 1 WHERE name = 'someone'",
    ],
)
def test_an_exchanged_or_edited_entry_is_found(home: Path, vault: Vault, statement: str) -> None:
    for name in "ab":
        vault.new_key(name, "signing")
    vault.import_key("someone", vault.export("b"))
    edit(vault.path, statement)
    with pytest.raises(GuardError) as error:
        Vault.open(home).keys()
    assert error.value.code == "vault.damaged"


def test_a_damaged_vault_points_to_its_last_good_copy_which_brings_the_keys_back(home: Path, vault: Vault) -> None:
    vault.new_key("a", "x25519")
    private = vault.private("a")
    vault.path.write_bytes(b"\0" * 5000)
    with pytest.raises(GuardError) as error:
        Vault.open(home)
    assert error.value.code == "vault.damaged"
    assert "--last-good" in error.value.next
    aside = restore_last_good(home)
    assert aside.read_bytes() == b"\0" * 5000
    assert Vault.open(home).private("a") == private


def test_without_a_last_good_copy_a_damaged_vault_is_left_as_it_is(home: Path, vault: Vault) -> None:
    vault.path.write_bytes(b"\0" * 5000)
    with pytest.raises(GuardError) as error:
        restore_last_good(home)
    assert error.value.code == "vault.no-copy"
    assert vault.path.read_bytes() == b"\0" * 5000


def test_a_truncated_vault_is_never_taken_for_a_new_one(home: Path, vault: Vault) -> None:
    vault.new_key("a", "x25519")
    whole = vault.path.read_bytes()
    for length in (0, 1, 100, 4096, len(whole) // 2, len(whole) - 1):
        vault.path.write_bytes(whole[:length])
        with pytest.raises(GuardError) as error:
            Vault.open(home).keys()
        assert error.value.code == "vault.damaged", length
    vault.path.unlink()
    with pytest.raises(GuardError) as error:
        Vault.open(home)
    assert error.value.code == "vault.damaged"
    vault.path.write_bytes(whole)
    assert Vault.open(home).keys()


@pytest.mark.parametrize("name", ["", " ", "a/b", "a\\b", "age1abc", "AGE-SECRET-KEY-1", "-x", "a:b", "x" * 65, "a\nb"])
def test_a_name_that_could_be_taken_for_something_else_is_refused(vault: Vault, name: str) -> None:
    with pytest.raises(GuardError) as error:
        vault.new_key(name, "x25519")
    assert error.value.code == "vault.name"


def test_names_are_for_people(vault: Vault) -> None:
    vault.new_key("Aiko Tanaka", "signing")
    vault.new_key("发布密钥", "signing")
    assert [info.name for info in vault.keys()] == ["Aiko Tanaka", "发布密钥"]


def test_a_key_is_never_overwritten(vault: Vault) -> None:
    vault.new_key("a", "x25519")
    private = vault.private("a")
    with pytest.raises(GuardError) as error:
        vault.new_key("a", "signing")
    assert error.value.code == "vault.name-taken"
    assert vault.private("a") == private


def test_an_unknown_name_is_answered_with_the_nearest(vault: Vault) -> None:
    vault.new_key("archive", "x25519")
    with pytest.raises(GuardError) as error:
        vault.private("archiv")
    assert error.value.code == "vault.no-key"
    assert "“archive”" in error.value.why


@pytest.mark.parametrize("kind", ["x25519", "signing", "rsa", "pseudonym"])
def test_what_is_exported_can_be_imported(vault: Vault, kind: KeyType) -> None:
    first = vault.new_key("a", kind)
    second = vault.import_key("b", vault.export("a", public=False))
    assert vault.private("b") == vault.private("a")
    assert second.fingerprint == first.fingerprint
    if kind != "pseudonym":
        third = vault.import_key("c", vault.export("a"))
        assert (third.public, third.has_private) == (first.public, False)
        with pytest.raises(GuardError) as error:
            vault.private("c")
        assert error.value.code == "vault.only-public"


def test_keys_that_are_too_weak_or_of_another_kind_are_not_imported(vault: Vault) -> None:
    weak = rsa.generate_private_key(65537, 2048)
    other = ec.generate_private_key(ec.SECP256K1())
    locked = ec.generate_private_key(ec.SECP256R1())
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    for key, protect, code in (
        (weak, serialization.NoEncryption(), "key.weak"),
        (other, serialization.NoEncryption(), "key.kind"),
        (locked, serialization.BestAvailableEncryption(b"secret"), "key.unreadable"),
    ):
        with pytest.raises(GuardError) as error:
            vault.import_key("x", key.private_bytes(encoding, form, protect))  # type: ignore[attr-defined]
        assert error.value.code == code
    for junk in (b"", b"hello", b"\xff\x00", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"):
        with pytest.raises(GuardError) as error:
            vault.import_key("x", junk)
        assert error.value.code == "key.unreadable"
    assert vault.keys() == []


def test_deleting_says_what_is_lost_and_leaves_no_trace_of_the_key(vault: Vault) -> None:
    vault.new_key("a", "x25519")
    vault.new_key("b", "signing")
    assert "for ever" in vault.what_is_lost("a")
    assert "stay valid" in vault.what_is_lost("b")
    connection = sqlite3.connect(vault.path)
    (sealed,) = connection.execute("SELECT sealed FROM keys WHERE name = 'a'").fetchone()
    connection.close()
    vault.delete("a")
    assert [info.name for info in vault.keys()] == ["b"]
    for file in vault.folder.iterdir():
        assert sealed not in file.read_bytes(), file.name


def test_a_provider_gives_what_a_spec_names(vault: Vault) -> None:
    vault.new_key("archive", "x25519")
    provide = key_provider(vault)
    assert provide(KeyNeed("archive", "public")) == vault.public("archive").encode()
    assert provide(KeyNeed("archive", "private")) == vault.private("archive")
    made = provide(KeyNeed("clinic", "pseudonym"))
    assert len(made) == 32 and provide(KeyNeed("clinic", "pseudonym")) == made
    with pytest.raises(GuardError) as error:
        provide(KeyNeed("archive", "pseudonym"))
    assert error.value.code == "vault.wrong-type"
    with pytest.raises(GuardError) as error:
        provide(KeyNeed("clinic", "public"))
    assert error.value.code == "vault.no-public"


def test_every_act_is_in_the_audit_log_without_any_secret(vault: Vault) -> None:
    vault.new_key("a", "pseudonym")
    secret = vault.private("a")
    vault.export("a", public=False)
    vault.set_passphrase(PASSPHRASE)
    vault.lock()
    vault.unlock(PASSPHRASE)
    vault.delete("a")
    entries = vault.audit.entries()
    assert [entry.event for entry in entries] == [
        "key-made",
        "key-exported",
        "vault-protection-changed",
        "vault-unlocked",
        "key-deleted",
    ]
    assert vault.audit.verify().intact
    text = repr(entries)
    assert secret.hex() not in text and PASSPHRASE not in text


def test_several_processes_make_one_vault(home: Path) -> None:
    code = "import sys; from guardapp.vault.store import Vault; Vault.open().new_key(sys.argv[1], 'x25519')"
    root = Path(__file__).parents[2]
    makers = [subprocess.Popen([sys.executable, "-c", code, f"key{number}"], cwd=root) for number in range(4)]
    assert [maker.wait(60) for maker in makers] == [0] * 4
    vault = Vault.open(home)
    assert [info.name for info in vault.keys()] == ["key0", "key1", "key2", "key3"]
    assert all(vault.private(info.name) for info in vault.keys())


def test_threads_share_a_vault(vault: Vault) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            vault.new_key(f"key{number}", "x25519")
            vault.private(f"key{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(vault.keys()) == 6


WRITER = """
from guardapp.vault.store import Vault
vault = Vault.open()
for number in range(100000):
    vault.new_key(f"key{number}", "x25519")
    print(number, flush=True)
    if number % 3 == 2:
        vault.set_passphrase(None if vault.protection == "passphrase" else "correct horse battery")
"""


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_writer_that_is_killed_loses_no_key_that_it_reported(home: Path) -> None:
    for attempt in range(5):
        for file in home.rglob("*"):
            if file.is_file():
                file.unlink()
        root = Path(__file__).parents[2]
        process = subprocess.Popen([sys.executable, "-c", WRITER], cwd=root, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1 + 0.17 * attempt)
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split()
        process.wait()
        process.stdout.close()
        vault = Vault.open(home)
        if vault.locked:
            vault.unlock(PASSPHRASE)
        names = {info.name for info in vault.keys()}
        assert {f"key{int(number)}" for number in said} <= names
        assert all(vault.private(name) for name in names)
        assert vault.audit.verify().intact


def test_a_home_that_cannot_be_used_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where a folder should be")
    with pytest.raises(GuardError) as error:
        Vault.open(tmp_path / "home")
    assert error.value.code == "home.unusable"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_home_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(mode=0o500)
    with pytest.raises(GuardError) as error:
        Vault.open(tmp_path / "home")
    assert error.value.code == "home.unusable"


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    assert connection.execute(statement).rowcount
    connection.commit()
    connection.close()
