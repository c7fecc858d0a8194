"""The certificate of a release, `release.json`: what was done, what holds, what attacks found, and hashes of all of it.

Canonical: the file is UTF-8 JSON with sorted keys, no spaces and one line feed at its end; a file that is written
otherwise is refused. `signature` is ECDSA, in hexadecimal, over the same bytes of the document without `signature`
and without the line feed. Who trusts the key verifies all; without a signature, anybody could have written it, and it
says so itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import guardapp
from guardapp.errors import GuardError, from_os_error
from guardapp.vault.keys import public_of_private
from guardapp.vault.signing import algorithm_of, is_signed, sign_bytes

if TYPE_CHECKING:
    from guardapp.deid.check import Measured
    from guardapp.deid.policy import Policy
    from guardapp.formats.tables import Table

FORMAT: Final = "guardapp-release/1"
NAME: Final = "release.json"
LARGEST: Final = 64 << 20
BYTES_AT_ONCE: Final = 1 << 20
MEANINGS: Final = {
    "missing": "an empty cell (CSV) or null (Parquet); it equals other missing cells and nothing else",
    "suppressed": "*: nothing is told of this cell",
}
UNSIGNED: Final = "This certificate is not signed: anybody could have written or changed it."
SIGNED: Final = "Signed; it proves as much as you trust the key."


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal. GuardError for what the system refuses."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(BYTES_AT_ONCE):
                digest.update(piece)
    except OSError as error:
        raise from_os_error(error, path) from error
    return digest.hexdigest()


def canonical(document: dict[str, Any]) -> bytes:
    """The one way of writing a document."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def certificate(
    policy: Policy,
    original: Table,
    released: Table,
    measured: Measured,
    models: Sequence[dict[str, Any]],
    attacks: Sequence[dict[str, Any]],
    *,
    quasi: Sequence[str],
    sensitive: Sequence[str],
    search: dict[str, Any],
    files: Sequence[Path],
    input_sha256: str,
    population: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The document, unsigned.

    quasi, sensitive: columns that were measured, as the released file names them
    files: what else was released beside the table: the policy and its hierarchies
    population: name and SHA-256 of the table that models were measured against, None where none needed one
    """
    return {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "made_by": {"guardapp": guardapp.__version__},
        "input": {"name": original.path.name, "sha256": input_sha256, "columns": len(original.columns)},
        "output": {
            "name": released.path.name,
            "sha256": file_sha256(released.path),
            "format": released.format,
            "delimiter": released.delimiter,
            "encoding": released.encoding,
            "columns": list(released.columns),
            "rows": measured.rows,
        },
        "policy": policy.model_dump(mode="json", exclude_none=True),
        "files": {path.name: file_sha256(path) for path in files},
        "parameters": {"search": search, "key": policy.key if policy.needs_key else None}
        | ({"population": population} if population else {}),
        "meanings": MEANINGS,
        "guarantees": {
            "quasi": list(quasi),
            "k": measured.k if quasi else None,
            "groups": measured.groups,
            "sensitive": [
                {"column": name, "l": entry.l, "t": entry.t, "distance": entry.distance}
                for name, entry in zip(sensitive, measured.sensitive, strict=True)
            ],
            "models": list(models),
        },
        "attacks": list(attacks),
        "statement": UNSIGNED,
        "signer": None,
    }


def signed(document: dict[str, Any], private_pem: bytes, name: str) -> dict[str, Any]:
    """The document with the signature of a vault's key. GuardError `sign.key`, `key.unreadable`."""
    public, fingerprint = public_of_private(private_pem)
    whole = {
        **document,
        "statement": SIGNED,
        "signer": {
            "name": name,
            "fingerprint": fingerprint,
            "public_key": public,
            "algorithm": algorithm_of(public),
        },
    }
    return {**whole, "signature": sign_bytes(private_pem, canonical(whole)).hex()}


def write(document: dict[str, Any], folder: Path) -> Path:
    """Write `release.json`. GuardError for what the system refuses."""
    path = folder / NAME
    try:
        path.write_bytes(canonical(document) + b"\n")
    except OSError as error:
        raise from_os_error(error, path) from error
    return path


def read(path: Path) -> dict[str, Any]:
    """The certificate at `path`, which may be its folder. GuardError `certificate.damaged` and what is not there."""
    if path.is_dir():
        path = path / NAME
    try:
        if path.stat().st_size > LARGEST:
            raise _damaged(path, "it is larger than 64 MiB")
        blob = path.read_bytes()
    except OSError as error:
        raise from_os_error(error, path) from error
    try:
        document = json.loads(blob)
        same = isinstance(document, dict) and canonical(document) + b"\n" == blob
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise _damaged(path, "it is not written in the one canonical way")
    if document.get("format") != FORMAT:
        raise _damaged(path, "its format is not known here")
    return dict(document)


def released(folder: Path) -> tuple[Table, dict[str, Any]]:
    """The released table in `folder`, read as its certificate says that it is written, and the certificate."""
    from guardapp.formats.tables import open_table

    document = read(folder)
    output = document["output"]
    own = {"encoding": output["encoding"], "delimiter": output["delimiter"], "header": True}
    return open_table(folder / output["name"], **(own if output["format"] == "csv" else {})), document


def signature_fits(document: dict[str, Any], public_pem: str) -> bool:
    """Whether the signature is of this key over all the rest. GuardError `sign.key` for what is no such key."""
    rest = {name: value for name, value in document.items() if name != "signature"}
    text = document.get("signature")
    if not isinstance(text, str):
        return False
    try:
        signature = bytes.fromhex(text)
    except ValueError:
        return False
    return signature.hex() == text and is_signed(public_pem, canonical(rest), signature)


def _damaged(path: Path, why: str) -> GuardError:
    return GuardError(
        f"{path.name} cannot be used as a certificate",
        why,
        "Get the release again from whoever made it.",
        "certificate.damaged",
        answer="no",
    )
