"""The child process that runs one job: `python -m guardapp.jobs.worker [--warm] [--kind NAME=FILE]…`.

It reads its job, with the keys for it, as the first line of stdin, and control lines after that; it writes frames on
what was its stdout. Everything else that any library prints goes to stderr. Killing it at any moment is safe.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from pydantic import BaseModel, ValidationError

import guardapp
from guardapp.errors import GuardError, from_os_error
from guardapp.formats import checkpoints
from guardapp.jobs import registry
from guardapp.jobs.folder import RESUME, staging
from guardapp.jobs.frames import (
    Control,
    Done,
    ErrorFrame,
    Hello,
    Order,
    PausedFrame,
    StoppedFrame,
    clean,
    encode,
)
from guardapp.jobs.process_settings import set_up_worker
from guardapp.jobs.publishing import Publication
from guardapp.jobs.reporter import Reporter
from guardapp.progress import Paused, Progress, Stopped
from guardapp.secret_bytes import SecretBytes

Send = Callable[[BaseModel], None]


def main(arguments: list[str]) -> int:
    """Run the one job that stdin brings; 0 also when it failed, because a frame has said so."""
    set_up_worker()
    checkpoints.UNPICKLE_ALLOWED = True  # this process may be killed at any moment, and holds nothing of the window's
    frames = _private_stdout()
    options = _options(arguments)
    for kind in options.kind:
        name, _, path = kind.partition("=")
        registry.add_file(name, Path(path))
    if options.warm:
        with contextlib.suppress(ImportError):
            import torch  # noqa: F401  (the point is that it is loaded)
    writing = threading.Lock()

    def send(frame: BaseModel) -> None:
        with writing:
            frames.write(encode(frame))
            frames.flush()

    send(Hello(pid=os.getpid(), app=guardapp.__version__, warm="torch" in sys.modules))
    lines = _stdin_lines()
    line = next(lines, None)
    if line is not None:  # else it was a spare that nobody needed
        _run(Order.model_validate_json(line), lines, send)
    return 0


def _stdin_lines() -> Iterator[bytes]:
    """Lines of stdin, past Python's buffer, whose lock a waiting thread would hold when the process ends."""
    pending = b""
    while piece := os.read(0, 1 << 16):
        *lines, pending = (pending + piece).split(b"\n")
        yield from lines


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--warm", action="store_true")
    parser.add_argument("--kind", action="append", default=[])
    return parser.parse_args(arguments)


def _private_stdout() -> BinaryIO:
    """Keep the frames' pipe for ourselves, and let whatever is printed go to stderr."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "wb")


def _run(order: Order, lines: Iterator[bytes], send: Send) -> None:
    folder = Path(order.folder)
    out = staging(folder)
    reporter: Reporter | None = None
    outcome: BaseModel
    keys: dict[str, SecretBytes] = {}
    try:
        kind = registry.lookup(order.kind)
        reporter = Reporter(send, out, resumable=kind.spec.resumable)
        threading.Thread(target=_listen, args=(reporter, lines), name="control", daemon=True).start()
        spec = kind.spec.model_validate(order.spec)
        resume = out / RESUME if kind.spec.resumable else None
        if resume is not None:
            resume.mkdir(mode=0o700, exist_ok=True)
        keys = _take_keys(order)
        progress = Progress(reporter, keys=keys, resume_folder=resume, device=order.device)
        publication = Publication(order, spec, out, progress, reporter)
        publication.read_inputs()
        result = kind.run(spec, out, progress)
        outcome = Done(result=publication.publish(result))
        if kind.published is not None:
            try:
                kind.published(spec, folder)
            except GuardError as error:
                # the results are there all the same
                progress.log(str(error), "warning")
    except Stopped:
        outcome = StoppedFrame()
    except Paused:
        outcome = PausedFrame()
    except BaseException as error:
        outcome = _said(error)
    finally:
        for key in keys.values():
            key.release()
    if reporter is None:
        send(outcome)
    else:
        reporter.urgent(outcome)
        reporter.close()


def _take_keys(order: Order) -> dict[str, SecretBytes]:
    """The keys out of the order, which then has none."""
    keys = {name: SecretBytes.of(base64.b64decode(value)) for name, value in order.keys.items()}
    order.keys.clear()
    return keys


def _said(error: BaseException) -> ErrorFrame:
    """An error as a person should read it. Only what is the program's own fault carries a traceback."""
    if not isinstance(error, GuardError):
        error = _known(error) or error
    if isinstance(error, GuardError):
        return ErrorFrame.model_validate({name: clean(text, 5000) for name, text in error.as_dict().items()})
    return ErrorFrame(
        what="The job met a fault of the program",
        why=f"{type(error).__name__} was raised where it should not be",
        next="Report it with the text under Details.",
        code="job.fault",
        answer="bad-input",
        fault=True,
        details=clean("".join(traceback.format_exception(error))[-16_000:]),
    )


def _known(error: BaseException) -> GuardError | None:
    if isinstance(error, OSError) and error.errno is not None:
        return from_os_error(error)
    # torch.OutOfMemoryError is known by name because torch may not be loaded
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return GuardError(
            "The job ran out of memory",
            "it needs more than this computer, or its graphics card, has free",
            "Close other programs, or lower the batch size or the amount of data, then retry.",
            "job.out-of-memory",
        )
    return None


def _listen(reporter: Reporter, lines: Iterator[bytes]) -> None:
    """Obey control lines. The end of stdin means that the supervisor is gone: nobody wants the result any more."""
    for line in lines:
        with contextlib.suppress(ValidationError):
            match Control.model_validate_json(line).do:
                case "stop":
                    reporter.ask_stop()
                case "pause":
                    reporter.ask_pause(True)
                case "go":
                    reporter.ask_pause(False)
    _end_now()


def _end_now() -> NoReturn:
    """End this process and all that it started, without clean-up: nothing of an unfinished job is worth saving."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    # libraries may still have threads of their own, which would abort an interpreter that winds itself down
    os._exit(status)
