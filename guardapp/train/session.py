"""The training loop: charge a block, take its steps, keep the state, and show what may be shown."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from guardapp.errors import GuardError
from guardapp.progress import Paused, Progress
from guardapp.train.charge import EXHAUSTED, Charge
from guardapp.train.clipping import ClippedSum, Clipper, example_loss
from guardapp.train.noise import private_random
from guardapp.train.optimizers import Average, Optimizer
from guardapp.train.plan import Plan
from guardapp.train.release import adapted, noisy_mean, noisy_number
from guardapp.train.state import Saved, read_state, write_state
from guardapp.train.stopping import PublicWatch
from guardapp.train.views import shifted

PHYSICAL = {"cnn": 256, "wide-resnet": 64}
DEFAULT_PHYSICAL = 4096
FEATURED = 200
"""Examples in memory at a time, in training and while fixed features are computed. Small chunks of convolutions stay
in the cache (measured: 256 is best on CPUs)."""
MEASUREMENTS = 25
"""How often the held-back rows are measured during a run; with at most `MEASURED_ROWS` of them until the end."""
MEASURED_ROWS = 2000
MOST_ROWS = 5000
"""Of metrics.csv; longer runs keep every second, third … step."""


class Examples(NamedTuple):
    """x: (n, …) float32, y: (n,) int64, both on the device of the model."""

    x: Tensor
    y: Tensor


class Witness(Protocol):
    """Who sees what every step releases, as an audit's attacker does."""

    def before(self) -> None: ...
    def saw(self, released: list[Tensor]) -> None: ...


@dataclass
class Session:
    """One run of a plan.

    model:  what is trained (of a model with fixed features, only what comes after them)
    train:  the private rows; held: the held-back rows, which no guarantee covers
    charge: the account; None for a run without privacy
    folder: where the state is kept; None if it cannot be resumed
    watch:  public examples that say when to stop; None to take every step
    witness: the attacker of a rehearsal, whose canaries are among `train`
    """

    plan: Plan
    model: nn.Module
    train: Examples
    held: Examples
    progress: Progress
    charge: Charge | None = None
    folder: Path | None = None
    watch: PublicWatch | None = None
    witness: Witness | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    charged: int = 0
    """Steps that are charged: those taken, and those lost in a crash. For a run without privacy, steps taken."""
    stopped_early: str = ""
    lost: int = 0
    """Steps that are charged but whose work a crash threw away."""

    def __post_init__(self) -> None:
        self._parameters = [p for p in self.model.parameters() if p.requires_grad]
        weights, method = [p.data for p in self._parameters], self.plan.method
        self._optimizer = Optimizer(
            self.plan.optimizer,
            weights,
            weight_decay=method.weight_decay,
            noise_correction=method.noise_correction,
        )
        self._average = Average(method.averaging, weights) if method.averaging is not None else None
        self._clipper = Clipper(self.model, self._loss, style=method.style)
        self._clip = self.plan.clip
        self._random = private_random(method.generator)
        self._physical = PHYSICAL.get(self.plan.architecture, DEFAULT_PHYSICAL)
        self._position = 0
        self._stride = math.ceil(self.plan.steps / MOST_ROWS)
        self._seconds = 0.0
        self._steps_timed = 0

    def run(self) -> None:
        """Take every step that is still allowed. Raises Paused once the state is safe, Stopped when asked to stop."""
        self._restore()
        plan = self.plan
        with self.progress.stage("Training", total=plan.steps) as stage:
            self._measure_first()
            stage.reach(self._position)
            while (end := self._next_block()) is not None:
                if not self._reserve(end):
                    return
                while self._position < end:
                    self._one_step()
                    stage.reach(self._position)
                    if self.progress.pause_wanted and self.folder is not None:
                        self._keep(unused=end - self._position)
                        raise Paused
                if self._measurement_due(end):
                    self._measure(MEASURED_ROWS)
                enough = self._enough()
                self._keep(unused=0)
                if self.charge is not None:
                    self.charge.commit(end)
                if enough and end < plan.steps:
                    self._stop_early()
                    return

    def finish(self) -> None:
        """Give the model the weights that are kept: the average, or the best on public data, where asked for."""
        if self._average is not None:
            self._average.settle()
            self._average = None
        if self.watch is not None:
            self.watch.settle([p.data for p in self._parameters])

    def _enough(self) -> bool:
        """Whether the loss on the public examples no longer falls."""
        if self.watch is None:
            return False
        with self._averaged():
            return self.watch.look(self.model, [p.data for p in self._parameters])

    def _stop_early(self) -> None:
        """Take no further steps, but charge them: when a run stops is decided by private rows too."""
        steps = self.plan.steps
        at = f"the loss on public data no longer fell after step {self._position}"
        if self.plan.private:
            if not self._reserve(steps):
                raise GuardError(
                    "The training cannot stop early",
                    "the budget of the dataset has no room left for its planned steps, all of which are charged",
                    "Ask the dataset's owner to set a larger budget, then start again.",
                    EXHAUSTED,
                    answer="no",
                )
            if self.charge is not None:
                self.charge.commit(steps)
            self._position = steps
            at += "; all planned steps are charged, because when a run stops depends on its rows"
        self._keep(unused=0)
        self.stopped_early = at
        self.progress.log("Training ends early: the loss on the public data no longer falls.")

    def accuracy(self) -> float:
        """On all held-back rows; nan if there are none."""
        return self._held_figures(len(self.held.y))[1]

    def _next_block(self) -> int | None:
        """The end of the block to work on: the charged one while it is unfinished, else the next."""
        return self.charged if self._position < self.charged else self.plan.block_after(self.charged)

    def _reserve(self, end: int) -> bool:
        """Charge up to `end`; False when the budget, which another run may have drawn on, has no room left."""
        if self.charge is not None and end > self.charged:
            try:
                self.charge.reserve(end)
            except GuardError as error:
                if error.code != EXHAUSTED or self._position == 0:
                    raise
                self.stopped_early = "the budget of the dataset has no room for more steps"
                self.progress.log(
                    "Training ends early: the budget of the dataset has no room for more steps.", "warning"
                )
                return False
        self.charged = end
        if self.plan.private:
            self.progress.metric("epsilon", end, self.plan.epsilon_at(end))
        return True

    def _restore(self) -> None:
        """Go on where the weights are; what is charged and not known to be untaken counts as gone."""
        saved = read_state(self.folder) if self.folder is not None else None
        if saved is not None:
            for index, parameter in enumerate(self._parameters):
                parameter.data.copy_(saved.tensors[f"weight.{index}"])
            self._optimizer.restore(saved.tensors)
            self._clip = float(saved.tensors.get("clip", self._clip))
            if self._average is not None:
                self._average.restore(saved.tensors)
            if self.watch is not None:
                self.watch.restore(saved.tensors, [p.data for p in self._parameters])
            self.history, self.lost = saved.history, saved.lost
        self.charged = self.charge.reserved if self.charge is not None else (saved.steps if saved else 0)
        self._position = self.charged
        if saved is None or saved.steps + saved.unused != self.charged:
            self.lost += self.charged - (saved.steps if saved else 0)
        elif saved.unused:
            self._position = saved.steps
            # from here on these steps may be taken, so a later crash must not find them marked as untaken
            self._keep(unused=0, steps=self.charged)

    def _keep(self, *, unused: int, steps: int | None = None) -> None:
        if self.folder is None:
            return
        tensors = {f"weight.{index}": p.data for index, p in enumerate(self._parameters)}
        tensors |= self._optimizer.state() | {"clip": torch.tensor(self._clip, dtype=torch.float64)}
        if self._average is not None:
            tensors |= self._average.state()
        if self.watch is not None:
            tensors |= self.watch.state()
        where = self._position if steps is None else steps
        write_state(self.folder, Saved(tensors, where, unused, self.lost, self.history))

    def _one_step(self) -> None:
        started = time.perf_counter()
        if self.witness is not None:
            self.witness.before()
        chosen = torch.from_numpy(self._random.poisson_sample(len(self.train.y), self.plan.rate)).to(
            self.train.y.device
        )
        x, y = self.train.x[chosen], self.train.y[chosen]
        x = shifted(x, self.plan.method.views)
        deviation = self._deviation / self.plan.divisor if self.plan.private else 0.0
        gradients, loss = self._private_mean(x, y) if self.plan.private else self._plain_mean(x, y)
        if self.witness is not None:
            self.witness.saw(gradients)
        rate = self.plan.learning_rate * self.plan.method.rate_at(self._position / self.plan.steps)
        self._optimizer.step(gradients, rate, deviation=deviation)
        self._position += 1
        if self._average is not None:
            self._average.update(self._position)
        self._seconds += time.perf_counter() - started
        self._steps_timed += 1
        self.progress.metric("loss", self._position, loss)
        if self._position % self._stride == 0 or self._position == self.plan.steps:
            self._row(training_loss=loss)

    @property
    def _deviation(self) -> float:
        """Of the noise on the summed gradients, with the clipping norm as it is now."""
        return self.plan.mechanism.gradient_noise * self._clip

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(logits, y, reduction="none", label_smoothing=self.plan.method.label_smoothing)

    def _private_mean(self, x: Tensor, y: Tensor) -> tuple[list[Tensor], float]:
        """The noisy clipped sums over the public divisor; a step without examples gets noise as well."""
        plan, mechanism = self.plan, self.plan.mechanism
        total = self._within_memory(x, y)
        gradients = noisy_mean(self._random, total.gradients, deviation=self._deviation, divisor=plan.divisor)
        loss = noisy_number(self._random, total.loss, mechanism.loss_noise * plan.loss_bound)
        if mechanism.counted:
            short = noisy_number(self._random, total.short, mechanism.count_noise / 2)
            self._clip = adapted(self._clip, short, plan.divisor)
        return gradients, loss / plan.divisor

    def _within_memory(self, x: Tensor, y: Tensor) -> ClippedSum:
        """The clipped sum; when the device's memory is full, in chunks of half the size, from the same sample."""
        while True:
            try:
                return self._clipper.sum(
                    x,
                    y,
                    clip=self._clip,
                    loss_bound=self.plan.loss_bound,
                    physical=self._physical,
                    views=self.plan.method.views,
                )
            except torch.OutOfMemoryError:
                if self._physical == 1:
                    raise GuardError(
                        "The device's memory is full",
                        "not even one example fits beside the model",
                        "Choose a smaller model, or train on the CPU.",
                        "train.memory",
                    ) from None
                self._physical //= 2
                torch.cuda.empty_cache()
                self.progress.log(f"The device's memory is full: going on with {self._physical} examples at a time.")

    def _plain_mean(self, x: Tensor, y: Tensor) -> tuple[list[Tensor], float]:
        """Ordinary training, for comparison: no noise and no guarantee, and clipping only where it was asked for."""
        total = [torch.zeros_like(p) for p in self._parameters]
        if not len(y):
            return total, 0.0
        if self.plan.clipped:
            clipped = self._within_memory(x, y)
            return [one / len(y) for one in clipped.gradients], clipped.loss / len(y)
        loss = 0.0
        views = self.plan.method.views
        for start in range(0, len(y), self._physical):
            part = slice(start, start + self._physical)
            logits = self.model(x[start * views : (start + self._physical) * views])
            value = self._loss(logits, y[part].repeat_interleave(views)).sum() / len(x)
            for into, gradient in zip(total, torch.autograd.grad(value, self._parameters), strict=True):
                into += gradient
            loss += float(value.detach())
        return total, loss

    def _measurement_due(self, end: int) -> bool:
        every = math.ceil(len(self.plan.ends) / MEASUREMENTS)
        return self.plan.ends.index(end) % every == every - 1 or end == self.plan.steps

    def _measure_first(self) -> None:
        if not self.history:
            self._measure(MEASURED_ROWS)

    def _measure(self, rows: int) -> None:
        if not len(self.held.y):
            return
        loss, accuracy = self._held_figures(rows)
        self.progress.metric("validation", self._position, loss)
        self.progress.metric("accuracy", self._position, accuracy)
        self._row(validation_loss=loss, validation_accuracy=accuracy)
        if self._steps_timed:
            # the expected number of examples, a public figure: how many there really were is private
            speed = self._steps_timed * self.plan.batch / max(self._seconds, 1e-9)
            self.progress.facts(examples_per_second=round(speed), accuracy=round(accuracy, 4))

    @torch.no_grad()
    def _held_figures(self, rows: int) -> tuple[float, float]:
        """Mean loss and accuracy on the first `rows` held-back rows."""
        if not len(self.held.y):
            return math.nan, math.nan
        loss, right = 0.0, 0
        rows = min(rows, len(self.held.y))
        with self._averaged():
            self.model.eval()
            for start in range(0, rows, 1000):
                part = slice(start, min(start + 1000, rows))
                logits = self.model(self.held.x[part])
                loss += float(example_loss(logits, self.held.y[part]).sum())
                right += int((logits.argmax(1) == self.held.y[part]).sum())
            self.model.train()
        return loss / rows, right / rows

    def _averaged(self) -> AbstractContextManager[None]:
        """The model holds its average weights inside the `with`, if it has any."""
        return nullcontext() if self._average is None else self._average.in_place()

    def _row(self, **figures: float) -> None:
        """Figures of one step, for metrics.csv."""
        if not self.history or self.history[-1]["step"] != self._position:
            epsilon = self.plan.epsilon_at(self.charged) if self.plan.private else math.nan
            epoch = self._position / self.plan.steps_per_epoch
            self.history.append({"step": self._position, "epoch": epoch, "epsilon": epsilon})
        self.history[-1].update({name: value for name, value in figures.items() if math.isfinite(value)})


def features_first(model: nn.Module) -> tuple[nn.Module | None, nn.Module]:
    """(fixed features, what is trained after them); (None, model) for a model without such a split.

    Fixed are features without weights, and all that stands before the only layer that is trained.
    """
    features, head = getattr(model, "features", None), getattr(model, "head", None)
    if isinstance(features, nn.Module) and isinstance(head, nn.Module) and not list(features.parameters()):
        return features, head
    if isinstance(model, nn.Sequential):
        before, last = model[:-1], model[-1]
        weights = list(before.parameters())
        if weights and not any(weight.requires_grad for weight in weights):
            return before, last
    return None, model


@torch.no_grad()
def through_features(features: nn.Module, x: Tensor, advance: Callable[[int], None]) -> Tensor:
    """The fixed features of every row, computed once; `advance` is told of each piece.

    They are written into one tensor as they come: there may be many times as many as there are pixels.
    """
    first = features(x[:1])
    out = torch.empty(len(x), *first.shape[1:], dtype=first.dtype, device=first.device)
    for start in range(0, len(x), FEATURED):
        part = x[start : start + FEATURED]
        out[start : start + FEATURED] = features(part)
        advance(len(part))
    return out
