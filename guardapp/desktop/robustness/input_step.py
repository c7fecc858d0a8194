"""Input: which model is checked, and on which examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from guardapp.desktop.kit import (
    Button,
    Card,
    Choice,
    Combo,
    ErrorCard,
    Field,
    FileField,
    Icon,
    Label,
    NumberField,
    Segmented,
    TextField,
    row,
)
from guardapp.desktop.page import Services
from guardapp.desktop.theme import tokens
from guardapp.errors import GuardError

TRAINING, WEIGHTS = 0, 1
IMAGES, TABLE = 0, 1
_FROM_CARD = ""
_ARCHITECTURES = ("logistic", "mlp", "cnn", "features-linear", "scattering-linear", "wide-resnet")
_WEIGHT_FILES = "Weights (*.safetensors);;All files (*)"
_TABLES = "Tables (*.csv *.tsv *.txt *.csv.gz *.parquet);;All files (*)"
_SCHEMAS = "Schemas (*.yaml *.yml);;All files (*)"


class Training(NamedTuple):
    """A finished training of the queue. name: for people; headline: what came of it"""

    id: str
    name: str
    folder: Path
    headline: str


class InputStep(QWidget):
    """changed(): something is different; training_picked(id): its data are wanted; sample(): the sample is wanted."""

    changed = Signal()
    training_picked = Signal(str)
    sample = Signal()

    PARTS: ClassVar[tuple[Choice, ...]] = (Choice("test", "the held-back rows only"), Choice("all", "all rows"))
    PARTS_TITLE: ClassVar[str] = "Rows to use"
    SPLIT: ClassVar[str] = "test"
    """The part that share and seed of a split belong to."""

    SAMPLE: ClassVar[tuple[str, str]] = (
        "Queues two jobs: it trains the sample model on bundled pictures of digits, then checks it. All of it is "
        "computed here, nothing is prepared.",
        "Chooses the sample model that you have trained, and the bundled pictures that it held back.",
    )
    """What the sample does: where a model has to be trained first, and where there is one."""

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._services = services
        self._trainings: list[Training] = []
        self._extra: dict[str, Any] = {}
        self._options: dict[str, Any] = {}
        self.error = ErrorCard()
        self.error.hide()
        columns = QHBoxLayout()
        columns.setSpacing(tokens.space(4))
        columns.addWidget(self._model_card(), 1)
        columns.addWidget(self._data_card(), 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(tokens.space(4))
        whole.addWidget(self.error)
        whole.addLayout(columns)
        whole.addWidget(self._sample_card())
        whole.addStretch(1)
        self._show_parts()

    # -- building --------------------------------------------------------------------------------------------------

    def _model_card(self) -> Card:
        card = Card("Model")
        self.source = Segmented(["A finished training", "A file of weights"], "Where the model comes from")
        self.source.changed.connect(self._switched)
        self.training = Combo("Finished training")
        self.training.picked.connect(self.training_picked)
        self.training.picked.connect(lambda _: self._say_training())
        self._no_training = Label("No training has finished yet.", "body", "text", wrap=True)
        step = "Train a model under Private training first, choose a file of weights, or begin with the sample below."
        self._no_training_step = Label(step, "small", "muted", wrap=True)
        self.to_training = Button("Go to Private training", icon="ph.chart-line-up", compact=True)
        self.to_training.clicked.connect(lambda: self._services.show_page("training"))
        self._training_field = Field("Training", self.training)
        self._headline = Label("", "small", "muted", wrap=True)
        self.weights = FileField("Weights", self._choose("Choose the weights…", _WEIGHT_FILES), "ph.package")
        self.weights.chosen.connect(lambda _: self.changed.emit())
        choices = [Choice(_FROM_CARD, "as the card beside it says"), *(Choice(name, name) for name in _ARCHITECTURES)]
        self.architecture = Combo("Architecture", choices)
        self.architecture.picked.connect(lambda _: self.changed.emit())
        self._weights_field = Field("Weights (safetensors)", self.weights)
        note = "A card is the model.json that a training of guardapp writes. Other files need the name."
        self._architecture_field = Field("Architecture", self.architecture, note)
        card.body.setSpacing(tokens.space(3))
        card.body.addLayout(row(self.source, None))
        for widget in (self._training_field, self._headline, self._no_training, self._no_training_step):
            card.body.addWidget(widget)
        self._to_training = QWidget()
        self._to_training.setLayout(row(self.to_training, None))
        card.body.addWidget(self._to_training)
        card.body.addWidget(self._weights_field)
        card.body.addWidget(self._architecture_field)
        card.body.addStretch(1)
        return card

    def _data_card(self) -> Card:
        card = Card("Examples")
        self.kind = Segmented(["Images", "A table"], "Kind of examples")
        self.kind.changed.connect(self._switched)
        self.images = FileField("Images", self._choose("Choose images…"), "ph.image")
        self.labels = FileField("Labels", self._choose("Choose labels…"), "ph.tag")
        self.folder = Button("Choose a folder of pictures…", "link", compact=True)
        self.folder.clicked.connect(self._choose_folder)
        self.table = FileField("Table", self._choose("Choose a table…", _TABLES), "ph.table")
        self.label = TextField("Column to predict")
        self.schema = FileField("Schema", self._choose("Choose the schema…", _SCHEMAS), "ph.list-bullets")
        self.part = Combo(self.PARTS_TITLE, self.PARTS)
        self.part.picked.connect(self._switched)
        self.fraction = NumberField("Held-back share", 0.1, low=0.01, high=0.9)
        self.seed = NumberField("Seed of the split", 0, low=0, high=2**63 - 1, whole=True)
        for field in (self.images, self.labels, self.table, self.schema):
            field.chosen.connect(lambda _: self.changed.emit())
        for text in (self.label, self.fraction, self.seed):
            text.textChanged.connect(lambda _: self.changed.emit())
        self._images_field = Field("Images (IDX, NPZ or a folder)", self.images)
        self._labels_field = Field("Labels", self.labels, "Only where they are in a file of their own.")
        self._table_field = Field("Table", self.table)
        self._label_field = Field("Column to predict", self.label)
        self._schema_field = Field("Schema", self.schema, "Only where the model has no card.")
        self._fraction_field = Field("Held-back share", self.fraction)
        self._seed_field = Field("Seed of the split", self.seed)
        self._split = QWidget()
        self._split.setLayout(row(self._fraction_field, self._seed_field, gap=16))
        self._preset = row(Icon("ph.check-circle", "success"), gap=8)
        self._preset_line = Label("", "small", "muted", wrap=True)
        self._preset.addWidget(self._preset_line, 1)
        self._preset_holder = QWidget()
        self._preset_holder.setLayout(self._preset)
        card.body.setSpacing(tokens.space(3))
        card.body.addLayout(row(self.kind, None, self.folder))
        for widget in (self._images_field, self._labels_field, self._table_field, self._label_field):
            card.body.addWidget(widget)
        card.body.addWidget(self._schema_field)
        card.body.addWidget(Field(self.PARTS_TITLE, self.part))
        card.body.addWidget(self._split)
        card.body.addWidget(self._preset_holder)
        card.body.addStretch(1)
        self._preset_holder.hide()
        return card

    def _sample_card(self) -> Card:
        card = Card()
        self.try_sample = Button("Open sample", icon="ph.flask")
        self.try_sample.clicked.connect(self.sample)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(Label("Try with sample data", "strong"))
        self._sample_note = Label(self.SAMPLE[0], "small", "muted", wrap=True)
        texts.addWidget(self._sample_note)
        line = QHBoxLayout()
        line.setSpacing(tokens.space(4))
        line.addLayout(texts, 1)
        line.addWidget(self.try_sample)
        card.body.addLayout(line)
        return card

    def _choose(self, title: str, filters: str = "") -> Callable[[Callable[[Path], None]], None]:
        return lambda then: self._services.choose_file(then, title, filters)

    def _choose_folder(self) -> None:
        def take(path: Path) -> None:
            self.images.set_path(path)
            self.changed.emit()

        self._services.choose_file(take, "Choose a folder of pictures…", folder=True)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _switched(self, _: object = None) -> None:
        self._show_parts()
        self.changed.emit()

    def _show_parts(self) -> None:
        training, images = self.source.index == TRAINING, self.kind.index == IMAGES
        some = bool(self._trainings)
        shown: list[tuple[bool, tuple[QWidget, ...]]] = [
            (training and some, (self._training_field, self._headline)),
            (training and not some, (self._no_training, self._no_training_step, self._to_training)),
            (not training, (self._weights_field, self._architecture_field)),
            (images, (self._images_field, self._labels_field, self.folder)),
            (not images, (self._table_field, self._label_field, self._schema_field)),
        ]
        for on, widgets in shown:
            for widget in widgets:
                widget.setVisible(on)
        self._split.setVisible(self.part.value == self.SPLIT)

    def show_trainings(self, trainings: Sequence[Training], *, can_train: bool, sample_ready: bool) -> None:
        """can_train: there is a page to go to; sample_ready: a model of the sample is among them."""
        self._trainings = list(trainings)
        kept = self.training.value
        none = Choice("", "Choose a training…")
        choices = [none, *(Choice(one.id, one.name, "ph.chart-line-up") for one in trainings)]
        self.training.set_choices(choices, kept)
        self.to_training.setVisible(can_train)
        self._sample_note.say(self.SAMPLE[1 if sample_ready else 0])
        self._say_training()
        self._show_parts()

    def _say_training(self) -> None:
        found = self.picked
        self._headline.say(found.headline) if found else self._headline.put("")

    @property
    def picked(self) -> Training | None:
        return next((one for one in self._trainings if one.id == self.training.value), None)

    @property
    def document_begun(self) -> bool:
        """Whether anything has been chosen."""
        return any((self.picked, self.weights.path, self.images.path, self.table.path))

    def show_error(self, error: GuardError | None) -> None:
        if error is None:
            self.error.hide()
        else:
            self.error.show_error(error)

    # -- the document ----------------------------------------------------------------------------------------------

    def why_not(self) -> str:
        """What is missing (an English key), or nothing."""
        if self.source.index == TRAINING and self.picked is None:
            return "Choose the model: a finished training, or a file of weights."
        if self.source.index == WEIGHTS and self.weights.path is None:
            return "Choose the file of weights."
        if self.kind.index == IMAGES and self.images.path is None:
            return "Choose the images that the model is checked on."
        if self.kind.index == TABLE and (self.table.path is None or not self.label.text().strip()):
            return "Choose the table, and write the column that the model predicts."
        if self.part.value == self.SPLIT and (self.fraction.value is None or self.seed.value is None):
            return "Correct the held-back share and the seed of the split."
        return ""

    def document(self) -> dict[str, Any]:
        """`model` and `data` of the spec; only when `why_not` is silent."""
        picked = self.picked
        if self.source.index == TRAINING and picked is not None:
            model: dict[str, Any] = {"job": str(picked.folder)}
        else:
            model = {"weights": str(self.weights.path)}
            if self.architecture.value:
                model |= {"architecture": self.architecture.value, "options": self._options}
        data: dict[str, Any] = {"part": self.part.value}
        if self.kind.index == IMAGES:
            data |= {"images": str(self.images.path), **self._extra}
            if self.labels.path is not None:
                data["labels"] = str(self.labels.path)
        else:
            data |= {"table": str(self.table.path), "label": self.label.text().strip()}
            if self.schema.path is not None:
                data["schema"] = str(self.schema.path)
        if self.part.value == self.SPLIT:
            data |= {"test_fraction": self.fraction.value, "split_seed": self.seed.value}
        return {"model": model, "data": data}

    def show_data(self, data: Mapping[str, Any], preset: str = "") -> None:
        """Fill in the examples; `preset` names the training that they come from, which held them back."""
        images = data.get("images")
        self.kind.set_index(IMAGES if images else TABLE)
        for field, name in (
            (self.images, "images"),
            (self.labels, "labels"),
            (self.table, "table"),
            (self.schema, "schema"),
        ):
            field.set_path(Path(data[name]) if data.get(name) else None)
        self._extra = {"classes": data["classes"]} if images and data.get("classes") else {}
        self.label.setText(str(data.get("label") or ""))
        self.part.set_value(str(data.get("part", "test")) if data.get("part") != "train" else "all")
        self.fraction.set_value(float(data.get("test_fraction", 0.1)))
        self.seed.set_value(int(data.get("split_seed", 0)))
        self._preset_holder.setVisible(bool(preset))
        if preset:
            self._preset_line.say("Rows that {name} held back: the model has never seen them.", name=preset)
        self._show_parts()
        self.changed.emit()

    def show_model(self, model: Mapping[str, Any]) -> None:
        """Fill in the model of an earlier check."""
        job = model.get("job")
        found = next((one for one in self._trainings if job and one.folder == Path(str(job))), None)
        if job and found is None:
            # a training that is no longer in the queue is named by its weights, whose card lies beside them
            self.source.set_index(WEIGHTS)
            self.weights.set_path(Path(str(job)) / "model.safetensors")
        elif found is not None:
            self.source.set_index(TRAINING)
            self.training.set_value(found.id)
        else:
            self.source.set_index(WEIGHTS)
            self.weights.set_path(Path(str(model["weights"])))
            self.architecture.set_value(str(model.get("architecture") or _FROM_CARD))
            self._options = dict(model.get("options") or {})
        self._say_training()
        self._show_parts()
        self.changed.emit()
