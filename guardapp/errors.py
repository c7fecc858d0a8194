"""The one error that a person may see, and the exit code that goes with it."""

from __future__ import annotations

import errno
from pathlib import PurePath
from typing import Literal

Answer = Literal["no", "bad-input"]


class GuardError(Exception):
    """Something that a person can act on, said in three short sentences.

    what, why and next are English; they are translated where they are shown (`guardapp.language`). None of them
    ever holds a secret or a traceback. `code` is stable and for programs: `table.ragged`, `sealed.truncated`.

    answer: "bad-input" when the input or the usage was wrong (exit code 2); "no" when the question was understood and
    the answer is no, for instance a signature that does not verify or a guarantee that does not hold (exit code 1).
    """

    def __init__(self, what: str, why: str, next: str, code: str, *, answer: Answer = "bad-input") -> None:
        super().__init__(what, why, next, code)
        self.what = what
        self.why = why
        self.next = next
        self.code = code
        self.answer: Answer = answer

    @property
    def exit_code(self) -> int:
        return 1 if self.answer == "no" else 2

    def __str__(self) -> str:
        return f"{self.what}: {self.why}. {self.next}"

    def as_dict(self) -> dict[str, str]:
        """The shape in which an error crosses a process boundary and is kept in the queue."""
        return {"what": self.what, "why": self.why, "next": self.next, "code": self.code, "answer": self.answer}

    @classmethod
    def from_dict(cls, fields: dict[str, str]) -> GuardError:
        return cls(
            fields["what"],
            fields["why"],
            fields["next"],
            fields["code"],
            answer="no" if fields.get("answer") == "no" else "bad-input",
        )


def from_os_error(error: OSError, path: object = None) -> GuardError:
    """What the operating system refused, said for a person: a full disk, a read-only folder, a file that is gone.

    path: the file or folder concerned, where the error does not carry one. Only its name is shown.
    """
    where = error.filename if path is None else path
    name = PurePath(str(where)).name or str(where) if where is not None else "the file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return GuardError(
            f"{name} could not be written",
            "the disk is full",
            "Free some space or choose a folder on another disk, then run it again. Nothing half-written was left.",
            "disk.full",
        )
    if error.errno == errno.EROFS:
        return GuardError(
            f"{name} could not be written",
            "the folder is read-only",
            "Choose a folder that you may write to.",
            "folder.read-only",
        )
    if isinstance(error, PermissionError):
        return GuardError(
            f"{name} could not be used",
            "this user has no permission for it",
            "Change its permissions, or choose another file or folder.",
            "file.permission",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return GuardError(
            f"{name} is not there",
            "it was moved, renamed or deleted, or its disk is not connected",
            "Check the path, or choose the file again.",
            "file.missing",
        )
    if isinstance(error, IsADirectoryError):
        return GuardError(f"{name} is a folder", "a file is needed here", "Choose a file inside it.", "file.is-folder")
    if isinstance(error, FileExistsError):
        return GuardError(
            f"{name} exists already",
            "nothing is ever overwritten",
            "Choose another name, or move the old one away.",
            "file.exists",
        )
    return GuardError(
        f"{name} could not be read or written",
        f"the system reports: {error.strerror or type(error).__name__}",
        "Check the disk, then try again.",
        "file.system",
    )
