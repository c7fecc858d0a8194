"""Verifying a release by its certificate: signature, hashes, and every guarantee counted again in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from guardapp.deid import certificate
from guardapp.deid.check import Measured, measure_table
from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.vault.keys import fingerprint, read

TOLERANCE = 1e-9


class Finding(NamedTuple):
    """One thing that was checked. passed: None where nobody can say, as for the name of an unknown signer."""

    check: str
    passed: bool | None
    evidence: str


def verify_release(path: Path, public_pem: str | None, progress: Progress) -> list[Finding]:
    """Check the release whose folder or `release.json` is at `path`.

    public_pem: the signer's key; without it the key in the certificate shows that nothing changed, not who signed
    GuardError `certificate.damaged`, `sign.key`, `key.unreadable`, and what reading refuses.
    """
    folder = path if path.is_dir() else path.parent
    document = certificate.read(path)
    try:
        return [
            _signature(document, public_pem),
            *_files(document, folder, progress),
            *_guarantees(document, folder, progress),
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise GuardError(
            f"{certificate.NAME} cannot be used as a certificate",
            "a field is missing or of another kind",
            "Get the release again from whoever made it.",
            "certificate.damaged",
            answer="no",
        ) from error


def holds(findings: list[Finding]) -> bool:
    """Whether nothing that was checked failed, and the signature is by a key that is trusted."""
    return all(finding.passed is not False for finding in findings) and any(
        finding.check == "signature" and finding.passed for finding in findings
    )


def _signature(document: dict[str, Any], public_pem: str | None) -> Finding:
    signer = document["signer"]
    if signer is None or "signature" not in document:
        return Finding("signature", False, "The certificate is not signed: anybody could have written it.")
    own = read(str(signer["public_key"]).encode())
    given = read(public_pem.encode()) if public_pem is not None else own
    if given.public != own.public or signer["fingerprint"] != fingerprint(own):
        return Finding("signature", False, "The certificate names another key.")
    if not certificate.signature_fits(document, given.public):
        return Finding("signature", False, "The signature does not fit: the certificate was changed.")
    if public_pem is None:
        return Finding(
            "signature", None, f"Signed by the key {signer['fingerprint']}, which you have not said you trust."
        )
    return Finding("signature", True, f"Signed by the key {signer['fingerprint']}.")


def _files(document: dict[str, Any], folder: Path, progress: Progress) -> list[Finding]:
    stated = {document["output"]["name"]: document["output"]["sha256"], **document["files"]}
    found = []
    with progress.stage("Checking the files", total=len(stated)) as stage:
        for name, sha256 in stated.items():
            file = folder / name
            if Path(name).name != name or not file.is_file():
                found.append(Finding("file", False, f"{name} is not there."))
            elif certificate.file_sha256(file) != sha256:
                found.append(Finding("file", False, f"{name} is not the file that the certificate is about."))
            else:
                found.append(Finding("file", True, f"{name} is as it was released."))
            stage.advance(1)
    return found


def _guarantees(document: dict[str, Any], folder: Path, progress: Progress) -> list[Finding]:
    output, stated = document["output"], document["guarantees"]
    if Path(output["name"]).name != output["name"] or not (folder / output["name"]).is_file():
        return []
    table, _ = certificate.released(folder)
    if table.columns != output["columns"]:
        return [Finding("table", False, "The table has other columns than the certificate says.")]
    with progress.stage("Counting the guarantees again", total=output["rows"]) as stage:
        names = [entry["column"] for entry in stated["sensitive"]]
        measured = measure_table(table, stated["quasi"], names, 2, stage.advance)
    findings = [_compared(name, value, asked) for name, value, asked in _figures(measured, stated, output)]
    return findings + [_model(model, measured) for model in document["policy"].get("models", [])]


def _figures(measured: Measured, stated: dict[str, Any], output: dict[str, Any]) -> list[tuple[str, float, Any]]:
    """What was counted, and what the certificate says of it."""
    figures: list[tuple[str, float, Any]] = [("rows", measured.rows, output["rows"])]
    if stated["quasi"]:
        figures += [("k", measured.k, stated["k"]), ("groups", measured.groups, stated["groups"])]
    for entry, written in zip(measured.sensitive, stated["sensitive"], strict=True):
        figures.append((f"l of {entry.column}", entry.l, written["l"]))
        figures.append((f"t of {entry.column}", entry.t, written["t"]))
    return figures


def _compared(name: str, value: float, stated: Any) -> Finding:
    same = abs(value - float(stated)) <= TOLERANCE
    said = "as certified" if same else f"the certificate says {stated}"
    return Finding("guarantee", same, f"{name} = {value:.6g}, {said}.")


def _model(model: dict[str, Any], measured: Measured) -> Finding:
    """Whether a privacy model of the policy holds by what was counted; None for one that was not counted here."""
    name, column = str(model["name"]), model.get("column")
    # a header that a spreadsheet would run was written with an apostrophe in front
    entry = next((e for e in measured.sensitive if column in (e.column, e.column.removeprefix("'"))), None)
    if name == "k-anonymity":
        passed: bool | None = measured.k >= model["k"]
    elif name == "distinct-l-diversity" and entry is not None:
        passed = entry.l >= model["l"]
    elif name == "t-closeness" and entry is not None and entry.distance == model.get("distance", "equal"):
        passed = entry.t <= model["t"] + TOLERANCE
    else:
        return Finding("model", None, f"{name} is stated by the certificate and was not counted here.")
    return Finding(
        "model", passed, f"{name} of the policy holds." if passed else f"{name} of the policy does not hold."
    )
