"""What a signature covers: every file of a folder, or one file, by name and hash.

The names and rules are those of OpenSSF Model Signing: POSIX paths relative to the folder, `.` for a single file,
optionally one entry for each shard of a file (`path:start:end`), and a list of paths that are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from guardapp.errors import GuardError
from guardapp.progress import Progress

PIECE_BYTES: Final = 1 << 20
SINGLE_FILE: Final = "."


class Rules(NamedTuple):
    """How a folder was or is to be listed.

    hash_type:      "sha256", or "blake2" and "blake3", which only older signatures use
    shard_bytes:    None for one entry a file
    allow_symlinks: whether links are followed; else a link is refused
    ignored:        paths relative to the folder, each with all below it
    """

    hash_type: str = "sha256"
    shard_bytes: int | None = None
    allow_symlinks: bool = False
    ignored: frozenset[str] = frozenset()


class Listing(NamedTuple):
    """Files under a path.

    files:   manifest name to path, in order of name
    ignored: those of the rules' ignored paths that are there
    """

    files: dict[str, Path]
    ignored: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        return sum(path.stat().st_size for path in self.files.values())


class Difference(NamedTuple):
    """How what is there differs from what was signed, by file name."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return any(self)


def list_files(path: Path, rules: Rules) -> Listing:
    """The files that the rules cover.

    Raises GuardError `sign.missing`, `sign.symlink`, `sign.special`.
    """
    if not path.exists():
        raise GuardError(
            what=f"{path.name} cannot be read",
            why="there is no such file or folder",
            next="Check the path.",
            code="sign.missing",
        )
    if not path.is_dir():
        _ordinary(path, path.name, rules)
        return Listing({SINGLE_FILE: path}, ())
    ignored = {PurePosixPath(name) for name in rules.ignored}
    files: dict[str, Path] = {}
    seen_ignored: set[str] = set()
    pending = [path]
    while pending:
        for entry in sorted(pending.pop().iterdir()):
            name = PurePosixPath(entry.relative_to(path).as_posix())
            if name in ignored:
                seen_ignored.add(str(name))
            elif entry.is_dir() and not entry.is_symlink():
                pending.append(entry)
            else:
                _ordinary(entry, str(name), rules)
                if entry.is_dir():
                    pending.append(entry)
                else:
                    files[str(name)] = entry
    return Listing(dict(sorted(files.items())), tuple(sorted(seen_ignored)))


def digests(listing: Listing, rules: Rules, progress: Progress | None = None) -> dict[str, str]:
    """Manifest name to hexadecimal hash. Reads every file once."""
    found: dict[str, str] = {}
    with (progress or Progress()).stage("Hashing files", total=float(listing.nbytes)) as stage:
        for name, path in listing.files.items():
            for entry, start, end in _parts(name, path.stat().st_size, rules.shard_bytes):
                found[entry] = _digest(path, start, end, rules.hash_type, stage.advance)
    return found


def difference(signed: Mapping[str, str], found: Mapping[str, str], rules: Rules) -> Difference:
    """Compare by entry, tell by file."""

    def file_of(entry: str) -> str:
        return entry.rsplit(":", 2)[0] if rules.shard_bytes else entry

    def files(entries: Iterable[str]) -> set[str]:
        return {file_of(entry) for entry in entries}

    missing = files(signed) - files(found)
    extra = files(found) - files(signed)
    differing = {entry for entry in set(signed) | set(found) if signed.get(entry) != found.get(entry)}
    changed = files(differing) - missing - extra
    return Difference(tuple(sorted(missing)), tuple(sorted(extra)), tuple(sorted(changed)))


def file_sha256(path: Path, advance: Callable[[float], None] = lambda _: None) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    return _digest(path, 0, path.stat().st_size, "sha256", advance)


def _ordinary(path: Path, name: str, rules: Rules) -> None:
    if path.is_symlink() and not rules.allow_symlinks:
        raise GuardError(
            what=f"{name} cannot be covered by a signature",
            why="it is a symbolic link, and what it points to may change unseen",
            next="Replace it by the file itself.",
            code="sign.symlink",
        )
    if not (path.is_file() or path.is_dir()):
        raise GuardError(
            what=f"{name} cannot be covered by a signature",
            why="it is neither a file nor a folder",
            next="Remove it from the folder.",
            code="sign.special",
        )


def _parts(name: str, size: int, shard_bytes: int | None) -> Iterable[tuple[str, int, int]]:
    if not shard_bytes:
        yield name, 0, size
        return
    for start in range(0, size, shard_bytes):
        end = min(start + shard_bytes, size)
        yield f"{name}:{start}:{end}", start, end


def _digest(path: Path, start: int, end: int, hash_type: str, advance: Callable[[float], None]) -> str:
    hasher = _hasher(hash_type)
    buffer = memoryview(bytearray(PIECE_BYTES))
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        left = end - start
        while left and (count := file.readinto(buffer[: min(left, PIECE_BYTES)])):
            hasher.update(buffer[:count])
            left -= count
            advance(count)
    return str(hasher.hexdigest())


def _hasher(hash_type: str) -> Any:
    if hash_type == "sha256":
        return hashlib.sha256()
    if hash_type in ("blake2", "blake2b"):
        return hashlib.blake2b()
    if hash_type == "blake3":
        import blake3

        return blake3.blake3()
    raise GuardError(
        what="This signature cannot be checked",
        why=f"it uses the hash “{hash_type}”, which is not known here",
        next="Ask the signer for a signature with SHA-256.",
        code="signature.hash",
        answer="no",
    )
