"""Verifying: who signed a folder or file, whether every byte is as signed, and what can be seen inside it.

One verdict, from the signature alone, and under it every check with what it found. “Genuine” is said only of a
signature by a key that the user gave or has in the vault. What is verified is only read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.seal.certificates import read_certificates
from guardapp.seal.signing import SIGNATURE_NAME, Verdict, verify
from guardapp.seal.tensor_line import DamageLine, TensorLine
from guardapp.spec import InputPath, KeyNeed, Result, Spec
from guardapp.vault import keys as kinds
from guardapp.vault.store import Vault

if TYPE_CHECKING:
    from guardapp.seal.inside import Inside
    from guardapp.seal.recipients import Identity

BUNDLE_FOLDER = "bundle"
"""Where a bundle job puts the bundle in its own folder."""

LARGEST_KEY_FILE = 1 << 16


class VerifySpec(Spec, kind="verify"):
    """Verify a signed folder or file, and look inside it as far as keys allow."""

    path: InputPath = Field(description="Folder or file to verify. It is only read.")
    signature: InputPath | None = Field(None, description="The signature; by default model.sig in or beside it.")
    key: InputPath | None = Field(None, description="Public key in PEM to check with, instead of the vault's keys.")
    certificates: InputPath | None = Field(
        None, description="Certificates in PEM that are trusted to say whose a signing key is."
    )
    signers: list[str] = Field([], description="Vault keys that are trusted as signers.")
    openers: list[str] = Field([], description="Vault keys to open sealed files with.")
    ignore: list[str] = Field([], description="Paths in the folder to leave out besides those the signer left out.")

    def keys(self) -> list[KeyNeed]:
        return [
            *(KeyNeed(name, "public") for name in self.signers),
            *(KeyNeed(name, "private") for name in self.openers if name not in self.signers),
        ]


class Check(BaseModel):
    """One thing that was checked; `ok` is None where it could not be."""

    name: str
    ok: bool | None
    sentence: str


class VerifyResult(Result):
    """The verdict and what it rests on.

    signer:      the key's name in the vault, or the key file's; "" for an unknown key
    fingerprint: of that key, in groups of four
    recipients:  for whom each sealed file is, by kind of key
    """

    verdict: Literal["genuine", "unknown-signer", "changed", "not-signed"]
    signer: str = ""
    fingerprint: str = ""
    key_id: str = Field("", description="SHA-256 of the signing key's PEM, as the signature itself states it.")
    checks: list[Check] = []
    missing: list[str] = []
    extra: list[str] = []
    changed: list[str] = []
    uncovered: list[str] = Field([], description="Paths that the signer chose to leave out.")
    recipients: dict[str, str] = {}
    tensors: list[TensorLine] = []
    damage: list[DamageLine] = Field([], description="What of sealed files that are not whole was hit.")


def spec_for(
    path: Path,
    vault: Vault | None,
    *,
    signature: Path | None = None,
    key: Path | None = None,
    certificates: Path | None = None,
) -> VerifySpec:
    """What a person means by “verify this”: all signing keys of the vault, and all keys that may open what is sealed.

    key, certificates: who is trusted instead of the vault's keys
    From a locked vault only public keys are taken. The folder of a finished bundle job stands for the bundle in it.
    """
    inner = path / BUNDLE_FOLDER
    if signature is None and not (path / SIGNATURE_NAME).exists() and (inner / SIGNATURE_NAME).exists():
        path = inner
    own = vault.keys() if vault else []
    usable = own if vault and not vault.locked else []
    return VerifySpec(
        path=path,
        signature=signature,
        key=key,
        certificates=certificates,
        signers=[] if key or certificates else [info.name for info in own if info.type == "signing"],
        openers=[info.name for info in usable if info.has_private and info.type in kinds.OPENING_TYPES],
    )


def run(spec: VerifySpec, out: Path, progress: Progress) -> VerifyResult:
    from guardapp.seal.verify_report import write_report

    result = examine(spec, progress)
    document = json.dumps(result.model_dump(mode="json"), ensure_ascii=False, indent=2)
    (out / "report.json").write_text(document + "\n", encoding="utf-8")
    write_report(out / "report.html", spec.path.name, result)
    progress.artifact("report", out / "report.html")
    return result


def examine(spec: VerifySpec, progress: Progress) -> VerifyResult:
    """The verdict, with nothing written.

    Raises GuardError `signature.unreadable`, `sign.missing`, `key.unreadable`.
    """
    from guardapp.seal.inside import look_inside
    from guardapp.seal.passport_check import check_passport

    trusted = _trusted(spec, progress)
    roots = read_certificates(spec.certificates) if spec.certificates is not None else None
    verdict = verify(spec.path, spec.signature, trusted, ignore=spec.ignore, progress=progress, roots=roots)
    inside = look_inside(spec.path, _identities(spec, progress), progress)
    fingerprint = _fingerprint(verdict.public or trusted[verdict.signer]) if verdict.signer else ""
    checks = [*_signature_checks(verdict, spec, fingerprint), *_inside_checks(inside)]
    passport = check_passport(spec.path)
    if passport is not None:
        checks.append(Check(name="Passport", ok=passport.ok, sentence=passport.sentence))
    return VerifyResult(
        headline=headline(verdict),
        # a file that is damaged inside is not genuine, whatever was signed
        holds=verdict.state == "genuine" and not inside.damaged and (passport is None or passport.ok),
        verdict=verdict.state,
        signer=verdict.signer,
        fingerprint=fingerprint,
        key_id=verdict.key_id,
        checks=checks,
        missing=list(verdict.difference.missing),
        extra=list(verdict.difference.extra),
        changed=list(verdict.difference.changed),
        uncovered=list(verdict.uncovered),
        recipients=inside.recipients,
        tensors=inside.tensors,
        damage=inside.hits,
    )


def headline(verdict: Verdict) -> str:
    """The verdict in a few words."""
    if verdict.state == "genuine":
        return f"Genuine and unchanged, signed by {verdict.signer}"
    return {
        "unknown-signer": "Signed by an unknown key",
        "changed": "Changed since it was signed",
        "not-signed": "Not signed",
    }[verdict.state]


def _trusted(spec: VerifySpec, progress: Progress) -> dict[str, str]:
    """Name to public PEM."""
    if spec.key is None:
        return {name: progress.key(name).decode() for name in spec.signers}
    try:
        data = spec.key.read_bytes()[: LARGEST_KEY_FILE + 1]
    except OSError:
        data = b""
    text = data.decode("utf-8", "replace")
    begin = text.find("-----BEGIN PUBLIC KEY-----")  # some tools write a description above it
    material = kinds.read(text[max(begin, 0) :].encode()[:LARGEST_KEY_FILE])
    if material.type != "signing":
        raise GuardError(
            what=f"{spec.key.name} cannot check a signature",
            why="it is not an elliptic-curve key on P-256, P-384 or P-521",
            next="Give the signer's public key in PEM.",
            code="sign.key",
        )
    return {spec.key.name: material.public}


def _identities(spec: VerifySpec, progress: Progress) -> list[Identity]:
    from guardapp.seal.keys import identities

    return [key for name in spec.openers for key in identities(progress.key(name), name)]


def _fingerprint(public_pem: str) -> str:
    return kinds.fingerprint(kinds.read(public_pem.encode()))


def _signature_checks(verdict: Verdict, spec: VerifySpec, fingerprint: str) -> list[Check]:
    if verdict.state == "not-signed":
        return [Check(name="Signature", ok=False, sentence=verdict.why)]
    checks = [_signature_check(verdict)]
    found = verdict.difference
    if found:
        parts = [("changed", found.changed), ("missing", found.missing), ("not signed", found.extra)]
        sentence = "; ".join(f"{word}: {_names(files)}" for word, files in parts if files)
        checks.append(Check(name="Content", ok=False, sentence=sentence))
    else:
        one = verdict.files == 1
        all_files = f"the hashes of all {verdict.files} files are as signed"
        checks.append(Check(name="Content", ok=True, sentence="the file's hash is as signed" if one else all_files))
    if verdict.uncovered:
        sentence = f"the signer left out, so anything may be in: {_names(verdict.uncovered)}"
        checks.append(Check(name="Left out", ok=None, sentence=sentence))
    if not verdict.signer:
        sentence = "unknown: none of your vault's signing keys"
        if spec.certificates is not None:
            sentence = "unknown: no chain leads to the certificates that you gave"
        elif spec.key is not None:
            sentence = "unknown: not the key that you gave"
        checks.append(Check(name="Signer", ok=False, sentence=sentence))
    elif verdict.public:
        sentence = f"the certificates that you gave say that this key is {verdict.signer}'s"
        checks.append(Check(name="Signer", ok=True, sentence=sentence))
    elif spec.key is None:
        checks.append(Check(name="Signer", ok=True, sentence=f"this key is in your vault as {verdict.signer}"))
    else:
        checks.append(Check(name="Signer", ok=True, sentence=f"this is the key in {verdict.signer}"))
    return checks


def _signature_check(verdict: Verdict) -> Check:
    if verdict.algorithm:
        return Check(name="Signature", ok=True, sentence=f"{verdict.algorithm}, over the list of every file")
    if verdict.signer:
        return Check(name="Signature", ok=False, sentence=verdict.why)
    return Check(name="Signature", ok=None, sentence="cannot be checked without the signer's public key")


def _inside_checks(inside: Inside) -> list[Check]:
    return [Check(name=name, ok=ok, sentence=sentence) for name, ok, sentence in inside.checks]


def _names(files: Sequence[str]) -> str:
    shown = ", ".join(files[:10])
    return f"{shown} and {len(files) - 10} more" if len(files) > 10 else shown
