"""Dictionary: known values are hashed and encoded in every common way and looked for among what looks like hashes.

An unkeyed hash of a phone number, a name or an ID is undone by hashing all of them once; salt that can be guessed helps
nothing (Presidio issue 1845 is such a case). A keyed pseudonym withstands, because nobody can compute it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice, permutations

from guardapp.deid.attacks.evidence import Cells, Evidence
from guardapp.deid.attacks.result import AttackResult, not_run, row_numbers

NAME = "dictionary"
_MEASURE = "Share of tried values that were found again"

TRIED = 48
"""Different values of a column that are hashed; one that is not keyed shows with the first few."""
WITHOUT_A_HIT = 2
"""Values that may fail before a way of computing is given up: one may be written differently, three are not."""
MOST_PAIRED = 5
PAIRED_ROWS = 200
ENOUGH = 0.5
SHORTEST = 6
"""Characters of a hash that was cut: 24 bits in hexadecimal."""

_DIGESTS = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha512_256", "sha3_224", "sha3_256", "sha3_384",
    "sha3_512", "blake2b", "blake2s", "ripemd160", "sm3",
)  # fmt: skip
_GUESSED = ("salt", "pepper", "secret", "key", "password", "test", "changeme", "123456")
_HEX = re.compile(r"(?:0x)?[0-9A-Fa-f:-]+")
_CODE = re.compile(r"[0-9A-Za-z+/_=.-]+")


def dictionary(evidence: Evidence) -> AttackResult:
    """Every column of the release that looks like hashes or codes, against every column of the original."""
    columns = [name for name, cells in evidence.release.sample.items() if looks_hashed(cells)]
    columns = [name for name in columns if not _unchanged(evidence, name)]
    if not columns:
        return not_run(NAME, _MEASURE, "No column of the release looks like hashes or codes")
    best, undone = 0.0, []
    exposed: set[int] = set()
    for name in columns:
        share, rows = _attack(name, evidence)
        best = max(best, share)
        if share >= ENOUGH:
            undone.append(name)
            exposed |= rows
    if not undone:
        return AttackResult(
            name=NAME,
            outcome="withstood",
            measure=_MEASURE,
            measured=best,
            sentence="No value of the original was found again by hashing or encoding it, with and without salts that "
            "are easy to guess",
            columns=columns,
        )
    return AttackResult(
        name=NAME,
        outcome="succeeded",
        measure=_MEASURE,
        measured=best,
        sentence=f"{len(undone):,} columns hold hashes or codes that anybody can compute from the original values: "
        "all values that can be listed, such as phone numbers and names, can be found again",
        rows=row_numbers(index * evidence.stride for index in sorted(exposed)),
        columns=undone,
    )


def looks_hashed(cells: Cells) -> bool:
    """Whether nearly all cells are long runs of hexadecimal, base 32 or base 64 characters, as no usual value is."""
    known = list(dict.fromkeys(cell for cell in cells if cell))[:500]
    if not known:
        return False
    fitting = sum(
        len(cell) >= SHORTEST and bool(_CODE.fullmatch(_bare(cell)) or _HEX.fullmatch(cell)) for cell in known
    )
    return fitting >= 0.9 * len(known)


def _unchanged(evidence: Evidence, name: str) -> bool:
    """A column that the policy keeps is what it was; hashes that were in the original are another matter."""
    before = evidence.original.sample.get(name)
    return before is not None and evidence.aligned and before == evidence.release.sample[name]


def _attack(name: str, evidence: Evidence) -> tuple[float, set[int]]:
    """The largest share of tried values that one way of computing finds, and the rows where it does."""
    cells = evidence.release.sample[name]
    places: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell:
            places.setdefault(_normal(cell), []).append(index)
    lengths = sorted({len(cell) for cell in places})[:4]
    best: tuple[float, set[int]] = 0.0, set()
    for inputs in _inputs(name, evidence):
        known = [(row, text) for row, text in inputs if row < len(cells) and cells[row]]
        if len({text for _, text in known}) < min(3, len(places)):
            continue
        evidence.checkpoint()
        for way in _ways(name, evidence):
            hits = set()
            for number, (row, text) in enumerate(known):
                computed = {_normal(form) for form in _forms(way, text)}
                wanted = {_normal(cells[row] or "")} if evidence.aligned else places.keys()
                if _found(computed, wanted, lengths):
                    hits.add(row)
                elif not hits and number >= WITHOUT_A_HIT:
                    break
            share = len(hits) / len(known)
            if share > best[0]:
                best = share, hits if evidence.aligned else set()
    return best


def _found(computed: set[str], wanted: object, lengths: Sequence[int]) -> bool:
    assert hasattr(wanted, "__contains__")
    return any(
        form in wanted or any(len(form) > n and (form[:n] in wanted or form[-n:] in wanted) for n in lengths)
        for form in computed
    )


def _inputs(name: str, evidence: Evidence) -> Iterator[list[tuple[int, str]]]:
    """What may have been hashed: (row of the sample, text), column by column and then pairs of columns."""
    sample = evidence.original.sample
    order = sorted(sample, key=lambda column: (column != name, evidence.policy.columns[column].role != "direct"))
    for column in order:
        yield _few(sample[column])
    direct = [c for c in order if evidence.policy.columns[c].role in ("direct", "quasi")][:MOST_PAIRED]
    for one, other in permutations(direct, 2):
        for joint in ("", " ", "|", "-", ",", "_", ":"):
            both = zip(sample[one][:PAIRED_ROWS], sample[other][:PAIRED_ROWS], strict=True)
            yield _few([a + joint + b if a and b else None for a, b in both], 8)


def _few(cells: Cells, most: int = TRIED) -> list[tuple[int, str]]:
    first: dict[str, int] = {}
    for row, cell in enumerate(cells):
        if cell:
            first.setdefault(cell, row)
        if len(first) >= 20 * most:
            break
    step = max(len(first) // most, 1)
    return [(row, text) for text, row in islice(first.items(), 0, None, step)][:most]


def _ways(name: str, evidence: Evidence) -> list[tuple[str, str, str]]:
    """(function, how the salt is put in, salt)."""
    functions = [digest for digest in _DIGESTS if _is_usable(digest)]
    salts = [*_GUESSED, name, name.lower(), evidence.policy.key]
    plain = [(function, "none", "") for function in ["identity", "crc32", "twice", *functions]]
    usual = [function for function in functions if function in ("md5", "sha1", "sha256", "sha512")]
    salted = [(f, how, salt) for f in usual for how in ("before", "after", "key") for salt in dict.fromkeys(salts)]
    return plain + salted


@cache
def _is_usable(digest: str) -> bool:
    """OpenSSL may list a hash function and refuse it."""
    try:
        hashlib.new(digest, b"", usedforsecurity=False)
    except ValueError:
        return False
    return True


def _forms(way: tuple[str, str, str], text: str) -> Iterator[str]:
    """Every usual way of writing what the function makes of the value."""
    function, how, salt = way
    for data in _spellings(text):
        salted = salt.encode() + data if how == "before" else data + salt.encode() if how == "after" else data
        if function == "identity":
            # the value itself is no hash; its encodings are
            digest = data
            yield text[::-1]
        elif function == "crc32":
            yield f"{zlib.crc32(data):08x}"
            continue
        elif function == "twice":
            for name in ("md5", "sha1", "sha256"):
                inner = hashlib.new(name, data, usedforsecurity=False)
                yield hashlib.new(name, inner.hexdigest().encode(), usedforsecurity=False).hexdigest()
                yield hashlib.new(name, inner.digest(), usedforsecurity=False).hexdigest()
            continue
        elif how == "key":
            digest = hmac.new(salt.encode(), data, function).digest()
        else:
            digest = hashlib.new(function, salted, usedforsecurity=False).digest()
        yield digest.hex()
        yield base64.b64encode(digest).decode()
        yield base64.urlsafe_b64encode(digest).decode()
        yield base64.b32encode(digest).decode()


def _spellings(text: str) -> list[bytes]:
    """The value as bytes: other cases, without signs between digits, and in the usual encodings."""
    bare = re.sub(r"[\s().-]+", "", text)
    texts = dict.fromkeys([text, text.strip().lower(), text.upper(), bare, text + "\n", f'"{text}"'])
    found = [spelling.encode("utf-8", "surrogatepass") for spelling in texts]
    found.append(text.encode("utf-16-le", "surrogatepass"))
    if not text.isascii():
        found.append(text.encode("gb18030", "replace"))
    return list(dict.fromkeys(found))


def _bare(cell: str) -> str:
    return re.sub(r"^[A-Za-z0-9_]{1,12}[:$-]", "", cell)


def _normal(cell: str) -> str:
    """Without prefixes such as `sha256:`, separators and padding, and in one case where hexadecimal."""
    text = _bare(cell) if not _HEX.fullmatch(cell) else cell
    plain = text.removeprefix("0x").replace(":", "").replace("-", "") if _HEX.fullmatch(text) else text
    return plain.lower() if _HEX.fullmatch(plain) else plain.rstrip("=")
