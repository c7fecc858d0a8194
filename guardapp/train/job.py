"""Private training as a job: what the user chooses, and what happens."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field, model_validator

from guardapp.errors import GuardError
from guardapp.formats.datasets import Dataset, DataSpec, held_back, load_dataset
from guardapp.formats.encoding import NumberColumn
from guardapp.formats.models import ModelCard, build, complete_options, load_model, save_model
from guardapp.progress import Progress
from guardapp.spec import Result, Spec
from guardapp.train.audit.options import Audit
from guardapp.train.charge import Charge
from guardapp.train.method import Method
from guardapp.train.plan import Plan, Privacy, make_plan, public_examples
from guardapp.train.recipes import Name, Shape, choose, table_options
from guardapp.train.report import write_metrics, write_report
from guardapp.train.start import Start, Stop
from guardapp.train.state import Run, read_run, write_run
from guardapp.train.statement import NO_GUARANTEE, REHEARSAL, state

if TYPE_CHECKING:
    from guardapp.train.session import Session


class TrainSpec(Spec, kind="train"):
    """Train a model so that it discloses little about any row of its data."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, serialize_by_alias=True)
    resumable: ClassVar[bool] = True
    uses_torch: ClassVar[bool] = True

    data: DataSpec
    recipe: Name = Field("auto", description="Model and schedule; auto picks by the kind of data.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the model's architecture.")
    privacy: Privacy | None = Field(description="The guarantee; null trains without any, for comparison.")
    seed: int = Field(0, ge=0, le=2**63 - 1, description="Initialisation and split only; never noise or sampling.")
    batch: int | None = Field(None, ge=1, le=10**7, description="Expected examples in a step.")
    steps: int | None = Field(None, ge=1, le=10**6)
    clip: float | None = Field(None, gt=0, le=1e6, description="The norm that each row's gradient is clipped to.")
    learning_rate: float | None = Field(None, gt=0, le=1e6)
    max_examples: int | None = Field(None, ge=1, description="Expected rows of a training without privacy.")
    start: Start | None = Field(None, description="Go on from a trained model instead of from chance.")
    stop: Stop | None = Field(None, description="Stop early by public data; all planned steps are charged.")
    audit: Audit | None = Field(None, description="A rehearsal with made-up rows in the data, not for release.")
    method: Method = Field(default_factory=Method, description="Clipping, optimizer and noise, beyond the recipe.")

    @model_validator(mode="after")
    def _public_choices(self) -> TrainSpec:
        if self.data.part != "all":
            raise ValueError(
                "data.part is chosen by the training itself: it trains on one part and measures on the other"
            )
        if self.privacy is not None and self.data.limit is not None:
            raise ValueError("data.limit cannot be used with privacy: which rows are the first depends on the others")
        if self.privacy is not None and self.max_examples is not None:
            raise ValueError("max_examples belongs into privacy")
        if self.privacy is None and self.audit is not None:
            raise ValueError("audit needs privacy: without it there is no claim to refute")
        return self

    def overridden(self) -> tuple[str, ...]:
        """Settings of the recipe that the user chose otherwise."""
        named = tuple(name for name in ("options", "batch", "steps", "clip", "learning_rate") if getattr(self, name))
        return named + tuple(f"method.{name}" for name in self.method.chosen() if name != "generator")


class TrainResult(Result):
    """test_accuracy: on the held-back rows, None without any; epsilon, delta: None for a training without privacy;
    audit: what a rehearsal found (`guardapp.train.audit.verdict.Verdict`), None for any other training.
    """

    test_accuracy: float | None
    epsilon: float | None
    epsilon_replace_one: float | None
    delta: float | None
    noise_multiplier: float | None
    sample_rate: float
    steps: int
    clip: float | None
    seconds: float
    audit: dict[str, Any] | None = None


def run(spec: TrainSpec, out: Path, progress: Progress) -> TrainResult:
    """Load, plan, charge and train, then write model, metrics, statement and report into `out`."""
    started = time.perf_counter()
    with progress.stage("Reading the data"):
        data = load_dataset(spec.data)
    progress.checkpoint()
    held = held_back(data.digests, spec.data.test_fraction, spec.seed)
    if held.all():
        raise GuardError(
            "There is nothing to learn from", "every row was held back", "Choose a smaller test_fraction.", "data.empty"
        )
    with progress.stage("Planning"):
        current = _this_run(spec, data, progress)
    plan = current.plan
    _tell(plan, progress)
    session, model = _session(spec, data, held, current, progress)
    session.run()
    session.finish()
    with progress.stage("Writing"):
        accuracy = session.accuracy() if held.any() else None
        statement = state(
            plan,
            session.charged,
            derived=(*data.derived, "starting weights") if spec.start is not None else data.derived,
            overridden=spec.overridden(),
            held_fraction=spec.data.test_fraction,
            stopped_early=session.stopped_early,
            lost=session.lost,
            audit=_audited(spec, plan, session),
        )
        result = _result(spec, plan, session, accuracy, statement, time.perf_counter() - started)
        _write(spec, data, plan, session, model, result, statement, out, progress)
    if session.charge is not None:
        session.charge.close()
    return result


def _this_run(spec: TrainSpec, data: Dataset, progress: Progress) -> Run:
    """The run that was interrupted in the resume folder, if it is this one; else a new one, written down."""
    started = spec.start.digest() if spec.start is not None else ""
    name = hashlib.sha256((spec.model_dump_json(exclude={"name", "device"}) + started).encode()).hexdigest()
    folder = progress.resume_folder
    if folder is not None and (earlier := read_run(folder)) is not None:
        if earlier.spec == name and earlier.dataset == data.fingerprint:
            return earlier
        raise GuardError(
            "The training cannot go on",
            "its data or its settings are not those it was started with",
            "Put the data back as it was, or start a new training.",
            "train.changed",
        )
    if spec.privacy is not None:
        examples = public_examples(spec.privacy.max_examples, spec.data.test_fraction)
    else:
        examples = public_examples(spec.max_examples or len(data), spec.data.test_fraction)
    recipe = choose(
        _card(spec, data).architecture if spec.start is not None else spec.recipe,
        Shape(data.kind, examples, spec.privacy.epsilon if spec.privacy else None),
        batch=spec.batch,
        steps=spec.steps,
        clip=spec.clip,
        learning_rate=spec.learning_rate,
    )
    _options(spec, recipe.architecture, data)  # refuse bad options before the budget is touched
    _check_method(spec, recipe.architecture, data)
    plan = make_plan(
        recipe,
        examples,
        len(data.classes),
        spec.privacy,
        spec.method,
        clipped=spec.privacy is None and (spec.clip is not None or spec.method.clipping != "flat"),
    )
    current = Run(
        run=f"{spec.name or ('rehearsal' if spec.audit else 'training')} {uuid.uuid4().hex[:12]}",
        dataset=data.fingerprint,
        spec=name,
        plan=plan,
    )
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_run(folder, current)
    return current


def _check_method(spec: TrainSpec, architecture: str, data: Dataset) -> None:
    """Raise GuardError `train.method` when an option of the method cannot work here."""
    if spec.method.views > 1 and (data.kind != "image" or architecture != "cnn"):
        raise GuardError(
            "Several views of a row cannot be made here",
            "they are shifted images, and this recipe does not train on the images themselves",
            "Choose the recipe cnn for images, or leave method.views at 1.",
            "train.method",
        )
    if spec.method.clipping == "adaptive" and spec.privacy is None:
        raise GuardError(
            "The clipping norm cannot be adapted without privacy",
            "it follows a noisy count that only a private training makes",
            "Choose flat, per-layer or automatic clipping.",
            "train.method",
        )


def _card(spec: TrainSpec, data: Dataset) -> ModelCard:
    assert spec.start is not None
    return spec.start.card(data, spec.recipe, spec.data.label, options=bool(spec.options))


def _options(spec: TrainSpec, architecture: str, data: Dataset) -> dict[str, Any]:
    """The model's options: the recipe's, then the user's, then the architecture's own defaults.

    Of a model that the training starts from, its own.
    """
    if spec.start is not None:
        return complete_options(architecture, _card(spec, data).options, data.input_shape)
    numbers = []
    if data.schema is not None and spec.data.label is not None:
        inputs = data.schema.inputs(spec.data.label)
        numbers = [data.groups[name][0] for name, column in inputs.items() if isinstance(column, NumberColumn)]
    chosen = {**table_options(architecture, numbers), **spec.options}
    return complete_options(architecture, chosen, data.input_shape)


def _tell(plan: Plan, progress: Progress) -> None:
    """What the window shows before and beside the curves; public figures only."""
    progress.facts(
        private=plan.private,
        architecture=plan.architecture,
        steps=plan.steps,
        steps_per_epoch=plan.steps_per_epoch,
        epochs=plan.steps / plan.steps_per_epoch,
        batch=plan.batch,
        clip=plan.clip if plan.private or plan.clipped else None,
        sample_rate=plan.rate,
        noise_multiplier=plan.noise,
        delta=plan.delta,
        budget=plan.target,
        predicted_epsilon=plan.epsilons[-1] if plan.private else None,
        predicted_curve=[list(point) for point in zip(plan.ends, plan.epsilons, strict=False)],
    )


def _session(spec: TrainSpec, data: Dataset, held: Any, current: Run, progress: Progress) -> tuple[Session, Any]:
    """The model and everything that its training needs, on the chosen device."""
    import torch

    from guardapp.formats.device import choose_device, choose_threads
    from guardapp.train.admissible import check_admissible
    from guardapp.train.clipping import Clipper
    from guardapp.train.finetune import prepare
    from guardapp.train.session import Examples, Session, features_first, through_features
    from guardapp.vault.ledger import Ledger

    plan = current.plan
    device = choose_device(progress.device if progress.device != "auto" else spec.device)
    torch.manual_seed(spec.seed)
    options = _options(spec, plan.architecture, data)
    if spec.start is None:
        model = build(plan.architecture, options, data.input_shape, len(data.classes)).to(device)
    else:
        model = load_model(spec.start.model).module.train().to(device)
        prepare(model, len(data.classes), spec.start.train, spec.start.rank)
    check_admissible(model, data.input_shape)
    features, trained = features_first(model) if plan.method.views == 1 else (None, model)
    mask, y = torch.from_numpy(held), torch.from_numpy(data.y)
    inputs = [torch.from_numpy(data.x)[part] for part in (~mask, mask)]
    if features is not None:
        with progress.stage("Computing features", total=len(y)) as stage:
            inputs = [through_features(features.to("cpu"), x, stage.advance) for x in inputs]
            features.to(device)
    sample = torch.zeros(min(plan.batch, 64), *inputs[0].shape[1:], device=device)
    labels = torch.zeros(len(sample), dtype=torch.int64, device=device)
    if device == "cpu":
        trial = Clipper(trained)
        choose_threads(lambda: trial.sum(sample, labels, clip=1.0, loss_bound=1.0, physical=64))
    charge = None
    if plan.private:
        ledger = Ledger()
        source = spec.data.images or spec.data.table
        assert source is not None
        ledger.register(data.fingerprint, source.name)
        charge = Charge(ledger, current.run, current.dataset, plan)
        charge.check_room()
    private, witness = Examples(inputs[0].to(device), y[~mask].to(device)), None
    if spec.audit is not None:
        from guardapp.train.audit.rehearsal import witness_for

        witness = witness_for(spec.audit, trained, inputs[0], plan)
        private = Examples(*witness.beside(*private))
        progress.log("A rehearsal: made-up rows are among the data, so the model is not for release.", "warning")
    session = Session(
        plan,
        trained,
        private,
        Examples(inputs[1].to(device), y[mask].to(device)),
        progress,
        charge=charge,
        folder=progress.resume_folder,
        witness=witness,
    )
    if spec.stop is not None:
        from guardapp.train.stopping import PublicWatch

        public = spec.stop.load(data)
        shown = torch.from_numpy(public.x)
        if features is not None:
            shown = through_features(features.to("cpu"), shown, lambda _: progress.checkpoint())
            features.to(device)
        session.watch = PublicWatch(shown.to(device), torch.from_numpy(public.y).to(device), spec.stop.patience)
    return session, model


def _audited(spec: TrainSpec, plan: Plan, session: Session) -> dict[str, Any] | None:
    """What a rehearsal found, for the statement; None for any other training."""
    from guardapp.train.audit.rehearsal import found
    from guardapp.train.audit.witness import Witness

    if spec.audit is None or not isinstance(session.witness, Witness):
        return None
    return found(plan, session.charged, session.witness)


def _result(
    spec: TrainSpec,
    plan: Plan,
    session: Session,
    accuracy: float | None,
    statement: dict[str, Any],
    seconds: float,
) -> TrainResult:
    shown = f"{accuracy:.1%} accuracy" if accuracy is not None else "trained"
    epsilon = statement.get("epsilon")
    headline = f"ε = {epsilon:.2f} of {plan.target:g} · {shown}" if plan.private else f"no guarantee · {shown}"
    audit = statement.get("audit")
    if audit is not None:
        bound, said = audit["epsilon_at_least"], "passed" if audit["passed"] else "refutes the claim"
        headline = f"rehearsal · ε = {epsilon:.2f}, at least {bound:.2f} · audit {said}"
    return TrainResult(
        headline=headline,
        holds=audit is None or audit["passed"] or spec.audit is None or spec.audit.require == "nothing",
        audit=audit,
        test_accuracy=accuracy,
        epsilon=epsilon,
        epsilon_replace_one=statement.get("epsilon_replace_one"),
        delta=plan.delta,
        noise_multiplier=plan.noise,
        sample_rate=plan.rate,
        steps=session.charged,
        clip=plan.clip if plan.private else None,
        seconds=round(seconds, 3),
    )


def _write(
    spec: TrainSpec,
    data: Dataset,
    plan: Plan,
    session: Session,
    model: Any,
    result: TrainResult,
    statement: dict[str, Any],
    out: Path,
    progress: Progress,
) -> None:
    options = _options(spec, plan.architecture, data)
    card = ModelCard(
        architecture=plan.architecture,
        options=options,
        input=data.kind,
        input_shape=data.input_shape,
        classes=list(data.classes),
        encoding=data.schema,
        normalisation={"mean": float(options["mean"]), "scale": float(options["scale"])},
        guarantee=(
            REHEARSAL
            if spec.audit is not None
            else f"(ε = {result.epsilon:.4g}, δ = {result.delta:g}) differential privacy for one row, see "
            "statement.json."
            if plan.private
            else NO_GUARANTEE
        ),
    )
    if spec.start is not None:
        from guardapp.train.finetune import merge

        merge(model)
    weights, beside = save_model(model, card, out)
    write_metrics(out / "metrics.csv", session.history)
    (out / "statement.json").write_text(_json(statement), encoding="utf-8")
    summary = {**result.model_dump(exclude={"headline", "holds"}), "statement": statement}
    (out / "report.json").write_text(_json(summary), encoding="utf-8")
    source = spec.data.images or spec.data.table
    assert source is not None
    write_report(
        out / "report.html",
        title=spec.name or source.name,
        plan=plan,
        history=session.history,
        summary=summary,
        spec=spec.model_dump(mode="json", exclude_none=True),
    )
    for name, path in (("weights", weights), ("card", beside)):
        progress.artifact(name, path)
    for name, file in (("metrics", "metrics.csv"), ("statement", "statement.json"), ("report", "report.html")):
        progress.artifact(name, out / file)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


__all__ = ["TrainResult", "TrainSpec", "run"]
