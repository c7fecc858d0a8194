"""The bundle's report for people: what was done, what it guarantees and what not, then the numbers."""

from __future__ import annotations

from pathlib import Path

from guardapp.reports import Figure, Report, Words
from guardapp.seal.counted import counted
from guardapp.seal.passport import Passport, Robustness, TrainingPrivacy

KINDS = {
    "deid": "De-identify",
    "tables": "De-identify",
    "train": "Private training",
    "check": "Robustness",
    "leak": "Leakage",
    "convert": "Convert",
    "strip": "Strip",
    "scan": "Scan",
    "seal": "Seal",
    "recipients": "Recipients",
    "open": "Open",
    "bundle": "Bundle",
    "verify": "Verify",
}


def write_report(path: Path, passport: Passport, key: str, fingerprint: str) -> None:
    """Write report.html. Everything in it is in the passport, but for the signing key's name and fingerprint."""
    report = Report("Model passport", f"{counted(len(passport.jobs), 'job')}, signed with the key “{key}”")
    if passport.chained:
        report.verdict(
            "One unbroken chain",
            level="success",
            detail="Every job in this bundle is linked to the others by the hashes of what it read and made.",
        )
    else:
        report.verdict(
            "Not one chain",
            level="warning",
            detail="Some jobs in this bundle share no file with the others, so nothing connects what they state.",
        )
    report.figures(_figures(passport))
    _chain(report, passport)
    _privacy(report, passport)
    _data(report, passport)
    _robustness(report, passport)
    _sealed(report, passport)
    report.section("How to check this bundle")
    report.bullets(
        [
            "Run “guardapp verify” on this folder, or the public tool “model_signing verify key”.",
            f"The signing key's fingerprint is {fingerprint}. Compare it with the one that its owner gave you.",
        ]
    )
    report.section("What this does not prove")
    report.bullets(
        [
            "The signature shows who vouches for these statements and that no file was changed since. "
            "It does not show that the signer's computer was honest.",
            "Nothing here says that the model is accurate for your purpose or free of backdoors.",
            "What a job does not state is left empty here.",
        ]
    )
    report.write(path)


def _figures(passport: Passport) -> list[Figure]:
    tiles = []
    for privacy in passport.training_privacy[:1]:
        if privacy.epsilon is not None and privacy.delta is not None:
            tiles.append(Figure("ε", f"{privacy.epsilon:.3g}", f"at δ = {privacy.delta:.3g}"))
    for data in passport.data_protection[:1]:
        if data.k is not None:
            tiles.append(Figure("k", str(data.k), "smallest group of rows that look alike"))
    for robust in passport.robustness[:1]:
        if robust.clean_accuracy is not None:
            tiles.append(
                Figure("Accuracy without attack", f"{robust.clean_accuracy:.1%}", "measured before any attack")
            )
    tiles.append(Figure("Sealed files", str(len(passport.sealed)), "carried in this bundle"))
    return tiles


def _chain(report: Report, passport: Passport) -> None:
    report.section("The chain")
    rows = []
    for job in passport.jobs:
        for entry in job.inputs:
            origin: object = entry.source_job if entry.source_job else Words("from outside")
            rows.append((job.name, Words(KINDS.get(job.kind, job.kind)), entry.name, entry.sha256[:16] + "…", origin))
    report.table(["Job", "Kind", "Read", "SHA-256", "Made by"], rows)


def _privacy(report: Report, passport: Passport) -> None:
    for privacy in passport.training_privacy:
        report.section("Privacy of the training data")
        if privacy.epsilon is None:
            report.paragraph("No privacy guarantee is stated for this training.")
        report.table(["Statement", "Value"], _rows(privacy), caption=privacy.job)
        if privacy.not_covered:
            report.paragraph("The guarantee does not cover:")
            report.bullets(privacy.not_covered)


def _data(report: Report, passport: Passport) -> None:
    for data in passport.data_protection:
        report.section("Protection of the table")
        plain = data.model_dump(exclude={"job", "models", "risk"})
        report.table(["Statement", "Value"], _stated(plain), caption=data.job)
        models = [
            (model.get("name", ""), _holds(model.get("holds")), _text(model.get("measured", "")))
            for model in data.models or []
        ]
        if models:
            report.table(["Privacy model", "Holds", "As measured"], models)


def _robustness(report: Report, passport: Passport) -> None:
    for robust in passport.robustness:
        report.section("Robustness of the model")
        report.table(["Statement", "Value"], _rows(robust), caption=robust.job)
        points = [
            [point.get(name, "") for name in ("strength", "robust_accuracy", "low", "high")]
            for point in robust.curve or []
        ]
        if points:
            report.table(["Strength", "Accuracy under attack", "Low", "High"], points, numeric=range(4))
        flags = [(flag.get("id", ""), Words(str(flag.get("why", "")))) for flag in robust.flags or []]
        if flags:
            report.table(["Red flag", "Why"], flags)


def _sealed(report: Report, passport: Passport) -> None:
    if passport.sealed:
        report.section("Sealed files")
        rows = [
            (entry.file, f"{entry.bytes:,}", entry.sha256, entry.content_file or Words("not stated"))
            for entry in passport.sealed
        ]
        report.table(["File", "Bytes", "SHA-256", "What is inside"], rows, numeric=[1])


def _rows(entry: TrainingPrivacy | Robustness) -> list[tuple[object, object]]:
    return _stated(entry.model_dump(exclude={"job", "curve", "flags", "not_covered"}))


def _stated(values: dict[str, object]) -> list[tuple[object, object]]:
    return [(Words(_LABELS.get(name, name)), _cell(value)) for name, value in values.items() if value is not None]


def _cell(value: object) -> object:
    return Words(value) if isinstance(value, str) else _text(value)


def _holds(value: object) -> object:
    return Words("yes") if value is True else Words("no") if value is False else Words("not stated")


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


_LABELS = {
    "epsilon": "ε",
    "epsilon_replace_one": "ε when one record is replaced",
    "delta": "δ",
    "adjacency": "Neighbouring datasets",
    "unit": "Unit of privacy",
    "sampler": "Sampling",
    "accountant": "Accountant",
    "noise_multiplier": "Noise multiplier",
    "sample_rate": "Sampling rate",
    "steps": "Steps",
    "clip": "Clipping norm",
    "test_accuracy": "Test accuracy",
    "guarantee": "Guarantee",
    "table_sha256": "SHA-256 of the original table",
    "policy_sha256": "SHA-256 of the policy",
    "rows_in": "Rows read",
    "rows_out": "Rows written",
    "suppressed_rows": "Rows suppressed",
    "k": "k",
    "norm": "Norm",
    "clean_accuracy": "Accuracy without attack",
    "trustworthy": "Result is trustworthy",
}
