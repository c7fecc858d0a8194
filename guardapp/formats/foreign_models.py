"""Models that this program did not write: `.pt2`, TorchScript, and a Python file that the user trusts by its hash.

What runs here runs in the child process of a job, which can be killed at any moment. Only the Python file runs code of
its own, and only where its SHA-256 was given.
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
import zipfile
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from torch import nn

SUFFIXES = (".pt2", ".onnx", ".py", ".ts", ".torchscript")
MAX_SOURCE_BYTES = 4 << 20
FACTORY = "model"


class Foreign(NamedTuple):
    """module: in evaluation mode on the CPU; notes: what the user should know about the file, as sentences"""

    module: nn.Module
    notes: tuple[str, ...]


def is_foreign(path: Path) -> bool:
    """Whether a model's file comes from elsewhere; a `.pt` or `.pth` counts where it holds a TorchScript program."""
    if path.suffix.lower() in (".pt", ".pth") and path.is_file() and zipfile.is_zipfile(path):
        return _has_code(path)
    return path.suffix.lower() in SUFFIXES


def load_foreign(path: Path, *, trust_sha256: str | None = None) -> Foreign:
    """The model in `path`, without what it would do when loaded; raises GuardError `model.*`, OSError.

    trust_sha256: of a Python file, in hexadecimal; it is run only if this is its hash
    """
    if not path.is_file():
        raise GuardError(
            "The model's file is missing", f"there is no file {path.name}", "Choose another file.", "model.missing"
        )
    suffix = path.suffix.lower()
    if suffix == ".pt2":
        return _exported(path)
    if suffix == ".onnx":
        raise GuardError(
            f"{path.name} cannot be used as a model",
            "ONNX files have no gradients here, and no converter to torch works for what current exporters write",
            "Export the model with torch.export to a .pt2 file, or name the architecture and give safetensors.",
            "model.onnx",
        )
    if suffix == ".py":
        return Foreign(_from_source(path, trust_sha256), ())
    return _torchscript(path)


def _exported(path: Path) -> Foreign:
    from guardapp.formats.exported.module import load_exported

    module = load_exported(path).eval()
    if not module.carried:
        return Foreign(module, ())
    return Foreign(
        module,
        (
            f"The file carries {module.carried} bytes of example inputs. They were not read; remove them before you "
            "hand the file on, because they may be training data.",
        ),
    )


def _has_code(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def _torchscript(path: Path) -> Foreign:
    import torch

    from guardapp.formats.scan.findings import verdict
    from guardapp.formats.scan.scanner import scan_file

    if verdict(scan_file(path)) != "safe":
        raise GuardError(
            f"{path.name} cannot be used as a model",
            "the scan could not show that it is harmless",
            "Look at what `guardapp scan` finds in it, or export the model with torch.export.",
            "model.script-unsafe",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise GuardError(
            f"{path.name} cannot be used as a model",
            "it is damaged, or no TorchScript program",
            "Export the model with torch.export.",
            "model.script-damaged",
        ) from error
    return Foreign(module.eval(), ())


def _from_source(path: Path, trusted: str | None) -> nn.Module:
    """Run a Python file, if its hash is the trusted one, and call its `model()`; the bytes that were hashed are run."""
    from torch import nn

    with path.open("rb") as file:
        source = file.read(MAX_SOURCE_BYTES + 1)
    digest = hashlib.sha256(source).hexdigest()
    if trusted is None or not hmac.compare_digest(trusted.strip().lower().encode(), digest.encode()):
        found = "nobody has said that it may run" if trusted is None else "it is not the file that was trusted"
        raise GuardError(
            f"{path.name} is a program, and it was not run",
            found,
            f"Read it. If you trust it, give its hash: --trust-sha256 {digest}",
            "model.untrusted",
        )
    place = ModuleType("guardapp_trusted_model")
    place.__file__ = str(path)
    try:
        exec(compile(source, path.name, "exec"), place.__dict__)  # noqa: S102 the user trusted this very text
        made = getattr(place, FACTORY)()
    except (Exception, SystemExit) as error:  # the file may raise anything
        raise GuardError(
            f"{path.name} gave no model",
            f"it ended with {type(error).__name__}",
            "Define a function model() in it, which returns a torch module with its weights.",
            "model.source",
        ) from error
    if not isinstance(made, nn.Module):
        raise GuardError(
            f"{path.name} gave no model",
            "its model() returned something else than a torch module",
            "Define a function model() in it, which returns a torch module with its weights.",
            "model.source",
        )
    return made.cpu().eval()
