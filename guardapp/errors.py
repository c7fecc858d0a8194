"""The one error that a person may see, and the exit code that goes with it."""

from __future__ import annotations

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
