"""Mutate files of every kind and scan them: `python tests/formats/scan/fuzz_scan.py 10000 [SECONDS]`.

The seeds are harmful files of each kind that the scanner opens. Whatever is done to one, a scan ends within two seconds
of processor time and 500 MiB with a verdict, raises nothing, and runs nothing: the seeds would leave a mark. With
SECONDS of processor time, mutants that reach new lines are kept and mutated on, as in tests/seal/fuzz.py, whose way of
mutating it is.
"""

from __future__ import annotations

import bz2
import gzip
import importlib.util
import io
import json
import lzma
import os
import pickle
import random
import resource
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from guardapp.formats.scan.findings import verdict
from guardapp.formats.scan.scanner import scan_file

SLOWEST = 2.0
MOST_MEMORY = 500 << 20
MARK = "guardapp-fuzz-mark"
LARGEST_SEED = 1 << 16
MOST_SEEDS = 4000


def shared_fuzz() -> ModuleType:
    """tests/seal/fuzz.py."""
    place = importlib.util.spec_from_file_location("fuzz_seal", Path(__file__).parents[2] / "seal" / "fuzz.py")
    assert place is not None
    assert place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module


TOKENS = [
    b"\x80\x04", b"\x80\x02", b"cos\nsystem\n", b"\x93", b"R.", b"(", b"t", b"\x94", b"h\0", b"\x95\xff\0\0\0\0\0\0\0",
    b"o", b"b", b"\x81", b"\x82\x01", b"I-1\n", b"\x8a\xff", b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06",
    b"\x93NUMPY\x01\0", b"GGUF", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b\x08", b"\x78\x9c", b"BZh9", b"\xfd7zXZ\0", b"ustar",
    b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b'{"class_name": "Lambda"}', b"\x3a\x7f", b"\xff" * 8, b"\0" * 8,
    b"\xff\xff\xff\x7f", b'{"' * 50, b"torch.save(", b"{{ ''.__class__ }}",
]  # fmt: skip


def seeds() -> list[bytes]:
    """A small file of each kind."""
    run = f"touch {MARK}".encode()
    harm = (
        b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c"
        + bytes([len(run)])
        + run
        + b"\x85R."
    )
    plain = pickle.dumps({"a": [1, 2.5, "ü", b"\0", None], "b": {1, 2}, 3: (4,) * 5})
    text = f"(cos\nsystem\n(S'touch {MARK}'\ntR.".encode()
    header = json.dumps(
        {"__metadata__": {"a": "b"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    ).encode()
    keras = json.dumps({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}})
    npy = b"\x93NUMPY\x01\0\x3f\0" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(62) + b"\n" + harm
    node = b"\x0a\x0a\x0a\x01x\x12\x01y\x3a\x02ab"
    onnx = b"\x08\x08\x3a" + bytes([len(node)]) + node
    entry = struct.pack("<Q", 4) + b"tmpl" + struct.pack("<IQ", 8, 24) + b"{{ ''.__class__.mro() }}"
    hdf5 = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0" + bytes(80) + b"model_config" + keras.encode() + harm
    array = io.BytesIO()
    joblib = b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\0)\x81q\1}q\2(X\x05\0\0\0shapeq\3K\2\x85ub." + bytes(
        16
    )
    with zipfile.ZipFile(array, "w") as archive:
        archive.writestr("a/data.pkl", harm)
        archive.writestr("a/code/x.py", "torch.save(x)")
        archive.writestr("a/constants.pkl", plain, zipfile.ZIP_DEFLATED)
        archive.writestr("config.json", keras, zipfile.ZIP_BZIP2)
        archive.writestr("models/m.json", '{"expr_str": "s0"}', zipfile.ZIP_LZMA)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive_:
        info = tarfile.TarInfo("a/b")
        info.size = len(harm)
        archive_.addfile(info, io.BytesIO(harm))
    packed = [gzip.compress(harm), bz2.compress(harm), lzma.compress(harm), zlib.compress(harm)]
    for codec in ("zstd", "lz4"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, codec) as stream:
            stream.write(harm)
        packed.append(sink.getvalue().to_pybytes())
    packed.append(lzma.compress(harm, lzma.FORMAT_ALONE))
    return [
        harm, plain, text, struct.pack("<Q", len(header)) + header + bytes(8), npy, onnx, hdf5, joblib,
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + entry, array.getvalue(),
        b"junk" + array.getvalue(), tar.getvalue(), *packed,
    ]  # fmt: skip


def fuzz(path: Path, count: Iterator[int], dice: random.Random, *, guided: bool = False) -> dict[str, Any]:
    """Figures: mutants, verdicts, faults, the slowest in processor seconds, memory, lines reached if `guided`."""
    way = shared_fuzz()
    way.TOKENS[:] = TOKENS
    corpus, lines = seeds(), way.Lines()
    verdicts: Counter[str] = Counter()
    faults: list[str] = []
    mutants, slowest = 0, 0.0
    for _ in count:
        data = way.mutated(dice.choice(corpus), dice)
        path.write_bytes(data)
        lines.fresh = False
        before = sys.gettrace()
        begun = time.process_time()
        try:
            if guided:
                sys.settrace(lines.trace)
            verdicts[verdict(scan_file(path))] += 1
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}: {data[:300]!r}")
        finally:
            sys.settrace(before)
        taken = time.process_time() - begun
        if guided and lines.fresh and len(data) < LARGEST_SEED and len(corpus) < MOST_SEEDS:
            corpus.append(data)
        if taken > SLOWEST:
            faults.append(f"took {taken:.1f} s: {data[:300]!r}")
        mutants, slowest = mutants + 1, max(slowest, taken)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if memory > MOST_MEMORY:
        faults.append(f"{memory >> 20} MiB of memory")
    if Path(MARK).exists() or (path.parent / MARK).exists():
        faults.append("a mutant was carried out")
    return {
        "mutants": mutants,
        "verdicts": dict(verdicts),
        "slowest_s": round(slowest, 3),
        "memory_mib": memory >> 20,
        "corpus": len(corpus),
        "lines": len(lines.seen),
        "faults": faults[:5],
        "failed": len(faults),
    }


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        mutants = shared_fuzz().until(time.process_time() + seconds) if seconds else iter(range(count))
        figures = fuzz(Path(folder) / "mutant", mutants, random.Random(7), guided=bool(seconds))
    print(json.dumps(figures, indent=2, ensure_ascii=False))
    return 1 if figures["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
