"""Telling a model's weights from everything else that people save with them, and what kind of thing that is.

Only tensors that belong to the model are kept: what is not known to be one is taken out, whatever it is called. The
kinds are for the person who reads the list, and decide nothing but for the few names of tensors that hold data.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from guardapp.formats.state_dicts import WEIGHTS
from guardapp.seal.strip_words import Kind

if TYPE_CHECKING:
    from torch import Tensor

Format = Literal["safetensors", "torch"]
Keys = tuple[str, ...]

DEEPEST: Final = 32

_BY_NAME: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("random", re.compile(r"rng|random_?state|seed|generator_state")),
    ("optimizer", re.compile(r"optim|^opt$|exp_avg|momentum_buffer|param_groups|^amp$|scaler|adam|master_params")),
    ("hyper", re.compile(r"hyper_?param|hparams|^args$|arguments|config|^cfg$|^opts?$|options|settings|namespace")),
    (
        "loop",
        re.compile(
            r"epoch|step|iter|^loops?$|sched|callback|best_|^loss|metric|history|early_?stop|monitor|progress|elapsed"
            r"|version|accuracy|fit_loop|checkpoint_state"
        ),
    ),
    (
        "data",
        re.compile(r"dataset|dataloader|sample|example|batch|inputs?$|images?$|labels?$|corpus|vocab|replay|queue"),
    ),
)
_DATA_TENSOR: Final = re.compile(
    r"(?:.*[._])?(?:(?:train|training|sample|example)_(?:data|images?|inputs?|labels?|targets?|texts?|batch)"
    r"|(?:sample|example)s|queue(?:_ptr|_labels)?|memory_bank|replay_buffer|dataset)"
)
"""Names of tensors inside a state dict that hold examples, or features of them, and no weights."""
_NOT_MODEL: Final = re.compile(
    r"optim\w*|opt|\w*sched\w*|\w*scaler|(?:\w+_)?(?:rng|random)(?:_states?)?|(?:\w+_)?seed|loops|callbacks"
    r"|hyper_?param\w*|hparams|args|config|(?:train_|eval_)?(?:dataset|samples?|examples?|batch|inputs?|images?|labels?)"
    r"|replay\w*|(?:current_|last_|best_)?(?:epoch|loss|metrics?|acc|accuracy)|(?:global_|train_)?(?:step|iteration)s?"
)
"""Names beside a model's tensors, where those have no name of their own for all."""
_PERSON: Final = re.compile(
    r"(?:^|_)(?:user(?:_?name)?|login|host(?:_?name)?|node(?:_?name)?|machine|author|creator|owner|e?mail|contact)$"
)
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PATH: Final = re.compile(
    r"(?:[A-Za-z]:)?(?:~|\.{1,2})?[\\/](?:[^\\/\n]+[\\/]?)+|\\\\.+|(?:[\w.-]+/){2,}[\w.-]+|[a-z][a-z0-9+]*://\S+"
)


class Leaf(NamedTuple):
    """Something that is no weight. nbytes: about what it takes."""

    keys: Keys
    kind: Kind
    nbytes: int


class Parts(NamedTuple):
    """A checkpoint taken apart.

    weights: the model's tensors in the order and nesting in which they were saved, nothing else
    tensors: the same by dotted name; what they are called in safetensors
    removed: every leaf that is not among them
    """

    weights: Any
    tensors: dict[str, Tensor]
    removed: list[Leaf]


def take_apart(content: Any, *, drop: Sequence[str] = (), keep: Sequence[str] = ()) -> Parts:
    """`content` is what torch.load returned. drop, keep: patterns of tensor names, such as `*.queue`; keep wins."""
    import torch

    removed: list[Leaf] = []
    home: Keys = ()
    if isinstance(content, Mapping):
        name = next((name for name in WEIGHTS if _holds_tensors(content.get(name))), None)
        if name is not None:
            for key, value in content.items():
                if key != name:
                    removed += _leaves(value, (str(key),))
            home, content = (name,), content[name]
    elif isinstance(content, torch.Tensor):
        content = {"tensor": content}
    tensors: dict[str, Tensor] = {}
    kept = _prune(content, (), home, tensors, removed, _Choice(drop, keep))
    return Parts({home[0]: kept} if home else kept, tensors, removed)


class _Choice:
    """Which tensors inside a state dict stay."""

    def __init__(self, drop: Sequence[str], keep: Sequence[str]) -> None:
        self._drop, self._keep = drop, keep

    def stays(self, name: str) -> bool:
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in self._keep):
            return True
        return not _DATA_TENSOR.fullmatch(name) and not any(fnmatch.fnmatchcase(name, one) for one in self._drop)


def _prune(value: Any, keys: Keys, home: Keys, tensors: dict[str, Tensor], removed: list[Leaf], choice: _Choice) -> Any:
    """`value` with nothing but kept tensors in it; None where there are none."""
    import torch

    if isinstance(value, torch.Tensor):
        name = ".".join(keys)
        if _not_weights(keys, home) or not choice.stays(name) or name in tensors:
            removed.append(Leaf((*home, *keys), _kind_of((*home, *keys), value), value.nbytes))
            return None
        tensors[name] = value.detach()
        return tensors[name]
    if len(keys) > DEEPEST:
        removed.append(Leaf((*home, *keys), "other", 0))
    elif isinstance(value, Mapping):
        kept = {}
        for key, inner in value.items():
            found = _prune(inner, (*keys, str(key)), home, tensors, removed, choice)
            if found is not None:
                kept[key] = found
        return kept or None
    elif isinstance(value, list | tuple):
        items = [_prune(inner, (*keys, str(at)), home, tensors, removed, choice) for at, inner in enumerate(value)]
        return [item for item in items if item is not None] or None
    else:
        removed += _leaves(value, (*home, *keys))
    return None


def _not_weights(keys: Keys, home: Keys) -> bool:
    """Whether a tensor lies under a name that says that it is none of the model's; not asked inside a state dict."""
    return not home and bool(keys) and _NOT_MODEL.fullmatch(keys[0].lower()) is not None


def _holds_tensors(value: Any, depth: int = 0) -> bool:
    import torch

    if isinstance(value, Mapping) and depth < DEEPEST:
        return any(isinstance(one, torch.Tensor) or _holds_tensors(one, depth + 1) for one in value.values())
    return False


def _leaves(value: Any, keys: Keys) -> Iterator[Leaf]:
    """Every leaf under something that is taken out."""
    import torch

    inner: Iterator[tuple[str, Any]] | None = None
    if len(keys) <= DEEPEST and not isinstance(value, torch.Tensor):
        if isinstance(value, Mapping):
            inner = ((str(key), one) for key, one in value.items())
        elif isinstance(value, list | tuple | set | frozenset):
            inner = ((str(at), one) for at, one in enumerate(value))
        elif hasattr(value, "__dict__") and not isinstance(value, type):
            inner = iter(vars(value).items())
    if inner is None:
        yield Leaf(keys, _kind_of(keys, value), _size(value))
        return
    for key, one in inner:
        yield from _leaves(one, (*keys, key))


def kind_of_text(key: str, text: str) -> Kind:
    """What a text tells, by the name that it goes under and by itself."""
    if _PERSON.search(key.lower()) or _MAIL.search(text):
        return "person"
    if _PATH.fullmatch(text.strip()):
        return "path"
    return "text"


def _kind_of(keys: Keys, value: Any) -> Kind:
    if isinstance(value, PurePath):
        return "path"
    if isinstance(value, str):
        kind = kind_of_text(keys[-1] if keys else "", value)
        if kind != "text":
            return kind
    for key in keys:
        for kind, pattern in _BY_NAME:
            if pattern.search(key.lower()):
                return kind
    return (
        "text"
        if isinstance(value, str)
        else "data"
        if hasattr(value, "nbytes") or isinstance(value, bytes)
        else "other"
    )


def _size(value: Any) -> int:
    if isinstance(value, str | bytes | bytearray):
        return len(value)
    return int(getattr(value, "nbytes", 8))


def behind_views(tensors: Mapping[str, Tensor]) -> int:
    """Bytes of the storages of these tensors that none of them shows: torch saves a storage whole."""
    stored: dict[int, int] = {}
    shown: dict[int, int] = {}
    for tensor in tensors.values():
        if tensor.device.type == "meta" or not tensor.numel():
            continue
        storage = tensor.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes()
        shown[storage.data_ptr()] = shown.get(storage.data_ptr(), 0) + tensor.nbytes
    return sum(max(0, nbytes - shown[place]) for place, nbytes in stored.items())


def text_leaf(keys: Keys, text: str) -> Leaf:
    """A text of a file's metadata."""
    return Leaf(keys, _kind_of(keys, text), len(text))
