"""Random tables through both engines, measured by pycanon: `python -m tests.bench.models_against_pycanon PYTHON`.

PYTHON is an interpreter that has pycanon: it pins older numpy and pandas, so it has a venv of its own. pycanon leaves
missing cells out when it groups, so they are given to it as a mark; sensitive cells are never missing here. Its entropy
l is cut to a whole number after rounding (two values, equally frequent, measure 1), so whole l are not asked for.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
from collections import Counter
from typing import Any

import numpy as np

from guardapp.deid.coding import Coded
from guardapp.deid.policy import build_policy
from guardapp.deid.recoding import recode
from guardapp.errors import GuardError
from guardapp.progress import Progress

_PEER = """
import json, sys, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from pycanon import anonymity as a
for line in sys.stdin:
    frame = pd.DataFrame(json.loads(line), columns=["n", "w", "s"])
    q, s = ["n", "w"], ["s"]
    print(json.dumps([float(x) for x in (
        a.k_anonymity(frame, q), a.l_diversity(frame, q, s), a.entropy_l_diversity(frame, q, s),
        a.t_closeness(frame, q, s), a.basic_beta_likeness(frame, q, s), a.delta_disclosure(frame, q, s))]))
"""


def _table(chance: random.Random) -> tuple[list[tuple[str | None, ...]], list[dict[str, Any]], dict[str, Any]]:
    values = "uvwxyz"[: chance.randint(2, 6)]
    numbers, words = [None, *map(str, range(8))], [None, "a", "b", "c"]
    rows = [
        (chance.choice(numbers), chance.choice(words), chance.choice(values)) for _ in range(chance.randint(8, 120))
    ]
    possible: list[dict[str, Any]] = [
        {"name": "distinct-l-diversity", "l": chance.randint(2, 3)},
        {"name": "entropy-l-diversity", "l": chance.choice([2.05, 2.5, 3.05])},
        {"name": "t-closeness", "t": chance.uniform(0.1, 0.5), "distance": "equal"},
        {"name": "beta-likeness", "beta": chance.uniform(0.3, 3)},
        {"name": "delta-disclosure", "delta": chance.uniform(0.5, 3)},
    ]
    models = [{"name": "k-anonymity", "k": chance.randint(2, 8)}]
    models += [{**model, "column": "s"} for model in chance.sample(possible, chance.randint(1, 2))]
    search: dict[str, Any] = {"engine": chance.choice(["local", "lattice"])}
    if search["engine"] == "lattice":
        search["metric"] = chance.choice(["entropy", "loss", "precision", "discernibility", "aecs", "ambiguity"])
        search["suppression"] = chance.choice([0, 0.1, 0.3])
    return rows, models, search


def _coded(cells: list[str | None]) -> Coded:
    number: dict[str | None, int] = {}
    codes = [number.setdefault(cell, len(number)) for cell in cells]
    return Coded(np.array(codes, np.int32), list(number))


def _misses(model: dict[str, Any], k: float, l: float, entropy: float, t: float, beta: float, delta: float) -> bool:  # noqa: E741
    match model["name"]:
        case "k-anonymity":
            return k < model["k"]
        case "distinct-l-diversity":
            return l < model["l"]
        case "entropy-l-diversity":
            return entropy < int(model["l"])
        case "t-closeness":
            return t > model["t"] + 1e-6
        case "beta-likeness":
            return beta > model["beta"] + 1e-6
    return delta > model["delta"] + 1e-6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("peer", help="an interpreter with pycanon")
    options.add_argument("--tables", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    chance = random.Random(arguments.seed)
    asked: list[tuple[str, list[dict[str, Any]]]] = []
    lines: list[str] = []
    refused = 0
    for _ in range(arguments.tables):
        rows, models, search = _table(chance)
        columns = {"n": {"role": "quasi", "hierarchy": {"intervals": {"width": 2}}}, "w": {"role": "quasi"}}
        policy = build_policy({"columns": {**columns, "s": {"role": "sensitive"}}, "models": models, "search": search})
        try:
            found = recode(policy, {name: _coded([row[i] for row in rows]) for i, name in enumerate("nws")}, Progress())
        except GuardError:
            refused += 1
            continue
        labels = [[texts[code] or "(missing)" for code in codes] for codes, texts in found.columns.values()]
        lines.append(json.dumps(list(zip(*labels, [row[2] for row in rows], strict=True))))
        asked.append((search["engine"], models))
    command = [arguments.peer, "-c", _PEER]
    answer = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True).stdout
    measured = [json.loads(line) for line in answer.splitlines()]
    held: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for (engine, models), figures in zip(asked, measured, strict=True):
        for model in models:
            (missed if _misses(model, *figures) else held)[f"{engine} {model['name']}"] += 1
    print(f"{len(asked)} tables measured by pycanon, {refused} refused by the engine as out of reach")
    for name in sorted({*held, *missed}):
        print(f"{name}: held {held[name]}, missed {missed[name]}")
    raise SystemExit(1 if missed else 0)


if __name__ == "__main__":
    main()
