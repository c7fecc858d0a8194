"""Sealing and opening beside `cp` of the same file in the same run.

    python -m tests.bench.bench_seal [--mib 2048] [--rounds 5] [--no-peers]

The peers are pyrage and the `age` command, where they are there; they neither flush nor verify, and are compared with
sealing and opening without that.

Every round does all of it once, in random order and each time from the same state, so that what else the machine does
meets each alike; the ratios are those of the medians. The file is read once before, so that it is in the page cache;
what was written is synced and removed between the measurements, outside the time.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from guardapp.formats.age_keys import encode_identity, encode_recipient
from guardapp.formats.safetensors import write_header
from guardapp.seal.recipients import X25519Identity, X25519Recipient
from guardapp.seal.rewrap import add_recipients
from guardapp.seal.sealed import open_sealed, open_to_file, verify_sealed, write_sealed

TENSOR_BYTES = 16 << 20


def make_model(path: Path, mib: int) -> None:
    """A safetensors file of `mib` MiB in tensors of 16 MiB, of bytes that do not compress."""
    count = mib // 16
    block = os.urandom(TENSOR_BYTES)
    with path.open("wb") as file:
        names = (f"layer.{number}.weight" for number in range(count))
        file.write(write_header(((name, "F32", (2048, 2048), TENSOR_BYTES) for name in names), {}))
        for _ in range(count):
            file.write(block)
        os.fsync(file.fileno())


def timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def settle(source: Path, *remove: Path) -> None:
    """Bring the machine into the same state before every measurement.

    Nothing waits to be written, `source` is in the page cache, and twice as much memory as it takes has just been
    freed: the host of a virtual machine hands out memory several times more slowly at its first use, and takes part of
    what is freed back.
    """
    for path in remove:
        path.unlink(missing_ok=True)
    os.sync()
    spares = [source.with_name("spare"), source.with_name("spare too")]
    for spare in spares:
        subprocess.run(["cp", source, spare], check=True)
    for spare in spares:
        spare.unlink()


def peer_work(folder: Path, source: Path) -> dict[str, Callable[[], object]]:
    """The peers that are there, sealing `source` to "peer" and opening "aged", which the first of them made."""
    key = X25519PrivateKey.generate()
    identity = folder / "identity"
    identity.write_text(encode_identity(key.private_bytes_raw()) + "\n")
    recipient = encode_recipient(key.public_key().public_bytes_raw())
    aged, peer = folder / "aged", folder / "peer"
    work: dict[str, Callable[[], object]] = {}
    if age := shutil.which("age"):
        work["age, seal"] = lambda: subprocess.run([age, "-r", recipient, "-o", peer, source], check=True)
        work["age, open"] = lambda: subprocess.run([age, "-d", "-i", identity, "-o", peer, aged], check=True)
    try:
        import pyrage
    except ImportError:
        pass
    else:
        public = pyrage.x25519.Recipient.from_str(recipient)
        private = pyrage.x25519.Identity.from_str(identity.read_text().strip())
        work["pyrage, seal"] = lambda: pyrage.encrypt_file(str(source), str(peer), [public])
        work["pyrage, open"] = lambda: pyrage.decrypt_file(str(aged), str(peer), [private])
    if work:
        next(iter(work.values()))()
        peer.rename(aged)
    return work


def one_round(
    folder: Path,
    source: Path,
    keys: tuple[X25519Identity, X25519Recipient],
    peers: dict[str, Callable[[], object]],
) -> dict[str, float]:
    """Every measurement once, in random order, each from the same state: `source` and what is opened, nothing else."""
    identity, recipient = [keys[0]], [keys[1]]
    copy, sealed, again, opened = (folder / name for name in ("copy", "sealed", "again", "opened"))
    if not sealed.exists():
        write_sealed(source, sealed, recipient, verify=False)
    work: dict[str, Callable[[], object]] = {
        "cp": lambda: subprocess.run(["cp", source, copy], check=True),
        "seal": lambda: write_sealed(source, again, recipient, verify=False, flush=False),
        "open": lambda: open_to_file(sealed, opened, identity, flush=False),
        "verify": lambda: verify_sealed(sealed, identity),
        "cp + sync": lambda: _copy_and_flush(source, copy),
        "seal, verify, flush": lambda: write_sealed(source, again, recipient),
        "open, flush": lambda: open_to_file(sealed, opened, identity),
        **peers,
    }
    seconds: dict[str, float] = {}
    for name in random.sample(list(work), len(work)):
        settle(source, copy, again, opened, folder / "peer")
        seconds[name] = timed(work[name])
    settle(source, copy, again, opened, folder / "peer")

    def one_tensor() -> None:
        with open_sealed(sealed, identity) as reader:
            reader[f"layer.{len(reader.tensors()) // 2}.weight"]

    seconds["tensor"] = statistics.median(timed(one_tensor) for _ in range(9))
    write_sealed(source, again, recipient, verify=False, flush=False)
    more = X25519Recipient(X25519PrivateKey.generate().public_key().public_bytes_raw())
    seconds["recipient"] = timed(lambda: add_recipients(again, identity, [more]))
    settle(source, again)
    return seconds


def _copy_and_flush(source: Path, copy: Path) -> None:
    subprocess.run(["cp", source, copy], check=True)
    fd = os.open(copy, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


MEMORY = """
import re, sys
from pathlib import Path
import psutil
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from guardapp.seal.recipients import X25519Identity, X25519Recipient
from guardapp.seal.sealed import open_to_file, write_sealed
source, folder = Path(sys.argv[1]), Path(sys.argv[2])
key = X25519PrivateKey.generate()
idle = psutil.Process().memory_info().rss
write_sealed(source, folder / "s", [X25519Recipient(key.public_key().public_bytes_raw())])
open_to_file(folder / "s", folder / "o", [X25519Identity(key.private_bytes_raw())])
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
print((peak - idle) / 2**20)
"""


def peak_memory(folder: Path, source: Path) -> float | None:
    """MiB above idle while sealing (with verify and flush) and opening; None where the system does not say."""
    if sys.platform != "linux":
        return None
    done = subprocess.run([sys.executable, "-c", MEMORY, source, folder], capture_output=True, text=True, check=True)
    settle(source, folder / "s", folder / "o")
    return float(done.stdout)


def report(rounds: list[dict[str, float]], mib: int, memory: float | None, load: float) -> str:
    lines = [
        f"{mib} MiB of safetensors in the page cache, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"{platform.system()} {platform.release()}, load average {load:.1f} before it began; medians of "
        f"{len(rounds)} rounds and their ratios (the lowest and highest of a round in brackets).",
        "",
        "| what | seconds | GB/s | ratio |",
        "|---|---|---|---|",
    ]
    pairs = [
        ("cp", "cp"),
        ("seal", "cp"),
        ("open", "cp"),
        ("verify", "cp"),
        ("cp + sync", "cp + sync"),
        ("seal, verify, flush", "cp + sync"),
        ("open, flush", "cp + sync"),
        *((name, name.split(", ")[1]) for name in rounds[0] if name.startswith(("age", "pyrage"))),
    ]
    for name, base in pairs:
        seconds = statistics.median(one[name] for one in rounds)
        ratios = sorted(one[name] / one[base] for one in rounds)
        ratio = seconds / statistics.median(one[base] for one in rounds)
        spread = "" if name == base else f"{ratio:.2f} × {base} ({ratios[0]:.2f}–{ratios[-1]:.2f})"
        lines.append(f"| {name} | {seconds:.2f} | {mib * 1.048576e-3 / seconds:.2f} | {spread} |")
    tensor = statistics.median(one["tensor"] for one in rounds)
    added = statistics.median(one["recipient"] for one in rounds)
    lines += [
        "",
        f"One tensor of 16 MiB, opening the file included: {tensor * 1000:.1f} ms. One more recipient: {added:.2f} s.",
    ]
    if memory is not None:
        lines.append(f"Peak of resident memory above idle, sealing, verifying and opening: {memory:.0f} MiB.")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-peers", action="store_true", help="leave pyrage and age out")
    parser.add_argument("--folder", type=Path, help="where to work; by default a new folder in the temporary one")
    options = parser.parse_args(arguments)
    key = X25519PrivateKey.generate()
    keys = X25519Identity(key.private_bytes_raw()), X25519Recipient(key.public_key().public_bytes_raw())
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        source = folder / "model.safetensors"
        make_model(source, options.mib)
        peers = {} if options.no_peers else peer_work(folder, source)
        rounds = []
        for number in range(options.rounds):
            rounds.append(one_round(folder, source, keys, peers))
            print(f"round {number + 1}: " + ", ".join(f"{k} {v:.3f}" for k, v in rounds[-1].items()), file=sys.stderr)
        text = report(rounds, options.mib, peak_memory(folder, source), load)
    print(text)


if __name__ == "__main__":
    main(sys.argv[1:])
