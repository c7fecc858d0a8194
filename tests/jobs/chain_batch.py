"""The whole chain as a batch of seconds on a few sample rows: protect, train privately, check, seal, bundle."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

SAMPLES = Path(__file__).parents[2] / "resources" / "samples"
ROWS = 600
BATCH = """
- {kind: deid, name: protect, input: discharges.csv, policy: discharges.policy.yaml}
- kind: train
  name: model
  data: {table: "${protect.table}", label: readmitted, schema: discharges.schema.yaml, test_fraction: 0.2}
  privacy: {epsilon: 2.0, delta: 1.0e-5, max_examples: 600}
  batch: 64
  steps: 400
- kind: check
  name: attack
  model: {job: "${model}"}
  data: {table: "${protect.table}", label: readmitted, schema: discharges.schema.yaml, part: test, test_fraction: 0.2}
  strengths: [0.05]
  budget: quick
- {kind: seal, name: sealed, input: "${model.weights}", recipients: [archive]}
- {kind: bundle, name: release, from: [protect, model, attack, sealed], key: signer}
"""


def lay_out(place: Path, home: Path) -> Path:
    """Write the batch and its data into `place`, and its keys into the vault of `home`; returns the batch file."""
    from guardapp.vault.store import Vault

    place.mkdir(parents=True, exist_ok=True)
    for source in SAMPLES.glob("discharges.*.yaml"):
        shutil.copy(source, place)
    with (SAMPLES / "discharges.csv").open(encoding="utf-8") as source:
        (place / "discharges.csv").write_text("".join(itertools.islice(source, ROWS + 1)), encoding="utf-8")
    vault = Vault.open(home)
    vault.new_key("archive", "x25519")
    vault.new_key("signer", "signing")
    batch = place / "batch.yaml"
    batch.write_text(BATCH, encoding="utf-8")
    return batch
