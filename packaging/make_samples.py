"""Makes the sample data that the app ships: `python packaging/make_samples.py`. Every person in it is invented.

discharges.csv  5,000 hospital discharges, 14 columns; NHS numbers from the 999 range, which is never issued, and
                telephone numbers from the ranges that Ofcom keeps free for drama
digits.npz      6,000 handwriting-like digits, 28 × 28, drawn from jittered strokes
digits-classifier.safetensors
                a linear classifier of these digits, to seal, open and verify

The result depends on the seed alone, so that a change of the samples is a change of this file.
"""

from __future__ import annotations

import csv
import io
import math
import random
import zipfile
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SAMPLES = Path(__file__).parent.parent / "resources" / "samples"

FIRST = {
    "F": [
        "Amelia",
        "Olivia",
        "Isla",
        "Ava",
        "Freya",
        "Maya",
        "Priya",
        "Aisha",
        "Grace",
        "Ruth",
        "Joan",
        "Margaret",
        "Doris",
        "Hannah",
        "Chloe",
        "Mei",
        "Sofia",
        "Zainab",
        "Niamh",
        "Carys",
        "Elin",
        "Fiona",
        "Moira",
        "Yasmin",
        "Leila",
        "Ana",
        "Ewa",
        "Kasia",
        "Ngozi",
        "Amara",
    ],
    "M": [
        "Oliver",
        "George",
        "Noah",
        "Arthur",
        "Harry",
        "Omar",
        "Ravi",
        "Arjun",
        "Peter",
        "Alan",
        "Derek",
        "Kenneth",
        "Gareth",
        "Rhys",
        "Callum",
        "Ewan",
        "Hamish",
        "Liam",
        "Sean",
        "Wei",
        "Jun",
        "Mateo",
        "Piotr",
        "Tomasz",
        "Chidi",
        "Kofi",
        "Ibrahim",
        "Yusuf",
        "Daniel",
        "Samuel",
    ],
}
LAST = [
    "Smith",
    "Jones",
    "Taylor",
    "Brown",
    "Williams",
    "Wilson",
    "Johnson",
    "Davies",
    "Patel",
    "Wright",
    "Walker",
    "White",
    "Thompson",
    "Khan",
    "Hughes",
    "Edwards",
    "Green",
    "Hall",
    "Wood",
    "Harris",
    "Lewis",
    "Martin",
    "Jackson",
    "Clarke",
    "Clark",
    "Turner",
    "Hill",
    "Cooper",
    "Morris",
    "Ward",
    "Moore",
    "Begum",
    "Ali",
    "Ahmed",
    "Chen",
    "Wang",
    "Kowalski",
    "Nowak",
    "Okafor",
    "Mensah",
    "Murphy",
    "Kelly",
    "Evans",
    "Roberts",
    "MacDonald",
    "Campbell",
    "Stewart",
]
AREAS = {"SW": 6, "M": 6, "LS": 5, "B": 6, "SE": 4, "E": 4, "G": 3, "CF": 3, "BS": 3, "NE": 2, "ZE": 1}
ETHNICITIES = {"White": 78, "Asian": 10, "Black": 6, "Mixed": 4, "Other": 2}
DIAGNOSES = {  # ICD-10 code: (weight, youngest, mean stay in days, readmission log-odds)
    "I21.4": (9, 40, 6, 0.7), "J18.9": (12, 0, 5, 0.4), "E11.9": (10, 25, 4, 0.5), "K35.8": (8, 5, 3, -1.6),
    "I50.0": (8, 50, 9, 1.5), "J44.1": (8, 45, 7, 1.3), "N39.0": (9, 18, 4, 0.0), "S72.0": (7, 60, 14, 0.3),
    "K80.2": (8, 25, 3, -1.2), "O80": (9, 18, 2, -2.4), "A09": (7, 0, 3, -1.0), "M17.1": (5, 50, 5, -1.1),
}  # fmt: skip
WARDS = {"I": "Cardiology", "J": "Respiratory", "E": "Medicine", "K": "Surgery", "N": "Medicine", "S": "Orthopaedics",
         "O": "Maternity", "A": "Medicine", "M": "Orthopaedics"}  # fmt: skip
COLUMNS = [
    "nhs_number", "full_name", "email", "phone", "birth_date", "sex", "postcode", "ethnicity",
    "admission_date", "ward", "diagnosis", "stay_days", "smoker", "readmitted",
]  # fmt: skip


def nhs_number(serial: int) -> str | None:
    """The NHS number 999 + serial, with its mod-11 check digit; None where no check digit exists (remainder 1)."""
    digits = f"999{serial:06d}"
    check = 11 - sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11
    if check == 10:
        return None
    digits += str(0 if check == 11 else check)
    return f"{digits[:3]} {digits[3:6]} {digits[6:]}"


def weighted(rng: random.Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def discharge(rng: random.Random, number: str) -> list[str]:
    sex = rng.choice("FM")
    weights = {code: facts[0] * (0 if code == "O80" and sex == "M" else 1) for code, facts in DIAGNOSES.items()}
    diagnosis = weighted(rng, weights)
    _, youngest, mean_stay, odds = DIAGNOSES[diagnosis]
    oldest = 45 if diagnosis == "O80" else 97
    age = min(oldest, youngest + int(rng.betavariate(1.6, 1.7) * (oldest - youngest + 1)))
    admitted = date(2024, 1, 1) + timedelta(days=rng.randrange(366))
    born = admitted - timedelta(days=int(age * 365.25) + rng.randrange(365))
    stay = max(1, min(60, round(rng.gammavariate(2.2, mean_stay / 2.2))))
    smoker = rng.random() < (0.32 if diagnosis.startswith(("I", "J44")) else 0.14)
    logit = -1.0 + odds + 0.035 * (age - 60) + 0.06 * (stay - 5) + 0.9 * smoker
    readmitted = rng.random() < 1 / (1 + math.exp(-1.6 * logit))
    first, last = rng.choice(FIRST[sex]), rng.choice(LAST)
    area = weighted(rng, dict(AREAS.items()))
    inward = f"{rng.randint(1, 9)}{rng.choice('ABDEFGHJLNPQRSTUWXYZ')}{rng.choice('ABDEFGHJLN')}"
    postcode = f"{area}{rng.randint(1, 3 * AREAS[area])} {inward}"
    host = rng.choice(["example.org", "example.com", "example.net"])
    email = f"{first}.{last}{rng.randrange(10, 99)}@{host}".lower() if rng.random() < 0.93 else ""
    return [
        number, f"{first} {last}", email, f"07700 900{rng.randrange(1000):03d}", born.isoformat(), sex, postcode,
        weighted(rng, ETHNICITIES), admitted.isoformat(), WARDS[diagnosis[0]], diagnosis, str(stay),
        "yes" if smoker else "no", "yes" if readmitted else "no",
    ]  # fmt: skip


def discharges(rows: int = 5000) -> str:
    rng = random.Random(20241)
    serials = rng.sample(range(1_000_000), rows * 2)
    numbers = [n for n in map(nhs_number, serials) if n][:rows]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(discharge(rng, number) for number in numbers)
    return out.getvalue()


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    """Points of an elliptic arc in the unit square; angles in degrees, clockwise from the right (y points down)."""
    turns = [math.radians(start + (end - start) * i / 24) for i in range(25)]
    return [(cx + rx * math.cos(t), cy + ry * math.sin(t)) for t in turns]


STROKES: dict[int, list[list[list[tuple[float, float]]]]] = {  # digit: ways of writing it, each a list of strokes
    0: [[arc(0.5, 0.5, 0.26, 0.38, -90, 270)]],
    1: [[[(0.5, 0.12), (0.5, 0.88)]], [[(0.36, 0.26), (0.53, 0.12), (0.53, 0.88)]]],
    2: [[[*arc(0.5, 0.33, 0.23, 0.21, -170, 30), (0.27, 0.86), (0.76, 0.86)]]],
    3: [[arc(0.47, 0.31, 0.22, 0.19, -150, 90) + arc(0.47, 0.68, 0.25, 0.19, -90, 150)]],
    4: [[[(0.6, 0.12), (0.24, 0.62), (0.8, 0.62)], [(0.62, 0.38), (0.62, 0.9)]],
        [[(0.3, 0.14), (0.28, 0.52), (0.72, 0.52)], [(0.7, 0.12), (0.7, 0.9)]]],
    5: [[[(0.72, 0.13), (0.34, 0.13), (0.31, 0.46), *arc(0.48, 0.64, 0.24, 0.23, -120, 150)]]],
    6: [[[(0.64, 0.12), (0.38, 0.42), *arc(0.5, 0.66, 0.22, 0.21, -160, 200)]]],
    7: [[[(0.25, 0.14), (0.76, 0.14), (0.44, 0.88)]],
        [[(0.25, 0.14), (0.76, 0.14), (0.44, 0.88)], [(0.38, 0.5), (0.68, 0.5)]]],
    8: [[arc(0.5, 0.31, 0.19, 0.18, 90, 450) + arc(0.5, 0.69, 0.24, 0.2, -90, 270)]],
    9: [[[*arc(0.5, 0.34, 0.22, 0.21, 0, 360), (0.71, 0.4), (0.62, 0.9)]]],
}  # fmt: skip


def digit(rng: random.Random, label: int) -> np.ndarray:
    """One 28 × 28 picture of `label`, uint8, white on black: slanted, stretched, wavering strokes of changing width."""
    scale, canvas = 6, 28 * 6
    slant, turn = rng.gauss(0.0, 0.16), rng.gauss(0.0, 0.11)
    sx, sy = rng.gauss(0.78, 0.09), rng.gauss(0.80, 0.06)
    dx, dy = rng.gauss(0.0, 0.04), rng.gauss(0.0, 0.035)
    wave, phase, beat = rng.gauss(0.0, 0.018), rng.uniform(0, 6.3), rng.uniform(4, 9)
    width = max(1.3, rng.gauss(2.5, 0.55)) * scale
    image = Image.new("L", (canvas, canvas))
    draw = ImageDraw.Draw(image)
    for stroke in rng.choice(STROKES[label]):
        points = []
        for x, y in stroke:
            x, y = x - 0.5 + rng.gauss(0, 0.008), y - 0.5 + rng.gauss(0, 0.008)
            x, y = x * sx - slant * y + wave * math.sin(beat * y + phase), y * sy + wave * math.cos(beat * x + phase)
            x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
            points.append(((x + 0.5 + dx) * canvas, (y + 0.5 + dy) * canvas))
        draw.line(points, fill=255, width=round(width), joint="curve")
        for x, y in points:
            draw.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    small = image.filter(ImageFilter.GaussianBlur(scale * rng.uniform(0.3, 0.7))).resize((28, 28), Image.Resampling.BOX)
    return np.minimum(255, np.asarray(small, dtype=np.uint16) * 9 // 8).astype(np.uint8)


def digits(count: int = 6000) -> bytes:
    rng = random.Random(28)
    labels = [i % 10 for i in range(count)]
    rng.shuffle(labels)
    images = np.stack([digit(rng, label) for label in labels])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in (("images", images), ("labels", np.array(labels, dtype=np.uint8))):
            member = io.BytesIO()
            np.save(member, array)
            # a fixed date, so that the same pictures give the same file
            info = zipfile.ZipInfo(f"{name}.npy", (2026, 1, 1, 0, 0, 0))
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def classifier(digits_file: bytes, steps: int = 150) -> bytes:
    """Softmax regression by full-batch gradient descent from zero: the same digits give the same weights.

    They are rounded to half precision, so that they do not depend on the order in which a machine adds.
    """
    from safetensors.numpy import save

    with np.load(io.BytesIO(digits_file)) as archive:
        images, labels = archive["images"], archive["labels"]
    pixels = images.reshape(len(images), -1).astype(np.float64) / 255
    wanted = np.eye(10)[labels]
    weight, bias = np.zeros((10, pixels.shape[1])), np.zeros(10)
    for _ in range(steps):
        scores = pixels @ weight.T + bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        error = (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(pixels)
        weight -= 0.5 * error.T @ pixels
        bias -= 0.5 * error.sum(axis=0)
    return save({"linear.weight": weight.astype(np.float16), "linear.bias": bias.astype(np.float16)})


if __name__ == "__main__":
    SAMPLES.mkdir(parents=True, exist_ok=True)
    (SAMPLES / "discharges.csv").write_text(discharges(), encoding="utf-8")
    drawn = digits()
    (SAMPLES / "digits.npz").write_bytes(drawn)
    (SAMPLES / "digits-classifier.safetensors").write_bytes(classifier(drawn))
