"""A helper process that looks at files: `python -m guardapp.seal.session` reads and writes JSON lines.

The window asks it what a file is and never opens one itself: a hostile or huge file stays here. It is given no key, and
it writes nothing.

    {"id": 1, "do": "look", "path": "…"}          {"id": 1, "result": {"kind": "torch-zip", "bytes": …, …}}
    {"id": 2, "do": "tensors", "path": "…"}       {"id": 2, "result": {"tensors": [[name, dtype, shape, bytes], …], …}}
    {"id": 2, "do": "statistics", "path": "…", "name": "…"}   {"id": 2, "result": null or {"mean", "bins", …}}
    {"id": 2, "do": "convertible", "paths": ["…"]}{"id": 2, "result": {"files": [[name, bytes, fate], …], …}}
    {"id": 3, "do": "recipients", "text": "age1…"}{"id": 3, "result": {"recipients": [{"text", "kind"}, …]}}
    {"id": 4, "do": "recipients", "path": "…"}    the same, from a key file
    {"id": 5, "do": "passport", "path": "…"}      {"id": 5, "result": null or {"jobs": […], "stated": […], …}}

A refusal is `{"id": n, "error": {"what", "why", "next", "code"}}`. The process ends when its input does.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from guardapp.errors import GuardError, from_os_error

if TYPE_CHECKING:
    from guardapp.formats.safetensors import Layout, TensorInfo

Request = dict[str, Any]

MOST_FILES = 10_000
"""Files of a folder that are counted before it is called large."""


def look(request: Request) -> dict[str, Any]:
    """What a file or folder is, from its first bytes.

    kind:        "folder", "sealed", or as `checkpoints.sniff`
    converts:    whether sealing with conversion would change it into safetensors
    sealed_name: what its sealed form is called: in each format, with and without conversion
    sealed:      of a sealed or age file: its format, kinds of its recipients, sizes, the name that it is opened as,
                 and the name of the folder that it may be unpacked into, or ""
    """
    path = Path(request["path"])
    if path.is_dir():
        return _look_at_folder(path)
    from guardapp.formats import checkpoints
    from guardapp.seal.opening import format_of

    is_sealed = format_of(path) is not None
    kind = "sealed" if is_sealed else checkpoints.sniff(path)
    converts = kind not in ("sealed", "safetensors") and not checkpoints.plainly_other(path)
    return {
        "name": path.name,
        "kind": kind,
        "bytes": path.stat().st_size,
        "converts": converts,
        "sealed_name": _sealed_names(path, converts),
        "sealed": _look_at_sealed(path) if is_sealed else None,
    }


def _look_at_folder(path: Path) -> dict[str, Any]:
    count = nbytes = 0
    for file in path.rglob("*"):
        if file.is_file() and not file.is_symlink():
            count, nbytes = count + 1, nbytes + file.stat().st_size
        if count >= MOST_FILES:
            break
    return {
        "name": path.name,
        "kind": "folder",
        "bytes": nbytes,
        "files": count,
        "converts": False,
        "sealed_name": _sealed_names(path, False),
        "sealed": None,
    }


def _sealed_names(path: Path, converts: bool) -> dict[str, dict[str, str]]:
    from guardapp.seal.job import sealed_name
    from guardapp.seal.opening import Format

    def names(form: Format) -> dict[str, str]:
        return {
            "converted": sealed_name(path, converted=converts, form=form),
            "as_it_is": sealed_name(path, converted=False, form=form),
        }

    return {"sealed": names("sealed"), "age": names("age")}


def _look_at_sealed(path: Path) -> dict[str, Any]:
    from guardapp.seal.inspect import inspect_sealed
    from guardapp.seal.open_job import folder_name, opened_name

    found = inspect_sealed(path)
    name = opened_name(path)
    folder = folder_name(name)
    return {
        "format": found.format,
        "content": found.content,
        "recipients": list(found.recipients),
        "content_bytes": found.content_bytes,
        "segments": found.segments,
        "opened_name": name,
        "folder_name": folder if folder != name else "",
    }


def tensors(request: Request) -> dict[str, Any]:
    """The tensors of a checkpoint: of safetensors from the header alone, of a pickle after loading it safely.

    left_out: what a pickle holds beside tensors. Raises GuardError as `checkpoints.describe`.
    """
    from guardapp.formats import checkpoints

    path = Path(request["path"])
    left_out: list[str] = []
    if checkpoints.sniff(path) == "safetensors":
        found = list(checkpoints.layout(path).tensors)
    else:
        from guardapp.formats.safetensors_image import SafetensorsImage

        loaded = checkpoints.load(path)
        found, left_out = list(SafetensorsImage(loaded.tensors).layout.tensors), loaded.left_out
    return {
        "tensors": [[tensor.name, tensor.dtype, list(tensor.shape), tensor.nbytes] for tensor in found],
        "left_out": left_out[:50],
    }


def statistics(request: Request) -> dict[str, Any] | None:
    """What the numbers of one tensor of a checkpoint are like, as `Statistics`; None for a type that is not read.

    A pickle is loaded anew each time, so that its tensors are not kept. Raises GuardError as `tensors`.
    """
    from guardapp.formats import checkpoints
    from guardapp.formats import tensor_statistics as numbers

    path, name = Path(request["path"]), str(request["name"])
    if checkpoints.sniff(path) == "safetensors":
        wanted = _named(checkpoints.layout(path), name)
        with path.open("rb") as file:

            def read_into(view: memoryview, offset: int) -> None:
                file.seek(offset)
                if file.readinto(view) != len(view):
                    raise checkpoints.damaged(path, "it became shorter while it was being read")

            found = numbers.statistics(wanted, read_into)
    else:
        from guardapp.formats.safetensors_image import SafetensorsImage

        image = SafetensorsImage(checkpoints.load(path).tensors)
        found = numbers.statistics(_named(image.layout, name), image.read_into)
    return None if found is None else found._asdict()


def _named(layout: Layout, name: str) -> TensorInfo:
    return next(tensor for tensor in layout.tensors if tensor.name == name)


def convertible(request: Request) -> dict[str, Any]:
    """What converting would do with each file, as `convert_plan.Candidate`. Raises GuardError as `candidates`.

    alone: whether it is about one file that was named by itself
    GuardError: convert.nothing where no file would even be tried
    """
    from guardapp.seal.convert_plan import candidates, nothing

    paths = [Path(path) for path in request["paths"]]
    found = candidates(paths)
    if all(file.fate != "convert" for file in found):
        raise nothing(paths, sum(file.fate == "already" for file in found))
    alone = len(paths) == 1 and not paths[0].is_dir()
    return {"files": [[file.name, file.bytes, file.fate] for file in found], "alone": alone}


def recipients(request: Request) -> dict[str, Any]:
    """The public keys in a text or a key file, each checked. Raises GuardError as `keys.recipient`."""
    from guardapp.seal import keys

    if "path" in request:
        path = Path(request["path"])
        with path.open("rb") as file:
            found = keys.recipients_in(file.read(keys.MAX_KEY_FILE + 1), path.name)
    else:
        found = [str(request["text"]).strip()]
    return {"recipients": [{"text": text, "kind": keys.recipient(text).kind} for text in found]}


def passport(request: Request) -> dict[str, Any] | None:
    """What a bundle's passport states, in short; None where there is none that can be read."""
    from pydantic import ValidationError

    from guardapp.seal.passport import Passport
    from guardapp.seal.passport_check import LARGEST_PASSPORT, PASSPORT_NAME

    path = Path(request["path"]) / PASSPORT_NAME
    try:
        if path.stat().st_size > LARGEST_PASSPORT:
            return None
        found = Passport.model_validate_json(path.read_bytes())
    except (OSError, ValueError, ValidationError):
        return None
    return {
        "made": found.made,
        "chained": found.chained,
        "jobs": [{"name": job.name, "kind": job.kind} for job in found.jobs],
        "sealed": [{"file": one.file, "bytes": one.bytes} for one in found.sealed],
        "protection": [{"k": one.k, "rows": one.rows_out} for one in found.data_protection],
        "training": [{"epsilon": one.epsilon, "delta": one.delta} for one in found.training_privacy],
        "robustness": [{"clean_accuracy": one.clean_accuracy, "norm": one.norm} for one in found.robustness],
    }


ACTIONS: Mapping[str, Callable[[Request], Any]] = {
    "look": look,
    "tensors": tensors,
    "statistics": statistics,
    "convertible": convertible,
    "recipients": recipients,
    "passport": passport,
}


def answer(line: str) -> dict[str, Any]:
    """The answer to one request line; whatever goes wrong is said in it."""
    number = None
    try:
        request = json.loads(line)
        number, action = int(request["id"]), ACTIONS[request["do"]]
    except (ValueError, KeyError, TypeError):
        return {"id": number, "error": _BAD_REQUEST.as_dict()}
    try:
        return {"id": number, "result": action(request)}
    except GuardError as error:
        return {"id": number, "error": error.as_dict()}
    except OSError as error:
        return {"id": number, "error": from_os_error(error).as_dict()}
    except MemoryError:
        return {"id": number, "error": _TOO_LARGE.as_dict()}
    except Exception as error:
        return {"id": number, "error": _fault(error).as_dict()}


def serve(lines: IO[str], output: IO[str]) -> None:
    """Answer every line until the input ends or nobody reads any more."""
    for line in lines:
        found = answer(line)
        try:
            output.write(json.dumps(found, ensure_ascii=False) + "\n")
            output.flush()
        except BrokenPipeError:
            return
        if found.get("error", {}).get("code") == "checkpoint.too-slow":
            return  # what still tries to load it ends with this process; the next request starts another


_BAD_REQUEST = GuardError("The request cannot be answered", "it is not known", "Ask again.", "session.bad-request")
_TOO_LARGE = GuardError(
    "The file could not be looked at", "memory ran out", "Close other programs, or run the job.", "session.memory"
)


def _fault(error: Exception) -> GuardError:
    return GuardError(
        "Looking at the file met a fault of the program",
        f"an unexpected {type(error).__name__} occurred",
        "Open the file again; if it happens again, please report it.",
        "session.fault",
    )


def main() -> None:
    from guardapp.formats import checkpoints

    checkpoints.UNPICKLE_ALLOWED = True  # this process holds no key and nothing of the window's, and may be killed
    # what a library prints must not be taken for an answer
    output, sys.stdout = sys.stdout, sys.stderr
    serve(sys.stdin, output)


if __name__ == "__main__":
    main()
