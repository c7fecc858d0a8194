"""What each self-check looks for and why it matters, in a window of its own that blocks nothing."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

from guardapp.desktop.i18n import say
from guardapp.desktop.kit import Label
from guardapp.desktop.theme import tokens

INTRODUCTION = (
    "A high figure under attack can have two reasons: the model resists, or the attack does not work on it. "
    "Every check therefore doubts itself before it reports. One red flag, and the figure is not to be trusted."
)

EXPLANATIONS = {
    "answers-only": (
        "The attack saw answers alone",
        "Without scores an attack feels its way along the border of a class. It is what a stranger at a service can "
        "do; whoever has the model itself finds nearer mistakes.",
    ),
    "random-outputs": (
        "The model answers at random",
        "The same example twice must give the same scores. Where dropout or noise is left on, an attack follows a "
        "direction that is different a moment later, and looks weaker than it is.",
    ),
    "batch-dependence": (
        "Answers depend on the other examples of a batch",
        "Batch normalisation in training mode mixes the examples of a batch. Then the model that is attacked is not "
        "the model that is used, and no figure holds for a single example.",
    ),
    "masked-gradients": (
        "Masked gradients",
        "Most attacks follow the gradient. Rounding, saturation or a cut in the computation can set it to zero: the "
        "attack stands still, and the model seems robust although a small change still fools it.",
    ),
    "search-beats-gradient": (
        "A search without gradients finds more",
        "Whoever sees the gradient knows more than whoever does not. If blind search breaks what the gradient attacks "
        "left standing, then the gradients mislead, and the true figure is lower still.",
    ),
    "single-step-beats-iterative": (
        "One step finds what many steps miss",
        "Many small steps contain the single large one. If they find less, the surface that they climb is rugged and "
        "the attack loses its way.",
    ),
    "unlimited-strength": (
        "Unlimited strength does not break the model",
        "Whoever may choose every value freely can make any example look like another class. If the model still "
        "stays right, the attack is what fails.",
    ),
    "constant-answer": (
        "The model always gives the same answer",
        "A model that never changes its answer cannot be fooled, and is of no use either.",
    ),
    "unconfirmed": (
        "Some mistakes did not repeat",
        "Every mistake is measured again by a part that shares nothing with the attacks. What does not repeat is not "
        "counted; much of it means that the model or the computer does not compute the same twice.",
    ),
    "zero-strength": (
        "An attack of strength 0 changes answers",
        "Where nothing may change, no answer may change. If one does, the check itself is at fault.",
    ),
    "not-monotone": (
        "A stronger attack does less harm",
        "Whoever may change more can do everything that a weaker attacker can. If a fresh strong attack misses what "
        "the weak one broke, the attacks are too short for this model.",
    ),
    "not-converged": (
        "More restarts still help",
        "The last restart should find next to nothing. If it still breaks examples, a longer search would find more, "
        "so the true figure is lower.",
    ),
    "probabilities": (
        "The model answers with probabilities",
        "Attacks need the scores before the last softmax. Behind it the gradient fades where the model is sure of "
        "itself, and attacks look weaker than they are.",
    ),
    "few-examples": (
        "Few examples",
        "The band around the curve says how far the figure may be off. With few examples it is too wide to tell two "
        "models apart.",
    ),
    "not-held": (
        "Stored mistakes do not hold",
        "At the end every stored example is measured once more: its distance, its range and the model's answer. What "
        "does not hold then cannot be verified by anybody else either.",
    ),
    "training-mode": (
        "Parts of the model stay in training mode",
        "Dropout and batch normalisation behave differently in training. A part that ignores the switch makes the "
        "model that is checked another one than the model that is used.",
    ),
    "gradients-at-inference": (
        "The model optimises while it answers",
        "Such a model moves each input before it answers. Attacks look through it only in part, and published defences "
        "of this kind lost most of their robustness when they were attacked as a whole.",
    ),
    "double-softmax": (
        "Softmax was applied twice",
        "The second softmax squeezes sure answers together, so that every gradient becomes small and confidence says "
        "nothing. It is nearly always a mistake in the export.",
    ),
    "large-scores": (
        "The scores are very large",
        "Scores far apart saturate the softmax inside cross-entropy, and its gradient becomes exactly zero. Attacks on "
        "the margin of two scores are not fooled by that.",
    ),
    "misleading-gradients": (
        "Gradients mislead",
        "A gradient promises that a short step along it changes the scores. Where it does not, the model contains "
        "steps or selections, and attacks that follow the gradient lose their way.",
    ),
    "normalisation": (
        "The inputs are normalised twice or not at all",
        "If the model is right much more often on inputs with another normalisation, then it is not given what it was "
        "trained on, and the strength of an attack does not mean what it says.",
    ),
    "class-count": (
        "Some classes have no example",
        "A figure over examples of some classes says nothing about the others, and a model with more classes than the "
        "data can make mistakes that are not in the labels.",
    ),
    "noise-beats-attack": (
        "Random noise finds what attacks miss",
        "Noise knows nothing about the model. If it finds mistakes where all attacks found none, the attacks do not "
        "work.",
    ),
    "labels-beat-attack": (
        "An attack that sees answers alone finds more",
        "It uses neither gradients nor scores, only the answer. Whoever sees more should find more; if not, scores and "
        "gradients hide something.",
    ),
    "transfer-beats-attack": (
        "What fools a copy fools the model",
        "A small network learns the model's answers and is attacked in its place. If that finds mistakes that the "
        "attacks on the model itself missed, the model's own gradients mislead.",
    ),
    "longer-climb": (
        "A longer climb still finds more",
        "An attack has converged when more steps find nothing new. As long as they do, the figure is too high.",
    ),
    "certified-above-attacked": (
        "More is proved than is true",
        "A proof bounds the truth from below, an attack from above. If they cross, one of them is wrong.",
    ),
    "no-better-than-guessing": (
        "The model is hardly better than guessing",
        "Robustness is a share of right answers under attack. Where few are right to begin with there is little to "
        "lose, and the figure says nothing.",
    ),
}


def explain(parent: QWidget, flag: str = "") -> QDialog:
    """Open the window, at one flag where it is named."""
    window = QDialog(parent.window())
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    say(window, "What the flags mean", into="setWindowTitle")
    window.resize(tokens.width("details") + 2 * tokens.space(5), 560)
    content = QWidget()
    content.setProperty("k", "scrolled")
    texts = QVBoxLayout(content)
    texts.setContentsMargins(24, 24, 24, 24)
    texts.setSpacing(tokens.space(2))
    texts.addWidget(Label(INTRODUCTION, "body", wrap=True))
    sought: QWidget | None = None
    for name, (title, text) in EXPLANATIONS.items():
        texts.addSpacing(tokens.space(2))
        head = Label(title, "strong", "accentText" if name == flag else "text", wrap=True)
        texts.addWidget(head)
        texts.addWidget(Label(text, "body", "muted", wrap=True))
        sought = head if name == flag else sought
    texts.addStretch(1)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.viewport().setAutoFillBackground(False)
    area.setWidget(content)
    content.setAutoFillBackground(False)
    whole = QVBoxLayout(window)
    whole.setContentsMargins(0, 0, 0, 0)
    whole.addWidget(area)
    window.show()
    if sought is not None:
        place = sought
        # heights of wrapped lines are known after the first layout
        QTimer.singleShot(0, window, lambda: area.verticalScrollBar().setValue(place.y() - 24))
    return window
