"""The table behind the page: asks the helper process, forgets answers that came too late, and never holds many rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from guardapp.errors import GuardError

if TYPE_CHECKING:
    from guardapp.desktop.child_session import ChildSession

SETTLE_MS = 180
"""How long rules must rest before they are measured: a person who turns three knobs waits for one answer."""

PAGE_ROWS = 60


class TableDesk(QObject):
    """One opened table and the policy that is tried on it.

    opened(object):        name, columns, format …; None when the table was closed
    refused(error):        the table cannot be opened or read
    head(object):          the first rows, before anything is known about them
    progressed(str, object): what is going on, and how much of it is done (0 … 1, None where unknown)
    profiled(object):      profile and suggested policy
    measured(object):      figures and rows under the policy
    unmeasurable(error):   this policy cannot be carried out on this table
    curved(object):        measured risk and utility for several k
    page(object):          further rows under the same policy

    population: a table of more people that policies are tried with
    """

    opened = Signal(object)
    refused = Signal(object)
    head = Signal(object)
    progressed = Signal(str, object)
    profiled = Signal(object)
    measured = Signal(object)
    unmeasurable = Signal(object)
    curved = Signal(object)
    page = Signal(object)

    def __init__(self, session: ChildSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._session.told.connect(self._told)
        self._policy: dict[str, Any] | None = None
        self._base: str | None = None
        self._k: int | None = None
        self._ks: list[int] = []
        self._offset, self._limit = 0, PAGE_ROWS
        self._wanted = -1
        self._path: Path | None = None
        self.population: Path | None = None
        self._table: str | None = None
        self._revived = False
        self._asked: dict[str, int] = {}
        self._curve_of = ""
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._measure)

    @property
    def busy(self) -> bool:
        """Whether figures are still to come."""
        return self._settle.isActive() or "preview" in self._asked or "open" in self._asked

    def open(self, path: Path, table: str | None = None) -> None:
        """Look at a table; `head`, then `profiled` follow, or `refused`. table: which of several in the file."""
        self.close()
        self._path, self._table, self._revived = path, table, False
        self._ask("open", {"path": str(path), "table": table}, self._opened, self.refused.emit)

    def tables(self, path: Path, then: Callable[[list[str]], None]) -> None:
        """The sheets or tables of a file that has several."""
        self._ask("tables", {"path": str(path)}, lambda result: then(result["tables"]), self.refused.emit)

    def folder(
        self, path: Path, policy: Path | None, then: Callable[[dict[str, Any]], None], failed: Callable[..., None]
    ) -> None:
        """The tables of a folder with a policy for them: that of a file, or a suggested one."""
        self.close()
        self._ask("folder", {"path": str(path), "policy": str(policy) if policy else None}, then, failed)

    def hierarchy(
        self, column: str, now: Any, then: Callable[[dict[str, Any]], None], failed: Callable[..., None]
    ) -> None:
        """A column's hierarchy as lines; `now` is what the policy has of it, None for none."""
        self._ask("hierarchy", {"column": column, "hierarchy": now}, then, failed)

    def read_hierarchy(
        self, column: str, path: Path, then: Callable[[dict[str, Any]], None], failed: Callable[..., None]
    ) -> None:
        self._ask("read_hierarchy", {"column": column, "path": str(path)}, then, failed)

    def write_hierarchy(
        self, path: Path, lines: Sequence[Sequence[str]], then: Callable[[Any], None], failed: Callable[..., None]
    ) -> None:
        self._ask("write_hierarchy", {"path": str(path), "lines": lines}, then, failed)

    def compare(
        self, policy: dict[str, Any], then: Callable[[dict[str, Any]], None], failed: Callable[..., None]
    ) -> None:
        """Spread and association before and after."""
        self._ask("compare", {"policy": policy}, then, failed)

    def safe_harbor(
        self, policy: dict[str, Any], then: Callable[[dict[str, Any]], None], failed: Callable[..., None]
    ) -> None:
        """What of the open table stands between a policy and HIPAA's Safe Harbor."""
        self._ask("safe_harbor", {"policy": policy}, then, failed)

    def close(self) -> None:
        """Forget the table; what was asked is answered to nobody."""
        self._settle.stop()
        for name in list(self._asked):
            self._drop(name)
        self._policy = None
        self._path = None
        self._curve_of = ""

    def _opened(self, result: dict[str, Any]) -> None:
        self.opened.emit(result)
        limit = rows_a_page(len(result["columns"]))
        self._ask("page", {"offset": 0, "limit": limit}, self.head.emit, self.refused.emit)
        self._ask("profile", {}, self.profiled.emit, self.refused.emit)

    def read_policy(self, path: Path, then: Callable[[dict[str, Any]], None], failed: Callable[..., None]) -> None:
        self._ask("read_policy", {"path": str(path)}, lambda result: then(result["policy"]), failed)

    def policy_text(self, policy: dict[str, Any], then: Callable[[str], None], failed: Callable[..., None]) -> None:
        """The policy as the text of a file."""
        self._ask("policy_text", {"policy": policy}, lambda result: then(result["text"]), failed)

    # -- measuring -------------------------------------------------------------------------------------------------

    def try_policy(self, policy: dict[str, Any], k: int | None, ks: Sequence[int], offset: int, limit: int) -> None:
        """Measure a policy as soon as it has rested; older questions are forgotten. ks: the points of its curve."""
        self._policy, self._k, self._ks = policy, k, list(ks)
        self._offset, self._limit = offset, limit
        for name in ("preview", "page_of"):
            self._drop(name)
        self._settle.start()

    def _measure(self) -> None:
        if self._policy is None:
            return
        request = {"policy": self._policy, "k": self._k, "offset": self._offset, "limit": self._limit}
        self._ask("preview", request, self._measured, self._unmeasurable)

    def _measured(self, result: dict[str, Any]) -> None:
        self._revived = False
        self.measured.emit(result)
        # the curve depends on everything but k, so it is measured again only when something else has changed
        identity = repr((_without_k(self._policy or {}), self._ks, self.population))
        if self._k is not None and identity != self._curve_of:
            self._drop("curve")
            self._curve_of = identity
            self._ask("curve", {"policy": self._policy, "ks": self._ks}, self.curved.emit, self._no_curve)

    def _no_curve(self, error: GuardError) -> None:
        # the figures above say what is wrong; without a measured curve there is none
        self._curve_of = ""
        self.curved.emit({"points": [], "unreachable": []})

    def _unmeasurable(self, error: GuardError) -> None:
        lost = error.code in ("session.ended", "session.bad-request")
        if lost and "open" in self._asked:
            return  # it is being opened again
        if lost and self._path is not None and not self._revived:
            # one crash is mended silently; a second one in a row is told
            self._revived = True
            self._curve_of = ""
            request = {"path": str(self._path), "table": self._table}
            self._ask("open", request, lambda _: self._measure(), self.unmeasurable.emit)
        elif error.code != "session.cancelled":
            self.unmeasurable.emit(error)

    def want_rows(self, offset: int, limit: int) -> None:
        """Fetch rows under the present policy; only the latest wish is answered."""
        if self._policy is None or self._settle.isActive() or "preview" in self._asked:
            self._offset = offset
            return
        if "page_of" in self._asked and self._wanted == offset:
            return
        self._wanted = offset
        self._drop("page_of")
        # what the file says is here at once, what becomes of it when it is measured
        self._ask("page", {"offset": offset, "limit": limit}, self.page.emit, self._unmeasurable)
        request = {"policy": self._policy, "k": self._k, "offset": offset, "limit": limit}
        self._ask("page_of", request, self.page.emit, self._unmeasurable, do="preview")

    # -- asking ----------------------------------------------------------------------------------------------------

    def _ask(
        self,
        name: str,
        request: dict[str, Any],
        then: Callable[[Any], object],
        failed: Callable[[GuardError], object],
        do: str = "",
    ) -> None:
        def answered(result: Any) -> None:
            self._asked.pop(name, None)
            then(result)

        def refused(error: GuardError) -> None:
            self._asked.pop(name, None)
            failed(error)

        if "policy" in request and name != "folder":
            request = {**request, "population": str(self.population) if self.population else None}
        self._asked[name] = self._session.ask({"do": do or name, **request}, answered, refused)

    def _drop(self, name: str) -> None:
        number = self._asked.pop(name, None)
        if number is not None:
            self._session.forget(number)
            self._session.ask({"do": "cancel", "request": number}, _nothing, _nothing)

    def _told(self, message: dict[str, Any]) -> None:
        if message.get("about") not in [self._asked.get(name) for name in ("profile", "preview", "folder")]:
            return
        done, total = message.get("done"), message.get("total")
        share = float(done) / float(total) if done is not None and total else None
        self.progressed.emit(str(message.get("stage", "")), share)


def rows_a_page(columns: int) -> int:
    """Rows asked for at a time: fewer of a very wide table, so that no answer is long."""
    return max(5, min(PAGE_ROWS, 6000 // max(columns, 1)))


def _without_k(policy: dict[str, Any]) -> dict[str, Any]:
    return {**policy, "models": [model for model in policy.get("models", []) if model["name"] != "k-anonymity"]}


def _nothing(_: object) -> None:
    """For answers that nobody waits for."""
