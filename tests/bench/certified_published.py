"""Our bounds on published models: `python tests/bench/certified_published.py ../shared/data [EXAMPLES]`.

The models of Wong & Kolter 2018 and Wong et al. 2018 were trained against their own bound, a dual linear program with
the same relaxation; they report the share of MNIST test digits that it proves. The digits here are training digits.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from guardapp.formats.images import read_idx
from guardapp.robust.cascade import passes
from guardapp.robust.certify.accuracy import certify
from guardapp.robust.evaluator import Evaluator
from guardapp.robust.intervals import share
from guardapp.robust.victim import Victim

MODELS = (("models/mnist.pth", 0.1, 0.942), ("models_scaled/mnist_small_0_3.pth", 0.3, 0.569))
"""File, strength, and the share of test digits that the authors' own bound proves."""


def model(path: Path) -> nn.Module:
    layers = [nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, 10))
    weights = torch.load(path, weights_only=True, map_location="cpu")
    weights = weights.get("state_dict", weights)
    network.load_state_dict(weights[0] if isinstance(weights, list) else weights)
    return network.eval()


def main(folder: Path, count: int) -> None:
    torch.set_num_threads(1)
    x = torch.from_numpy(read_idx(folder / "mnist-train/train-images-idx3-ubyte.gz")[:count].copy())[:, None] / 255
    y = torch.from_numpy(read_idx(folder / "mnist-train/train-labels-idx1-ubyte.gz")[:count].astype(np.int64))
    for name, strength, published in MODELS:
        network = model(folder / "robust-convex_adversarial" / name)
        begun = time.process_time()
        found = certify(network, x, y, "linf", [strength])
        seconds = time.process_time() - begun
        evaluator = Evaluator(Victim(network, 10), x, y, "linf")
        evaluator.attack(strength, passes("quick", 10))
        broken = evaluator.broken_at <= strength
        proved = found.proved[strength]
        ours, plain = share(int(proved.sum()), count), share(int(found.interval[strength].sum()), count)
        attacked, both = 1 - float(broken.double().mean()), int((proved & broken).sum())
        print(f"{name} at {strength}: CROWN {ours.value:.3f} ({ours.low:.3f} to {ours.high:.3f})")
        print(f"  intervals {plain.value:.3f}, published {published:.3f}, attacked {attacked:.3f}, both {both}")
        print(f"  {seconds:.1f} CPU-s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
