"""Mutate headers at random and see that each parser says no politely: `fuzz.py 10000 [SECONDS] [NAME]`.

Targets: the header of a sealed file, that of an age file with its armor and payload, and that of safetensors. A mutant
may be refused with a GuardError, or be accepted where what it changed carries no meaning to the target (see `Target`);
any other exception, a step of more than two seconds of processor time, or 500 MiB of memory is a failure. With SECONDS
of processor time for each target (or for that of NAME alone), mutants that reach new lines of code are kept and
mutated on (by `sys.settrace`): a coverage-guided run.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from guardapp.errors import GuardError
from guardapp.formats import age_hybrid, safetensors
from guardapp.seal.age_file import verify_age, write_age
from guardapp.seal.header import read, write
from guardapp.seal.hybrid import HybridIdentity, HybridRecipient
from guardapp.seal.recipients import X25519Identity, X25519Recipient, check
from guardapp.seal.sealed import verify_sealed, write_sealed
from guardapp.seal.stanzas import Stanza

SLOWEST = 2.0
MOST_MEMORY = 500 << 20
KEY = bytes(range(32))
IDENTITIES = [X25519Identity(KEY), HybridIdentity(KEY)]
RECIPIENTS = [X25519Recipient(IDENTITIES[0]._public), HybridRecipient(age_hybrid.public_of(KEY))]
PLAIN = os.urandom(70_000)
TOKENS = [
    b"-> X25519 ", b"-> scrypt ", b"-> argon2id ", b"-> mlkem768x25519 ", b"-> RSA-OAEP ", b"-> content file\n\n",
    b"---", b"--- ", b"\n", b"\r\n", b" ", b"=", b"A" * 64, b"guard-sealed/1\n", b"age-encryption.org/v1\n",
    b"21 64 16", b"20", b"-----BEGIN AGE ENCRYPTED FILE-----\n",
    b"-----END AGE ENCRYPTED FILE-----\n", b'{"', b'":', b"[[[[",
    b"1e999", b"-1", b"9" * 20, b"\xff\xff\xff\xff\xff\xff\xff\x7f", b"\0", b"\x80", b'"data_offsets":[0,4]',
    b'"dtype":"F32"',
]  # fmt: skip


class Target(NamedTuple):
    """run: parse a mutant; True means that it was accepted although it differs from every seed in what matters."""

    name: str
    seeds: list[bytes]
    run: Callable[[bytes], bool]


def targets(folder: Path) -> list[Target]:
    (folder / "plain").write_bytes(PLAIN)
    write_sealed(folder / "plain", folder / "s", RECIPIENTS, flush=False)
    write_age(folder / "plain", folder / "a", RECIPIENTS[:1], flush=False)
    write_age(folder / "plain", folder / "h", RECIPIENTS[1:], flush=False)
    write_age(folder / "plain", folder / "t", RECIPIENTS[:1], armor=True, flush=False)
    stanzas = [Stanza("argon2id", ("A" * 22, "10", "1", "1"), bytes(48)), Stanza("future", ("a", "b"), bytes(90))]
    sealed = [(folder / "s").read_bytes(), write("file", stanzas, KEY)]
    age = [(folder / name).read_bytes() for name in "aht"]
    header = json.dumps({"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}})
    tensors = [struct.pack("<Q", len(header)) + header.encode() + bytes(8)]

    def sealed_header(data: bytes) -> bool:
        header = read(data, "x")
        with contextlib.suppress(ValueError):  # how a reader is told that a stanza is malformed
            check(header.stanzas)
        return False

    def sealed_file(data: bytes) -> bool:
        return _opens(verify_sealed, folder / "mutant", data, sealed)

    def age_file(data: bytes) -> bool:
        return _opens(verify_age, folder / "mutant", data, age)

    def tensor_header(data: bytes) -> bool:
        file = io.BytesIO(data)

        def part(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        layout = safetensors.read_layout(part, len(data), "x")
        spans = sorted((tensor.begin, tensor.begin + tensor.nbytes) for tensor in layout.tensors)
        return any(end > len(data) for _, end in spans)

    return [
        Target("header of a sealed file", sealed, sealed_header),
        Target("sealed file", sealed[:1], sealed_file),
        Target("age file", age, age_file),
        Target("safetensors header", tensors, tensor_header),
    ]


def _opens(verify: Callable[..., Any], path: Path, data: bytes, seeds: list[bytes]) -> bool:
    """Whether a mutant opens; only one that is a seed but for the armor's white space may."""
    path.write_bytes(data)
    verify(path, IDENTITIES)
    squeezed = data.replace(b"\r\n", b"\n").strip(b" \t\r\n")
    return not any(squeezed == seed.strip(b" \t\r\n") for seed in seeds)


def mutated(data: bytes, dice: random.Random) -> bytes:
    """One to four small changes, most of them near the start, where the headers are."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        near = min(len(changed), 2500) if dice.random() < 0.8 else len(changed)
        at = dice.randrange(near + 1)
        match dice.randrange(7):
            case 0 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at:at] = dice.choice(TOKENS)
            case 2:
                del changed[at : at + dice.choice([1, 2, 16, 64, 1000])]
            case 3:
                token = dice.choice(TOKENS)
                changed[at : at + len(token)] = token
            case 4:
                end = at + dice.randint(1, 200)
                changed[at:at] = changed[at:end]
            case 5:
                changed[at:at] = dice.randbytes(dice.choice([1, 3, 64]))
            case _:
                del changed[at:]
    return bytes(changed)


class Lines:
    """Which lines of the program were reached."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()
        self.fresh = False

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        if "guardapp" not in name:
            return None
        place = (name, frame.f_lineno)
        if place not in self.seen:
            self.seen.add(place)
            self.fresh = True
        return self.trace


def fuzz(target: Target, mutants: Iterator[int], dice: random.Random, *, guided: bool = False) -> dict[str, Any]:
    """Figures: how many mutants, accepted wrongly, faults, the slowest in seconds, lines reached if `guided`."""
    corpus, lines = list(target.seeds), Lines()
    count, slowest, refused = 0, 0.0, 0
    faults: list[str] = []
    for _ in mutants:
        data = mutated(dice.choice(corpus), dice)
        begun = time.process_time()
        lines.fresh = False
        # a measurement of coverage may be watching already
        before = sys.gettrace()
        try:
            if guided:
                sys.settrace(lines.trace)
            if target.run(data):
                faults.append(f"accepted: {data[:200]!r}")
        except GuardError:
            refused += 1
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}: {data[:200]!r}")
        finally:
            if guided:
                sys.settrace(before)
        if guided and lines.fresh and len(data) < 1 << 18:
            corpus.append(data)
        taken = time.process_time() - begun
        slowest, count = max(slowest, taken), count + 1
        if taken > SLOWEST:
            faults.append(f"took {taken:.1f} s: {data[:200]!r}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if memory > MOST_MEMORY:
        faults.append(f"{memory >> 20} MiB of memory")
    figures = {"mutants": count, "refused": refused, "slowest_s": round(slowest, 3), "memory_mib": memory >> 20}
    return {**figures, "corpus": len(corpus), "lines": len(lines.seen), "faults": faults[:5], "failed": len(faults)}


def until(deadline: float) -> Iterator[int]:
    """Count on until the process has had so many seconds of processor time."""
    number = 0
    while time.process_time() < deadline:
        yield number
        number += 1


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    name = sys.argv[3] if len(sys.argv) > 3 else None
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for target in targets(Path(folder)):
            if name not in (None, target.name):
                continue
            mutants = until(time.process_time() + seconds) if seconds else iter(range(count))
            found[target.name] = fuzz(target, mutants, random.Random(7), guided=bool(seconds))
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 1 if any(figures["failed"] for figures in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
