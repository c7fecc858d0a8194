"""Signatures over folders and files by OpenSSF Model Signing (OMS), with elliptic-curve keys.

A signature is a Sigstore bundle: a DSSE envelope around an in-toto statement that lists every file with its SHA-256.
Making the statement, signing it and checking it are `model_signing`'s; listing, hashing and comparing are ours, because
a person needs to see progress and to be told which files are missing, extra or changed. `model_signing` brings
the Sigstore client along and takes a third of a second to import, so it is imported when it is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, Literal, NamedTuple

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.seal import certificates as certificates_of
from guardapp.seal.manifest import Difference, Rules, difference, digests, list_files
from guardapp.vault.signing import ALGORITHMS, algorithm_of

SIGNATURE_NAME: Final = "model.sig"
LARGEST_SIGNATURE: Final = 64 << 20
"""Bytes; a statement takes about 200 a file, so this is a folder of some 200,000 files."""

GIT_PATHS: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""Left out, and recorded as left out, only where they are there: the public tool leaves them out by default."""

State = Literal["genuine", "unknown-signer", "changed", "not-signed"]


class Verdict(NamedTuple):
    """What a signature says about a folder or file.

    state:       "genuine" only if a key that the caller trusts made the signature and every file is as signed
    signer:      the caller's name for that key; "" if none of the keys made it
    key_id:      SHA-256 of the signing key's PEM, as the signature itself states it; proves nothing by itself
    algorithm:   "ECDSA P-256 with SHA-256"; "" unless the signature was checked
    uncovered:   paths that are there and that the signer chose to leave out
    files:       how many files the signature lists
    public:      the key in PEM, where a certificate says whose it is and `signer` is the certificate's subject
    why:         one sentence
    """

    state: State
    signer: str = ""
    key_id: str = ""
    algorithm: str = ""
    difference: Difference = Difference((), (), ())
    uncovered: tuple[str, ...] = ()
    files: int = 0
    why: str = ""
    public: str = ""


def default_signature(path: Path) -> Path:
    """Where the signature of `path` is looked for and written: in the folder, or beside the file."""
    return (path if path.is_dir() else path.parent) / SIGNATURE_NAME


def sign(
    path: Path,
    private_pem: bytes,
    out: Path | None = None,
    *,
    ignore: Iterable[str] = (),
    replace: bool = False,
    progress: Progress | None = None,
    certificates: bytes | None = None,
) -> Path:
    """Sign every file of a folder, or one file; returns the signature's path.

    ignore: paths relative to the folder that the signature shall not cover; it lists them.
    certificates: in PEM, that of the signing key first, to go with the signature

    Raises GuardError `sign.exists`, `sign.key`, `sign.empty`, `certificates.other-key`, and what `list_files` raises.
    """
    out = out or default_signature(path)
    if out.exists() and not replace:
        raise GuardError(
            what=f"{out.name} cannot be written",
            why="there is a signature already",
            next="Choose another name for it, or ask for it to be replaced.",
            code="sign.exists",
        )
    left_out = {*ignore, *(name for name in GIT_PATHS if path.is_dir() and (path / name).exists())}
    if (inside := _name_inside(out, path)) is not None:
        left_out.add(inside)
    rules = Rules(ignored=frozenset(left_out))
    listing = list_files(path, rules)
    if not listing.files:
        raise GuardError(
            what=f"{path.name} cannot be signed",
            why="there is no file in it",
            next="Choose a folder with files.",
            code="sign.empty",
        )
    signature = _signer(private_pem, certificates).sign(_payload(path, rules, digests(listing, rules, progress)))
    waiting = out.with_name(f".{out.name}.{secrets.token_hex(4)}.new")
    try:
        signature.write(waiting)
        waiting.replace(out)
    finally:
        waiting.unlink(missing_ok=True)
    return out


def verify(
    path: Path,
    signature: Path | None,
    keys: Mapping[str, str],
    *,
    ignore: Iterable[str] = (),
    progress: Progress | None = None,
    roots: bytes | None = None,
) -> Verdict:
    """Check a signature and everything that it covers.

    keys:   name to public PEM of the keys that the caller trusts; a signature by any other key is never "genuine"
    ignore: paths that the caller asks to leave out besides those that the signer did
    roots:  certificates in PEM that the caller trusts to say whose a key is

    Raises GuardError `signature.unreadable` (the answer is no), `sign.missing`.
    """
    signature = signature or default_signature(path)
    if not signature.is_file():
        if not path.exists():
            list_files(path, Rules())
        return Verdict("not-signed", why=f"there is no signature {signature.name}")
    bundle, statement = read_signature(signature)
    signed, rules = _signed_content(statement)
    left_out = {*rules.ignored, *ignore}
    if (inside := _name_inside(signature, path)) is not None:
        left_out.add(inside)
    # what was signed is compared even where the ignore list names it: that list may only excuse extra files
    rules = rules._replace(ignored=frozenset(name for name in left_out if not _covers(name, signed)))
    listing = list_files(path, rules)
    found = difference(signed, digests(listing, rules, progress), rules)
    name, algorithm, fits = _who_signed(bundle, keys)
    named = certificates_of.certified(bundle, roots) if roots is not None and not fits else None
    if named is not None:
        name, fits = named.subject, certificates_of.is_signed(bundle, roots or b"")
        algorithm = algorithm_of(named.public) if fits else ""
    uncovered = tuple(entry for entry in listing.ignored if entry != inside)
    return _verdict(found, name, algorithm, fits)._replace(
        key_id=_key_id(bundle), uncovered=uncovered, files=len(signed), public=named.public if named else ""
    )


def read_signature(path: Path) -> tuple[Any, dict[str, Any]]:
    """The bundle and the statement in it; nothing is checked yet. Raises GuardError `signature.unreadable`."""
    from model_signing.verifying import sigstore_pb

    try:
        if path.stat().st_size > LARGEST_SIGNATURE:
            raise ValueError
        bundle = sigstore_pb.Signature.read(path)
        statement = json.loads(bundle.bundle.dsse_envelope.payload)
        if not isinstance(statement, dict):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise unreadable(path.name) from error
    return bundle, statement


def unreadable(name: str) -> GuardError:
    return GuardError(
        what=f"{name} cannot be read as a signature",
        why="it is not a whole OpenSSF Model Signing bundle",
        next="Ask the signer for the signature again.",
        code="signature.unreadable",
        answer="no",
    )


def _signed_content(statement: dict[str, Any]) -> tuple[dict[str, str], Rules]:
    """Entry name to hash, and how it was listed."""
    from model_signing.signing import signing as dsse

    try:
        manifest = dsse.dsse_payload_to_manifest(statement)
        form = manifest.serialization_type
        rules = Rules(
            hash_type=str(form["hash_type"]),
            shard_bytes=int(form["shard_size"]) if form["method"] == "shards" else None,
            allow_symlinks=form["allow_symlinks"] is True,
            ignored=frozenset(str(PurePosixPath(name)) for name in form.get("ignore_paths", ())),
        )
        entries = {entry.identifier: entry.digest.digest_hex for entry in manifest.resource_descriptors()}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise unreadable("The signature") from error
    return entries, rules


def _verdict(found: Difference, name: str, algorithm: str, fits: bool) -> Verdict:
    if name and not fits:
        why = "the signature names this key, and the key did not make it"
        return Verdict("changed", difference=found, why=why)
    if found:
        counts = [("changed", found.changed), ("missing", found.missing), ("added", found.extra)]
        why = ", ".join(f"{len(files)} {word}" for word, files in counts if files)
        return Verdict("changed", name, "", algorithm, found, why=f"files differ from what was signed: {why}")
    if not name:
        return Verdict("unknown-signer", why="the files are as signed, by a key that you have not said you trust")
    return Verdict("genuine", name, "", algorithm, why="every file is as it was signed")


def _who_signed(bundle: Any, keys: Mapping[str, str]) -> tuple[str, str, bool]:
    """Name of the key, algorithm, and whether the signature is right; ("", "", False) if no key is even named."""
    claimed = _key_id(bundle)
    named = ""
    for name, pem in keys.items():
        verifier = _verifier(pem)
        if verifier is None:
            continue
        if _is_by(verifier, bundle):
            return name, verifier.algorithm, True
        if claimed and _pem_digest(pem) == claimed:
            named = name
    return named, "", False


def _is_by(verifier: Any, bundle: Any) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        # the library prints a warning about signatures of older versions; standard output is not its to write
        with contextlib.redirect_stdout(io.StringIO()):
            verifier.verify(bundle)
    except (InvalidSignature, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
    return True


def _key_id(bundle: Any) -> str:
    """SHA-256 of the signing key's PEM: stated by newer signatures, computed from the key in older ones."""
    material = bundle.bundle.verification_material
    hint = getattr(getattr(material, "public_key", None), "hint", None)
    return str(hint) if hint else ""


def _pem_digest(pem: str) -> str:
    return hashlib.sha256(pem.encode()).hexdigest()


def _name_inside(file: Path, folder: Path) -> str | None:
    """The relative name of a file that lies in the folder, else None."""
    try:
        return file.absolute().relative_to(folder.absolute()).as_posix() if folder.is_dir() else None
    except ValueError:
        return None


def _covers(ignored: str, signed: Mapping[str, str]) -> bool:
    """Whether a signed entry lies at or below an ignored path."""
    path = PurePosixPath(ignored)
    return any(PurePosixPath(entry).is_relative_to(path) for entry in signed)


def _payload(path: Path, rules: Rules, found: Mapping[str, str]) -> Any:
    from model_signing import manifest
    from model_signing.signing import signing as dsse

    form: dict[str, Any] = {"method": "files", "hash_type": rules.hash_type, "allow_symlinks": rules.allow_symlinks}
    if rules.ignored:
        form["ignore_paths"] = sorted(rules.ignored)
    serialization = manifest.SerializationType.from_args(form)
    items = [
        serialization.new_item(name, manifest.hashing.Digest(rules.hash_type, bytes.fromhex(value)))
        for name, value in found.items()
    ]
    return dsse.Payload(manifest.Manifest(path.absolute().name, items, serialization))


def _signer(private_pem: bytes, certificates: bytes | None = None) -> Any:
    """`model_signing`'s signer with a key from memory: its own constructor reads the key from a file."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from model_signing.signing import ec_key

    try:
        key = serialization.load_pem_private_key(private_pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name not in ALGORITHMS:
        raise GuardError(
            what="This key cannot sign",
            why="it is not an elliptic-curve key on P-256, P-384 or P-521",
            next="Make one with `guardapp keys new NAME --type signing`.",
            code="sign.key",
        )

    if certificates is not None:
        return certificates_of.signer(key, certificates)

    class Signer(ec_key.Signer):  # type: ignore[misc]
        def __init__(self) -> None:
            self._private_key = key

    return Signer()


def _verifier(public_pem: str) -> Any:
    """`model_signing`'s verifier with a key from memory, or None for a key that cannot verify."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from model_signing.verifying import ec_key

    try:
        key = serialization.load_pem_public_key(public_pem.encode())
    except ValueError:
        return None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in ALGORITHMS:
        return None
    curve = key.curve.name

    class Verifier(ec_key.Verifier):  # type: ignore[misc]
        algorithm = ALGORITHMS[curve]

        def __init__(self) -> None:
            self._public_key = key

    return Verifier()
