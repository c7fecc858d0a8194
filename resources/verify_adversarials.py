"""Verify exported adversarial examples with NumPy alone; shares no code with the program that made them.

    python verify_adversarials.py FOLDER [MODEL.safetensors]

FOLDER holds adversarials.npz and adversarials.json. Distance, range and unmoved features are checked always; that the
model is right on the example and wrong on its change, where the model's file is given and is of a kind that is written
out below (logistic, mlp, cnn). Prints one line; the exit status is 1 if anything does not hold.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np


def read_weights(path):
    content = Path(path).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    weights = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] != "F32":
            raise SystemExit(f"{name} is not stored as 32-bit floats")
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        weights[name] = np.frombuffer(content[begin:end], "<f4").astype(np.float64).reshape(entry["shape"])
    return weights


def layers(weights):
    """(weight, bias) pairs in the order of their numbers."""
    numbers = sorted({name.rsplit(".", 1)[0] for name in weights}, key=lambda name: [int(n) for n in name.split(".")])
    return [(weights[f"{number}.weight"], weights[f"{number}.bias"]) for number in numbers]


def dense(x, layer):
    return x @ layer[0].T + layer[1]


def convolve(x, layer, stride, padding):
    weight, bias = layer
    side = weight.shape[2]
    x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    height, width = ((size - side) // stride + 1 for size in x.shape[2:])
    out = np.zeros((len(x), len(weight), height, width))
    for top in range(side):
        for left in range(side):
            part = x[:, :, top : top + stride * height : stride, left : left + stride * width : stride]
            out += np.einsum("nchw,oc->nohw", part, weight[:, :, top, left])
    return out + bias[None, :, None, None]


def group_norm(x, layer, groups):
    parts = x.reshape(len(x), groups, -1)
    parts = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + 1e-5)
    return parts.reshape(x.shape) * layer[0][None, :, None, None] + layer[1][None, :, None, None]


def pool(x):
    return np.max([x[:, :, a : x.shape[2] - 1 + a, b : x.shape[3] - 1 + b] for a in (0, 1) for b in (0, 1)], axis=0)


def average(x, side=4):
    def borders(size):
        return [(i * size // side, -(-(i + 1) * size // side)) for i in range(side)]

    rows = [[x[:, :, a:b, c:d].mean((2, 3)) for c, d in borders(x.shape[3])] for a, b in borders(x.shape[2])]
    return np.moveaxis(np.array(rows), (0, 1), (2, 3))


def scores(x, weights, described):
    """Scores (n, classes), or None for a kind of model that is not written out here."""
    options = described["options"]
    if described["architecture"] not in ("logistic", "mlp", "cnn") or (options.get("numbers") and options.get("knots")):
        return None
    found = layers(weights)
    x = (x - options.get("mean", 0.5)) / options.get("scale", 0.5)
    if described["architecture"] == "cnn":
        for number, (stride, padding) in enumerate(((2, 3), (2, 0))):
            filters, norm = found[2 * number : 2 * number + 2]
            x = convolve(x, filters, stride, padding)
            x = pool(np.tanh(group_norm(x, norm, math.gcd(len(filters[0]), 4))))
        x, found = average(x), found[4:]
    x = x.reshape(len(x), -1)
    for layer in found[:-1]:
        x = np.tanh(dense(x, layer))
    return dense(x, found[-1])


def distance(x, changed, norm):
    change = (changed - x).reshape(len(x), -1)
    if norm == "l0":
        moved = (changed != x).any(1) if x.ndim == 4 else changed != x
        return moved.reshape(len(x), -1).sum(1)
    if norm == "l1":
        return np.abs(change).sum(1)
    return np.abs(change).max(1) if norm == "linf" else np.sqrt((change**2).sum(1))


def problems(arrays, described, weights):
    """(examples, what does not hold, whether the model was asked)."""
    x, y = arrays["x"].astype(np.float64), arrays["y"]
    found, asked = [], weights is not None and len(y) > 0
    for name, bound in (("x_adv", "strength"), ("x_smallest", "smallest")):
        changed = arrays[name].astype(np.float64)
        low, high = described["range"]
        checks = {
            "distance": distance(x, changed, described["norm"]) <= arrays[bound] + described["tolerance"],
            "range": ((changed >= low) & (changed <= high)).reshape(len(x), -1).all(1),
        }
        if described["mutable"] is not None:
            checks["unmoved"] = (changed == x)[:, np.array(described["mutable"]) == 0].all(1)
        answers = scores(changed, weights, described) if asked else None
        if answers is None:
            asked = False
        else:
            checks["wrong"] = answers.argmax(1) != y
            checks["right before"] = scores(x, weights, described).argmax(1) == y
        found += [f"{name} {index}: {check}" for check, ok in checks.items() for index in arrays["index"][~ok]]
    return len(y), found, asked


def main(folder, model=None):
    with np.load(Path(folder) / "adversarials.npz", allow_pickle=False) as file:
        arrays = dict(file)
    described = json.loads((Path(folder) / "adversarials.json").read_text(encoding="utf-8"))
    count, found, asked = problems(arrays, described, read_weights(model) if model else None)
    sys.stdout.write(json.dumps({"examples": count, "model_asked": asked, "problems": found}) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
