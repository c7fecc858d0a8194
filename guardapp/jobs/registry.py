"""Which kinds of job exist. One line a kind; what a kind is, only its own module knows."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

from guardapp.errors import GuardError
from guardapp.spec import Result, Spec

KINDS = {
    "deid": "guardapp.deid.job",
    "tables": "guardapp.deid.related.job",
    "train": "guardapp.train.job",
    "check": "guardapp.robust.job",
    "leak": "guardapp.robust.leakage.job",
    "seal": "guardapp.seal.job",
    "open": "guardapp.seal.open_job",
    "recipients": "guardapp.seal.recipients_job",
    "verify": "guardapp.seal.verify_job",
    "bundle": "guardapp.seal.bundle_job",
    "scan": "guardapp.seal.scan_job",
    "convert": "guardapp.seal.convert_job",
    "strip": "guardapp.seal.strip_job",
}
"""Kind to the module that holds its Spec and its `run`; the module is imported when the kind is first used."""

_files: dict[str, Path] = {}


class Kind(NamedTuple):
    """What a module says about its kind."""

    name: str
    spec: type[Spec]
    run: Callable[..., Result]
    result: type[Result]
    published: Callable[..., None] | None
    """`published(spec, folder)`, where the module has it: told once the results lie at `folder`."""


def names() -> list[str]:
    return [*KINDS, *_files]


def add_file(kind: str, path: Path) -> None:
    """Make a kind known that lives in a file outside the package: how the tests of the engine bring their own.

    Only code that already runs in the process can call this; no spec, batch file, queue or frame can.
    """
    _files[kind] = path
    lookup.cache_clear()


def forget_files() -> None:
    """Take back every `add_file`."""
    _files.clear()
    lookup.cache_clear()


def worker_arguments() -> list[str]:
    """What a worker has to be started with to know the same kinds as this process."""
    return [argument for kind, path in _files.items() for argument in ("--kind", f"{kind}={path}")]


@cache
def lookup(kind: str) -> Kind:
    """The kind of that name. Raises GuardError `job.unknown-kind`, naming the nearest known one."""
    if kind in KINDS:
        module = importlib.import_module(KINDS[kind])
    elif kind in _files:
        module = _from_file(kind, _files[kind])
    else:
        near = difflib.get_close_matches(kind, names(), n=1)
        raise GuardError(
            f"“{kind}” is not a kind of job",
            f"the nearest is “{near[0]}”" if near else "no kind has a similar name",
            "Use one of: " + ", ".join(names()) + ".",
            "job.unknown-kind",
        )
    spec = _spec_of(module, kind)
    run = module.run
    return Kind(kind, spec, run, _result_of(run), getattr(module, "published", None))


def _from_file(kind: str, path: Path) -> ModuleType:
    name = f"guardapp_kind_{kind}"
    place = importlib.util.spec_from_file_location(name, path)
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    sys.modules[name] = module  # pydantic looks annotations up in the module by its name
    place.loader.exec_module(module)
    return module


def _spec_of(module: ModuleType, kind: str) -> type[Spec]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Spec) and value.kind_name == kind:
            return value
    raise TypeError(f'{module.__name__} holds no `class …(Spec, kind="{kind}")`')


def _result_of(run: Callable[..., Any]) -> type[Result]:
    result = get_type_hints(run).get("return")
    if isinstance(result, type) and issubclass(result, Result):
        return result
    raise TypeError(f"{run.__module__}.run must say which Result it returns")
