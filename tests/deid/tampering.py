"""Changes a signed release in a thousand random ways, and asks the stand-alone verifier about each.

    python tests/deid/tampering.py [1000]

A cell, a row, a line of the policy or a field of the certificate is changed, always to something else; the verifier has
to say no every time. Each verification is a call of the script's own `main`, which shares no code with the program.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from guardapp.deid.job import DeidSpec, run
from guardapp.progress import Progress
from guardapp.resource_files import resource
from guardapp.vault import keys

POLICY: dict[str, Any] = {
    "columns": {
        "id": {"role": "direct", "rule": "pseudonym"},
        "age": {"role": "quasi", "hierarchy": {"intervals": {"width": 5}}},
        "zip": {"role": "quasi", "hierarchy": {"mask_right": 4}},
        "disease": {"role": "sensitive"},
        "visits": {"role": "other"},
    },
    "models": [{"name": "k-anonymity", "k": 4}, {"name": "distinct-l-diversity", "l": 3, "column": "disease"}],
}


def release(folder: Path) -> tuple[Path, Path]:
    """A signed release of an invented table, and the file with the signer's public key."""
    source, out, public = folder / "clinic.csv", folder / "out", folder / "signer.pem"
    lines = ["id,age,zip,disease,visits"]
    for i in range(120):
        lines.append(f"{1000 + i},{20 + i % 30},{47600 + i % 9},{('flu', 'asthma', 'measles', 'cold')[i % 4]},{i % 7}")
    source.write_text("\n".join(lines) + "\n")
    spec = DeidSpec.model_validate({"input": source, "policy": POLICY, "sign": "signer"})
    material = keys.make("signing")
    out.mkdir()
    run(spec, out, Progress(keys={"pseudonyms": bytes(32), "signer": material.private}))
    public.write_text(material.public)
    return out, public


def verifier() -> Callable[..., int]:
    """`main` of the stand-alone script."""
    place = importlib.util.spec_from_file_location("verify_release", resource("verify_release.py"))
    assert place is not None and place.loader is not None
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    main: Callable[..., int] = module.main
    return main


def ask(main: Callable[..., int], *arguments: str) -> tuple[int, str]:
    """Exit status and what was printed."""
    told = io.StringIO()
    with redirect_stdout(told), redirect_stderr(told):
        status = main(list(arguments))
    return status, told.getvalue()


def tamper(folder: Path, chance: random.Random) -> str:
    """Change the release in one random way; returns which kind of way."""
    kind = chance.choice(("cell", "row", "policy", "field", "consistent"))
    if kind in ("cell", "consistent"):
        _change_cell(folder / "clinic.csv", chance)
        if kind == "consistent":
            # whoever changes the table also mends its hash, without the key
            import hashlib

            document = json.loads((folder / "release.json").read_bytes())
            document["output"]["sha256"] = hashlib.sha256((folder / "clinic.csv").read_bytes()).hexdigest()
            _write(folder, document)
    elif kind == "row":
        lines = (folder / "clinic.csv").read_text().splitlines(keepends=True)
        at, how = chance.randrange(1, len(lines)), chance.randrange(3)
        other = chance.choice([i for i in range(1, len(lines)) if lines[i] != lines[at]])
        if how == 0:
            del lines[at]
        elif how == 1:
            lines.insert(other, lines[at])
        else:
            lines[at], lines[other] = lines[other], lines[at]
        (folder / "clinic.csv").write_text("".join(lines))
    elif kind == "policy":
        path = folder / "policy.yaml"
        lines = path.read_text().splitlines(keepends=True)
        at = chance.randrange(len(lines))
        if chance.random() < 0.5:
            del lines[at]
        else:
            lines[at] = _other_text(lines[at].rstrip("\n"), chance) + "\n"
        path.write_text("".join(lines))
    else:
        document = json.loads((folder / "release.json").read_bytes())
        _change_field(document, chance)
        _write(folder, document)
    return kind


def _change_cell(path: Path, chance: random.Random) -> None:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    row, column = chance.randrange(len(rows)), chance.randrange(len(rows[0]))
    rows[row][column] = _other_text(rows[row][column], chance)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _other_text(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    changed = text[:at] + chance.choice("0123456789abcxyz*") + text[at + chance.randrange(2) :]
    return changed if changed != text else text + "x"


def _change_field(document: dict[str, Any], chance: random.Random) -> None:
    places: list[tuple[Any, Any]] = []

    def walk(holder: Any, name: Any, value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(value, key, item)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                walk(value, index, item)
        if holder is not None:
            places.append((holder, name))

    walk(None, None, document)
    holder, name = chance.choice(places)
    value = holder[name]
    if chance.random() < 0.2:
        del holder[name]
    elif isinstance(value, bool) or value is None:
        holder[name] = "x" if value is None else not value
    elif isinstance(value, int | float):
        holder[name] = value + chance.choice((1, -1, 0.5))
    elif isinstance(value, str):
        holder[name] = _other_text(value, chance)
    else:
        holder[name] = None


def _write(folder: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    (folder / "release.json").write_text(text + "\n", encoding="utf-8")


def storm(times: int, seed: int, place: Path) -> tuple[Counter[str], list[str]]:
    """Tamper `times` times; the kinds tried, and those that went unnoticed or made the verifier fail otherwise."""
    good, public = release(place)
    main, chance = verifier(), random.Random(seed)
    status, told = ask(main, str(good), "--key", str(public))
    if status != 0:
        raise AssertionError(told)
    tried: Counter[str] = Counter()
    unnoticed = []
    bad = place / "bad"
    for number in range(times):
        shutil.copytree(good, bad)
        kind = tamper(bad, chance)
        tried[kind] += 1
        status, told = ask(main, str(bad), "--key", str(public))
        if status != 1:
            unnoticed.append(f"{number} {kind}: {status} {told}")
        shutil.rmtree(bad)
    return tried, unnoticed


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        tried, unnoticed = storm(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, 20, Path(made))
    print(dict(tried), f"{len(unnoticed)} unnoticed")
    print("\n".join(unnoticed))
    sys.exit(bool(unnoticed))
