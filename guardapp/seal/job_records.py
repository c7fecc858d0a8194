"""What finished jobs say of themselves: their `job.json`, checked against the files beside it.

A bundle states nothing that is not in one of these records, or in a `report.json` whose hash is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final

from guardapp.errors import GuardError
from guardapp.progress import Progress
from guardapp.seal.manifest import file_sha256

RECORD: Final = "job.json"
LARGEST_RECORD: Final = 64 << 20
_PATH_IN_TEXT: Final = re.compile(r"(?<![\w.:/\\])(?:/(?:[^\s/'\"“”‘’]+/)+|[A-Za-z]:\\(?:[^\\'\"“”‘’]+\\)*)")


class JobRecord:
    """One finished job. `folder` is where it lies; all else is as `job.json` has it."""

    def __init__(self, folder: Path, file: str = RECORD) -> None:
        """Raises GuardError `bundle.no-record`, `bundle.bad-record`."""
        self.folder = folder
        path = folder / file
        try:
            if path.stat().st_size > LARGEST_RECORD:
                raise ValueError
            self.bytes = path.read_bytes()
            self.fields: dict[str, Any] = json.loads(self.bytes)
            self.kind = str(self.fields["kind"])
            self.name = str(self.fields.get("name") or self.fields["spec"].get("name") or folder.name)
            self.outputs: dict[str, dict[str, Any]] = dict(self.fields["outputs"])
            self.inputs: list[dict[str, Any]] = list(self.fields["inputs"])
            self.sha256 = hashlib.sha256(self.bytes).hexdigest()
            for entry in [*self.outputs.values(), *self.inputs]:
                entry["sha256"], entry["bytes"] = str(entry["sha256"]), int(entry["bytes"])
        except OSError:
            raise GuardError(
                what=f"{folder.name} is not the folder of a finished job",
                why=f"there is no readable {file} in it",
                next="Choose folders that jobs of this app have made.",
                code="bundle.no-record",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            raise GuardError(
                what=f"The record of {folder.name} cannot be read",
                why=f"its {file} is damaged or was not written by this app",
                next="Run the job again.",
                code="bundle.bad-record",
            ) from None

    @property
    def result(self) -> dict[str, Any]:
        found = self.fields.get("result")
        return found if isinstance(found, dict) else {}

    @property
    def report(self) -> dict[str, Any]:
        """`report.json`, where the record lists it. Call `check_files` first."""
        if "report.json" not in self.outputs:
            return {}
        try:
            found = json.loads((self.folder / "report.json").read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def stated(self, name: str) -> Any:
        """A figure that the job states: in its result, else in its report, else in the report's statement."""
        for source in (self.result, self.report, self.result.get("statement"), self.report.get("statement")):
            if isinstance(source, dict) and source.get(name) is not None:
                return source[name]
        return None

    def check_files(self, progress: Progress) -> None:
        """Every file has to be what the record says. Raises GuardError `bundle.changed`, naming the first."""
        total = sum(int(entry["bytes"]) for entry in self.outputs.values())
        with progress.stage("Checking the jobs' files", total=float(total)) as stage:
            for name, entry in self.outputs.items():
                path = self.folder / name
                if not self._is_inside(name) or not path.is_file():
                    raise self._changed(name, "it is not there any more")
                if file_sha256(path, stage.advance) != entry["sha256"]:
                    raise self._changed(name, "it was changed after the job was done")

    def folder_sha256(self) -> str:
        """The hash under which another job's record lists this whole folder: over the lines that `sha256sum` prints."""
        hashes = {name: entry["sha256"] for name, entry in self.outputs.items()} | {RECORD: self.sha256}
        lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
        return hashlib.sha256(lines.encode()).hexdigest()

    def role(self, entry: dict[str, Any]) -> str:
        """Which field of the spec named an input: "policy", "data.table"; "" if none can be found."""
        path = str(entry.get("path", ""))
        return next((name for name, value in _leaves(self.fields.get("spec", {})) if value == path), "")

    def without_places(self) -> dict[str, Any]:
        """The record with every path cut down to its last part, so that it tells nothing about the machine."""
        known = {str(entry.get("path", "")): last_part(str(entry.get("path", ""))) for entry in self.inputs}
        # the folder that relative paths were relative to says nothing but where it was
        cleaned = _cleaned({name: value for name, value in self.fields.items() if name != "base"}, known)
        assert isinstance(cleaned, dict)
        return cleaned

    def _is_inside(self, name: str) -> bool:
        path = PurePosixPath(name)
        return not path.is_absolute() and ".." not in path.parts and "\\" not in name

    def _changed(self, name: str, why: str) -> GuardError:
        return GuardError(
            what=f"{name} of the job {self.name} is not what the job made",
            why=why,
            next="Run the job again, and leave its folder as it is.",
            code="bundle.changed",
            answer="no",
        )


def last_part(path: str) -> str:
    """The name at the end of a POSIX or Windows path."""
    return PureWindowsPath(path).name if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath(path).name


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    else:
        yield name, value


def _cleaned(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_cleaned(key, known): _cleaned(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_cleaned(item, known) for item in value]
    if not isinstance(value, str):
        return value
    if value in known:
        return known[value]
    if value.startswith(("/", "~/", "../", "./")) or re.match(r"[A-Za-z]:[\\/]|\\\\", value):
        return last_part(value)
    return _PATH_IN_TEXT.sub("", value)
