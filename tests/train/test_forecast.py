"""The helper process that looks at data and predicts ε, spoken to as the window does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from guardapp.formats.models import ModelCard
from guardapp.train.forecast import answer
from guardapp.train.plan import Privacy
from guardapp.train.predict import predict


def ask(number: int, do: str, **fields: Any) -> dict[str, Any]:
    return answer(json.dumps({"id": number, "do": do, **fields}))


def digits(path: Path, count: int = 60) -> Path:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    np.savez(path, images=rng.integers(0, 255, (count, 8, 8), dtype=np.uint8), labels=labels.astype(np.uint8))
    return path


def test_a_look_says_what_is_in_the_data_and_what_counts_as_public(tmp_path: Path) -> None:
    found = ask(1, "look", data={"images": str(digits(tmp_path / "d.npz"))})["result"]
    assert (found["kind"], found["examples"], found["shape"], found["class_count"]) == ("image", 60, [1, 8, 8], 3)
    assert set(found["derived"]) == {"image shape", "classes"}
    assert len(found["fingerprint"]) == 64


def test_the_prediction_is_that_of_the_engine() -> None:
    privacy = {"epsilon": 2.0, "delta": 1e-5, "max_examples": 1000}
    told = ask(2, "predict", privacy=privacy, kind="table", test_fraction=0.1, classes=2, shape=[4], steps=30)["result"]
    own = predict(Privacy(**privacy), kind="table", classes=2, steps=30)
    assert json.loads(json.dumps(told)) == json.loads(json.dumps(own))
    assert told["epsilon"] <= 2.0


def test_what_cannot_be_is_refused_with_a_next_step(tmp_path: Path) -> None:
    missing = ask(3, "look", data={"images": str(tmp_path / "none.npz")})
    assert missing["id"] == 3 and missing["error"]["next"]
    setting = ask(
        4,
        "predict",
        privacy={"epsilon": -1, "delta": 1e-5, "max_examples": 9},
        kind="table",
        test_fraction=0,
        classes=2,
    )
    assert setting["error"]["code"] == "train.setting"
    image_model = ask(
        5,
        "predict",
        privacy={"epsilon": 1, "delta": 1e-5, "max_examples": 900},
        recipe="cnn",
        kind="table",
        test_fraction=0,
        classes=2,
    )
    assert image_model["error"]["code"] == "train.recipe"


def test_a_line_that_is_no_request_ends_nothing() -> None:
    for line in ("", "[]", "{", '{"id": 1}', '{"id": "x", "do": "look"}', '{"id": 1, "do": "delete"}'):
        assert answer(line)["error"]["code"] == "session.bad-request"


def test_a_fault_never_quotes_the_data(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    path.write_bytes(b"PK\x03\x04 secret-name " * 20)
    refused = json.dumps(ask(6, "look", data={"images": str(path)}))
    assert "error" in refused and "secret-name" not in refused


def test_a_spec_file_comes_back_checked_and_with_absolute_paths(tmp_path: Path) -> None:
    digits(tmp_path / "d.npz")
    path = tmp_path / "train.yaml"
    path.write_text(
        "kind: train\ndata: {images: d.npz}\nprivacy: {epsilon: 3, delta: 1.0e-5, max_examples: 100}\n",
        encoding="utf-8",
    )
    spec = ask(7, "read_spec", path=str(path))["result"]["spec"]
    assert spec["data"]["images"] == str(tmp_path / "d.npz")
    path.write_text("kind: seal\n", encoding="utf-8")
    assert ask(8, "read_spec", path=str(path))["error"]["code"] == "train.spec"


def test_the_process_answers_line_by_line_without_torch(tmp_path: Path) -> None:
    lines = [
        {"id": 1, "do": "look", "data": {"images": str(digits(tmp_path / "d.npz"))}},
        {
            "id": 2,
            "do": "predict",
            "privacy": {"epsilon": 3, "delta": 1e-5, "max_examples": 100},
            "kind": "image",
            "test_fraction": 0.1,
            "classes": 3,
            "shape": [1, 16, 16],
            "steps": 20,
        },
    ]
    code = (
        "import sys; from guardapp.train.forecast import serve; serve(sys.stdin, sys.stdout); "
        "assert 'torch' not in sys.modules"
    )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([sys.executable, "-c", code], input=text, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [found["id"] for found in answers] == [1, 2]
    assert answers[1]["result"]["steps"] == 20


def test_a_training_without_privacy_has_a_duration_and_no_epsilon() -> None:
    fields = {"kind": "table", "test_fraction": 0.1, "classes": 2, "shape": [4], "steps": 30}
    told = ask(6, "predict", privacy=None, max_examples=1000, **fields)["result"]
    assert told["epsilon"] is None and told["sigma"] is None and told["curve"] == []
    assert told["steps"] == 30 and told["seconds"] > 0 and told["clip"] is None
    clipped = ask(7, "predict", privacy=None, max_examples=1000, clip=0.5, clipped=True, **fields)["result"]
    assert clipped["clip"] == 0.5 and clipped["epsilon"] is None


def test_a_training_from_a_model_is_predicted_for_that_model_and_refused_where_it_does_not_fit(tmp_path: Path) -> None:
    card = ModelCard(architecture="mlp", input="table", input_shape=(4,), classes=["no", "yes"])
    tmp_path.joinpath("model.json").write_text(card.model_dump_json(), encoding="utf-8")
    privacy = {"epsilon": 2.0, "delta": 1e-5, "max_examples": 1000}
    fields = {"privacy": privacy, "kind": "table", "test_fraction": 0.1, "classes": 2, "steps": 3}
    start = {"model": str(tmp_path), "train": "all"}
    assert ask(7, "predict", start=start, shape=[4], **fields)["result"]["architecture"] == "mlp"
    assert ask(8, "predict", start=start, shape=[5], **fields)["error"]["code"] == "train.start"
    foreign = card.model_copy(update={"architecture": "foreign"})
    tmp_path.joinpath("model.json").write_text(foreign.model_dump_json(), encoding="utf-8")
    assert ask(9, "predict", start=start, shape=[4], **fields)["error"]["code"] == "train.start"
