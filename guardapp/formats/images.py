"""Images as arrays: IDX (MNIST's format), NPZ, and a folder of class folders. Any may be hostile.

Every size is bounded before memory is taken.

Pixels come out as uint8 or float32, (n, channels, height, width), and labels as texts.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from guardapp.errors import GuardError, from_os_error

MAX_BYTES = 8 << 30
"""No array larger than this is read."""
MAX_PIXELS = 50_000_000
"""No single picture larger than this is decoded (a bomb declares gigapixels in a few bytes)."""
MAX_PICTURES = 5_000_000
MAX_PICTURE_BYTES = 64 << 20

PICTURES = (".png", ".jpg", ".jpeg")
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_IMAGE_KEYS = ("images", "x", "X", "x_train", "train_images", "data")
_LABEL_KEYS = ("labels", "y", "Y", "y_train", "train_labels", "target")


def refuse(path: Path, why: str, next: str, code: str) -> GuardError:
    return GuardError(f"{path.name} cannot be read as images", why, next, code)


def read_idx(path: Path) -> NDArray[Any]:
    """The array of an IDX file, plain or gzip-compressed; its length must be exactly what its header says."""
    try:
        with _opened(path) as file:
            return _idx(path, file)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise refuse(
            path, "the compressed file is cut short or damaged", "Get the file again.", "images.truncated"
        ) from None
    except OSError as error:
        raise from_os_error(error, path) from None


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")  # type: ignore[return-value]


def _idx(path: Path, file: IO[bytes]) -> NDArray[Any]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _IDX_TYPES or not 1 <= head[3] <= 4:
        raise refuse(path, "its first bytes are not those of an IDX file", "Choose an IDX file.", "images.not-idx")
    sides_bytes = file.read(4 * head[3])
    if len(sides_bytes) < 4 * head[3]:
        raise refuse(path, "the file ends inside its header", "Get the file again.", "images.truncated")
    sides = struct.unpack(f">{head[3]}I", sides_bytes)
    kind = np.dtype(_IDX_TYPES[head[2]])
    size = math.prod(sides) * kind.itemsize
    if size > MAX_BYTES:
        raise refuse(path, f"it declares {size} bytes of pixels", "Split the file.", "images.too-large")
    content = _read_up_to(file, size + 1)
    if len(content) != size:
        found = "more" if len(content) > size else "fewer"
        raise refuse(
            path, f"it holds {found} values than its header declares", "Get the file again.", "images.truncated"
        )
    return np.frombuffer(content, kind).astype(kind.newbyteorder("=")).reshape(sides)


def _read_up_to(file: IO[bytes], size: int) -> bytes:
    """At most `size` bytes, in pieces, so that a header that lies never allocates what it declares."""
    pieces, left = [], size
    while left and (piece := file.read(min(left, 16 << 20))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Images and, if there, labels of an NPZ or NPY file. Pickled arrays are refused."""
    try:
        if path.suffix.lower() == ".npy":
            return _npy(path), None
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise refuse(path, "it unpacks to more than 8 GiB", "Split the file.", "images.too-large")
        with np.load(path, allow_pickle=False) as arrays:
            images = _first(arrays, _IMAGE_KEYS)
            if images is None:
                raise refuse(
                    path,
                    f"none of its arrays is named {', '.join(_IMAGE_KEYS[:4])}",
                    "Name the array of pixels images and the array of classes labels.",
                    "images.npz-keys",
                )
            return images, _first(arrays, _LABEL_KEYS)
    except ValueError as error:
        pickled = "pickle" in str(error).lower() or "object" in str(error).lower()
        raise refuse(
            path,
            "it holds pickled Python objects, which can run code" if pickled else "an array in it is damaged",
            "Save plain number arrays." if pickled else "Get the file again.",
            "images.pickle" if pickled else "images.truncated",
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, MemoryError, NotImplementedError):
        raise refuse(path, "the archive is damaged", "Get the file again.", "images.truncated") from None
    except OSError as error:
        raise from_os_error(error, path) from None


def _npy(path: Path) -> NDArray[Any]:
    array = np.load(path, allow_pickle=False, mmap_mode="r")
    if array.nbytes > MAX_BYTES:
        raise refuse(path, "it holds more than 8 GiB", "Split the file.", "images.too-large")
    return np.array(array)


def _first(arrays: Any, names: tuple[str, ...]) -> NDArray[Any] | None:
    for name in names:
        if name in arrays.files:
            array = arrays[name]
            if not isinstance(array, np.ndarray):
                raise EOFError  # a member that does not begin as an array does, which numpy gives as bytes
            return array
    return None


def read_folder(path: Path) -> tuple[NDArray[np.uint8], list[str]]:
    """PNG and JPEG pictures of a folder of class folders; a picture's class is the name of its folder.

    Gray if the first picture is gray, else RGB; all must have the size of the first. Links are not followed.
    """
    files = list(_pictures(path))
    if not files:
        raise refuse(
            path,
            "there are no pictures in folders named after their classes",
            "Make one folder per class.",
            "images.empty",
        )
    first = _decode(files[0], None)
    if first.nbytes * len(files) > MAX_BYTES:
        raise refuse(path, "the pictures are larger than 8 GiB together", "Make them smaller.", "images.too-large")
    pixels = np.empty((len(files), *first.shape), np.uint8)
    for index, file in enumerate(files):
        picture = _decode(file, first.shape[0])
        if picture.shape != first.shape:
            raise refuse(
                file,
                f"it is {picture.shape[2]} × {picture.shape[1]} pixels, the first picture is "
                f"{first.shape[2]} × {first.shape[1]}",
                "Bring all pictures to one size.",
                "images.sizes",
            )
        pixels[index] = picture
    return pixels, [file.parent.name for file in files]


def _pictures(path: Path) -> list[Path]:
    found: list[Path] = []
    for folder in sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.is_symlink()):
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_file(follow_symlinks=False))
        found += [folder / name for name in names if name.lower().endswith(PICTURES)]
        if len(found) > MAX_PICTURES:
            raise refuse(path, "it holds more than 5 million pictures", "Split the folder.", "images.too-many")
    return found


def _decode(path: Path, channels: int | None) -> NDArray[np.uint8]:
    """One picture as (channels, height, width)."""
    from PIL import Image

    try:
        if path.stat().st_size > MAX_PICTURE_BYTES:
            raise refuse(path, "the file is larger than 64 MiB", "Make it smaller.", "images.too-large")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; the bound below refuses them
            with Image.open(path, formats=("PNG", "JPEG")) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise refuse(
                        path, "it declares more than 50 million pixels", "Make it smaller.", "images.too-large"
                    )
                gray = picture.mode in ("1", "L", "I;16") if channels is None else channels == 1
                array = np.asarray(picture.convert("L" if gray else "RGB"), np.uint8)
    except GuardError:
        raise
    except Image.DecompressionBombError:
        raise refuse(path, "it declares more than 50 million pixels", "Make it smaller.", "images.too-large") from None
    except (OSError, ValueError, SyntaxError, struct.error, zlib.error):
        raise refuse(
            path, "it is damaged or not a PNG or JPEG picture", "Replace or remove it.", "images.damaged"
        ) from None
    return array[None] if gray else np.ascontiguousarray(array.transpose(2, 0, 1))
