"""Signatures with certificates: as the public tool makes and checks them, and trusted only through a root."""

from __future__ import annotations

import base64
import datetime
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from guardapp.cli import run
from guardapp.errors import GuardError
from guardapp.seal.certificates import read_certificates
from guardapp.seal.signing import sign, verify
from guardapp.vault.store import Vault

NOW = datetime.datetime.now(datetime.UTC)


class Authority(NamedTuple):
    """A root and a signer below an intermediate, as files."""

    root: Path
    chain: Path
    leaf: Path
    between: Path
    private: Path


def _key(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve)


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
    digital_signature: bool = True,
) -> x509.Certificate:
    usage = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in (subject, issuer)]
    return (
        x509.CertificateBuilder()
        .subject_name(name[0])
        .issuer_name(name[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=2))
        .not_valid_after(NOW + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=digital_signature, key_cert_sign=ca, crl_sign=ca, **usage),
            critical=True,
        )
        .sign(signer, hashes.SHA256())
    )


def authority(folder: Path, curve: ec.EllipticCurve, *, may_sign: bool = True) -> Authority:
    folder.mkdir()
    top, middle, own = _key(ec.SECP384R1()), _key(ec.SECP256R1()), _key(curve)
    root = _certificate("Root", top, "Root", top, ca=True)
    between = _certificate("Between", middle, "Root", top, ca=True)
    leaf = _certificate("Aiko", own, "Between", middle, ca=False, digital_signature=may_sign)
    files = Authority(*(folder / f"{name}.pem" for name in Authority._fields))
    pem = [one.public_bytes(serialization.Encoding.PEM) for one in (root, between, leaf)]
    files.root.write_bytes(pem[0])
    files.between.write_bytes(pem[1])
    files.leaf.write_bytes(pem[2])
    files.chain.write_bytes(pem[2] + pem[1])
    files.private.write_bytes(
        own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(bytes(range(256)) * 50)
    (folder / "config.json").write_text("{}")
    return folder


def public_tool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_signing", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def signed(folder: Path, files: Authority) -> Path:
    return sign(folder, files.private.read_bytes(), certificates=read_certificates(files.chain))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_the_public_tool_and_we_accept_each_others_signatures(
    folder: Path, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    files = authority(tmp_path / "ca", curve)
    ours = signed(folder, files)
    done = public_tool("verify", "certificate", folder, "--signature", ours, "--certificate_chain", files.root)
    assert done.returncode == 0, done.stdout + done.stderr
    ours.unlink()
    theirs = tmp_path / "theirs.sig"
    done = public_tool(
        "sign", "certificate", folder, "--signature", theirs, "--private_key", files.private,
        "--signing_certificate", files.leaf, "--certificate_chain", files.between,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = verify(folder, theirs, {}, roots=files.root.read_bytes())
    assert (verdict.state, verdict.signer) == ("genuine", "CN=Aiko")
    assert verdict.algorithm.startswith("ECDSA P-")


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_plain_keys_of_the_larger_curves_work_both_ways(folder: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    files = authority(tmp_path / "ca", curve)
    key = x509.load_pem_x509_certificate(files.leaf.read_bytes()).public_key()
    public = tmp_path / "pub.pem"
    public.write_bytes(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    ours = sign(folder, files.private.read_bytes())
    assert public_tool("verify", "key", folder, "--signature", ours, "--public_key", public).returncode == 0
    ours.unlink()
    theirs = tmp_path / "theirs.sig"
    made = public_tool("sign", "key", folder, "--signature", theirs, "--private_key", files.private)
    assert made.returncode == 0, made.stdout + made.stderr
    assert verify(folder, theirs, {"aiko": public.read_text()}).state == "genuine"


def test_another_root_a_changed_file_and_a_certificate_that_may_not_sign_are_told_apart(
    folder: Path, tmp_path: Path
) -> None:
    files, other = authority(tmp_path / "ca", ec.SECP256R1()), authority(tmp_path / "other", ec.SECP256R1())
    signed(folder, files)
    roots = files.root.read_bytes()
    assert verify(folder, None, {}, roots=roots).state == "genuine"
    assert verify(folder, None, {}, roots=other.root.read_bytes()).state == "unknown-signer"
    assert verify(folder, None, {}).state == "unknown-signer"
    (folder / "config.json").write_text("{ }")
    (folder / "more").write_text("")
    changed = verify(folder, None, {}, roots=roots)
    assert (changed.state, changed.difference.changed, changed.difference.extra) == (
        "changed",
        ("config.json",),
        ("more",),
    )
    may_not = authority(tmp_path / "may-not", ec.SECP256R1(), may_sign=False)
    (folder / "model.sig").unlink()
    signed(folder, may_not)
    assert verify(folder, None, {}, roots=may_not.root.read_bytes()).state == "unknown-signer"


def test_a_certificate_about_another_key_is_never_put_into_a_signature(folder: Path, tmp_path: Path) -> None:
    files, other = authority(tmp_path / "ca", ec.SECP256R1()), authority(tmp_path / "other", ec.SECP256R1())
    with pytest.raises(GuardError) as refused:
        sign(folder, files.private.read_bytes(), certificates=other.chain.read_bytes())
    assert refused.value.code == "certificates.other-key"
    assert not (folder / "model.sig").exists()


def test_a_signature_whose_certificate_was_exchanged_is_changed(folder: Path, tmp_path: Path) -> None:
    """Both certificates lead to the root; only one is about the key that signed."""
    files = authority(tmp_path / "ca", ec.SECP256R1())
    signature = signed(folder, files)
    text = signature.read_text()
    der = [
        one.public_bytes(serialization.Encoding.DER)
        for one in x509.load_pem_x509_certificates(files.chain.read_bytes())
    ]

    first, second = (base64.b64encode(one).decode() for one in der)
    assert first in text
    signature.write_text(text.replace(first, second))
    assert verify(folder, None, {}, roots=files.root.read_bytes()).state == "changed"


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 100])
def test_a_file_without_certificates_is_refused_in_plain_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "roots.pem").write_bytes(content)
    with pytest.raises(GuardError) as refused:
        read_certificates(tmp_path / "roots.pem")
    assert refused.value.code == "certificates.unreadable"


def test_the_command_line_signs_and_verifies_with_certificates(
    folder: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = authority(tmp_path / "ca", ec.SECP256R1())
    vault = Vault.open(home)
    vault.import_key("aiko", files.private.read_bytes())
    assert run(["sign", str(folder), "--key", "aiko", "--certificates", str(files.chain)]) == 0
    assert run(["verify", str(folder), "--certificates", str(files.root)]) == 0
    assert "CN=Aiko" in capsys.readouterr().out
    stranger = authority(tmp_path / "other", ec.SECP256R1())
    assert run(["verify", str(folder), "--certificates", str(stranger.root)]) == 1
    assert run(["verify", str(folder), "--certificates", str(files.root), "--key", str(files.root)]) == 2
