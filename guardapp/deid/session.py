"""A helper process that knows one table: `python -m guardapp.deid.session` reads and writes JSON lines.

The window asks it for pages, profiles and previews and never touches the file: a hostile or huge file stays here.

    {"id": 1, "do": "open", "path": "clinic.csv"}        {"id": 1, "result": {"columns": […], "rows": null, …}}
    {"id": 2, "do": "count"}                             {"about": 2, "stage": "Counting rows", "done": …, "total": …} …
    {"id": 3, "do": "page", "offset": 0, "limit": 50}    {"id": 3, "result": {"offset": 0, "rows": [[…], …]}}
    {"id": 4, "do": "profile"}                           {"id": 4, "result": {"profile": {…}, "policy": {…}, "text": …}}
    {"id": 5, "do": "preview", "policy": {…}, "k": 7}    see `Preview.preview`
    {"id": 6, "do": "curve", "policy": {…}}              see `Preview.curve`
    {"id": 7, "do": "read_policy", "path": "…"}          {"id": 7, "result": {"policy": {…}}}
    {"id": 8, "do": "policy_text", "policy": {…}}        {"id": 8, "result": {"text": "…"}}
    {"id": 9, "do": "cancel", "request": 5}              the answer to 5 is then the error `session.cancelled`
    {"id": 10, "do": "tables", "path": "…"}              {"id": 10, "result": {"tables": […]}}: empty where there is one
    {"id": 11, "do": "compare", "policy": {…}, "k": 7}   see `Preview.compare`
    {"id": 12, "do": "hierarchy", "column": "age", "hierarchy": …}      {"id": 12, "result": {"lines": […], "added": 0}}
    {"id": 13, "do": "read_hierarchy", "column": "age", "path": "…"}    the same of a file
    {"id": 14, "do": "write_hierarchy", "path": "…", "lines": […]}      {"id": 14, "result": {"path": "…"}}
    {"id": 15, "do": "folder", "path": "…", "policy": null}             see `related.overview`
    {"id": 16, "do": "safe_harbor", "policy": {…}}       {"id": 16, "result": {"hindrances": [{"column", "why"}, …]}}

5, 6 and 11 take the path of a table of the population, `"population": "people.csv"`, for the models that need one.
A refusal is `{"id": n, "error": {"what", "why", "next", "code"}}`. Opening another table cancels what runs. Pages are
answered while longer requests run. The process ends when its input does.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from guardapp.errors import GuardError
from guardapp.progress import Progress, Silent, Stopped

if TYPE_CHECKING:
    from guardapp.deid.policy import Policy
    from guardapp.deid.preview import Preview
    from guardapp.deid.profile import Profile

LONGEST_PAGE = 1000
BETWEEN_TELLS = 0.1
_QUICK = ("open", "page", "read_policy", "policy_text", "write_hierarchy")


class _Watch(Silent):
    """Tells progress at most ten times a second, and stops a request that was cancelled."""

    def __init__(self, request: int, tell: Callable[[dict[str, Any]], None]) -> None:
        self._request, self._tell = request, tell
        self._told = 0.0
        self.cancelled = threading.Event()

    def stage(self, title: str, done: float, total: float | None) -> None:
        now = time.monotonic()
        if now - self._told >= BETWEEN_TELLS:
            self._told = now
            self._tell({"about": self._request, "stage": title, "done": done, "total": total})

    def checkpoint(self) -> None:
        if self.cancelled.is_set():
            raise Stopped


class Session:
    """Answers requests. Two threads: one for what is quick, one for what takes long."""

    def __init__(self, output: IO[str]) -> None:
        self._output = output
        self._writing = threading.Lock()
        self._preview: Preview | None = None
        self._found: Profile | None = None
        self._watches: dict[int, _Watch] = {}
        self._queues: dict[bool, queue.Queue[dict[str, Any] | None]] = {True: queue.Queue(), False: queue.Queue()}
        self._actions: Mapping[str, Callable[[dict[str, Any], Progress], Any]] = {
            "open": self._open,
            "count": self._count,
            "page": self._page,
            "profile": self._profile,
            "preview": self._show,
            "curve": self._curve,
            "read_policy": self._read_policy,
            "policy_text": self._policy_text,
            "tables": self._tables,
            "compare": self._compare,
            "hierarchy": self._hierarchy,
            "read_hierarchy": self._read_hierarchy,
            "write_hierarchy": self._write_hierarchy,
            "folder": self._folder,
            "safe_harbor": self._safe_harbor,
        }

    def serve(self, lines: IO[str]) -> None:
        """Read requests until the input ends."""
        threads = [
            threading.Thread(target=self._work, args=(self._queues[quick],), daemon=True) for quick in (True, False)
        ]
        for thread in threads:
            thread.start()
        for line in lines:
            self._take(line)
        self._cancel_all()
        for waiting in self._queues.values():
            waiting.put(None)
        for thread in threads:
            thread.join(timeout=2)

    def _take(self, line: str) -> None:
        try:
            request = json.loads(line)
            number = int(request["id"])
            action = str(request["do"])
        except (ValueError, KeyError, TypeError):
            self._tell({"id": None, "error": _bad_request("the line is not a request").as_dict()})
            return
        if action == "cancel":
            watch = self._watches.get(request.get("request", -1))
            if watch:
                watch.cancelled.set()
            self._tell({"id": number, "result": {"cancelled": watch is not None}})
            return
        if action not in self._actions:
            self._tell({"id": number, "error": _bad_request(f"“{action}” is not known").as_dict()})
            return
        if action == "open":
            self._cancel_all()
        self._watches[number] = _Watch(number, self._tell)
        self._queues[action in _QUICK].put(request)

    def _work(self, waiting: queue.Queue[dict[str, Any] | None]) -> None:
        while (request := waiting.get()) is not None:
            number = int(request["id"])
            watch = self._watches[number]
            try:
                watch.checkpoint()
                answer = {"id": number, "result": self._actions[request["do"]](request, Progress(watch))}
            except GuardError as error:
                answer = {"id": number, "error": error.as_dict()}
            except Stopped:
                answer = {"id": number, "error": _CANCELLED.as_dict()}
            except MemoryError:
                answer = {"id": number, "error": _TOO_LARGE.as_dict()}
            except Exception as error:
                answer = {"id": number, "error": _fault(error).as_dict()}
            del self._watches[number]
            self._tell(answer)

    def _tell(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, ensure_ascii=False, default=str)
        with self._writing:
            try:
                self._output.write(line + "\n")
                self._output.flush()
            except (BrokenPipeError, ValueError):
                # the window is gone; the input will end too
                self._cancel_all()

    def _cancel_all(self) -> None:
        for watch in list(self._watches.values()):
            watch.cancelled.set()

    def _opened(self, request: dict[str, Any] | None = None) -> Preview:
        """What is open; a request under a policy may name the table of the population."""
        if self._preview is None:
            raise _bad_request("no table is open")
        if request is not None:
            population = request.get("population")
            self._preview.population = Path(population) if population else None
        return self._preview

    def _open(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.preview import Preview
        from guardapp.formats.tables import open_table

        table = open_table(Path(request["path"]), table=request.get("table"))
        table.head(1)
        self._preview, self._found = Preview(table), None
        return {
            "name": table.path.name,
            "format": table.format,
            "columns": table.columns,
            "types": table.types,
            "delimiter": table.delimiter,
            "encoding": table.encoding,
            "rows": table.rows,
            "bytes": table.nbytes,
        }

    def _count(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        table = self._opened().table
        compressed = table.path.suffix == ".gz"
        with progress.stage("Counting rows", total=None if compressed else table.nbytes) as stage:
            return {"rows": table.count_rows(stage.advance)}

    def _page(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        offset, limit = int(request.get("offset", 0)), min(int(request.get("limit", 50)), LONGEST_PAGE)
        return {"offset": offset, "rows": self._opened().table.page(offset, limit)}

    def _profile(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.profile import profile_table
        from guardapp.deid.starting_policy import starting_policy, starting_text

        found = self._found = profile_table(self._opened().table, progress)
        return {
            "profile": found.model_dump(mode="json"),
            "policy": starting_policy(found).model_dump(mode="json", exclude_none=True),
            "text": starting_text(found),
        }

    def _show(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        return self._opened(request).preview(
            _policy(request),
            progress,
            k=request.get("k"),
            offset=int(request.get("offset", 0)),
            limit=min(int(request.get("limit", 50)), LONGEST_PAGE),
            exact=bool(request.get("exact", False)),
        )

    def _curve(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.preview import CURVE_KS

        ks = tuple(int(k) for k in request.get("ks") or CURVE_KS)
        return self._opened(request).curve(_policy(request), progress, ks)

    def _read_policy(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.policy import load_policy

        return {"policy": load_policy(Path(request["path"])).model_dump(mode="json", exclude_none=True)}

    def _tables(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.formats.table_errors import SeveralTables
        from guardapp.formats.tables import open_table

        try:
            open_table(Path(request["path"]))
        except SeveralTables as several:
            return {"tables": list(several.names)}
        return {"tables": []}

    def _folder(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.related.overview import overview

        policy = request.get("policy")
        return overview(Path(request["path"]), Path(policy) if policy else None, progress)

    def _safe_harbor(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.safe_harbor import safe_harbor

        if self._found is None:
            raise _bad_request("the table was not profiled")
        hindrances = safe_harbor(_policy(request), self._found.columns)
        return {"hindrances": [entry.model_dump() for entry in hindrances]}

    def _compare(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        return self._opened(request).compare(_policy(request), progress, request.get("k"))

    def _hierarchy(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.hierarchy_lines import column_lines
        from guardapp.deid.policy import Column

        name = str(request["column"])
        column = Column.model_validate({"role": "quasi", "hierarchy": request.get("hierarchy")})
        return column_lines(name, self._opened().values(name, progress), column.hierarchy)._asdict()

    def _read_hierarchy(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.hierarchy_lines import read_lines

        name = str(request["column"])
        return read_lines(Path(request["path"]), name, self._opened().values(name, progress))._asdict()

    def _write_hierarchy(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.hierarchy_lines import write_lines

        write_lines(Path(request["path"]), [[str(cell) for cell in line] for line in request["lines"]])
        return {"path": str(request["path"])}

    def _policy_text(self, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
        from guardapp.deid.job import policy_text

        return {"text": policy_text(_policy(request))}


def _policy(request: dict[str, Any]) -> Policy:
    from guardapp.deid.policy import build_policy

    base = request.get("base")
    return build_policy(request.get("policy"), base=Path(base) if base else None)


def _bad_request(why: str) -> GuardError:
    return GuardError("The request cannot be answered", why, "Open a table first.", "session.bad-request")


_CANCELLED = GuardError("The request was cancelled", "something newer was asked", "Ask again.", "session.cancelled")
_TOO_LARGE = GuardError(
    "The table could not be previewed", "memory ran out", "Close other programs, or run the job.", "session.memory"
)


def _fault(error: Exception) -> GuardError:
    return GuardError(
        "The preview met a fault of the program",
        f"an unexpected {type(error).__name__} occurred",
        "Open the table again; if it happens again, please report it.",
        "session.fault",
    )


def main() -> None:
    # what a library prints must not be taken for an answer
    output, sys.stdout = sys.stdout, sys.stderr
    if hasattr(os, "nice"):
        os.nice(10)  # the window comes first where processors are few
    Session(output).serve(sys.stdin)
    # Arrow may still read ahead in a thread of its own, which would abort an interpreter that winds itself down
    os._exit(0)


if __name__ == "__main__":
    main()
