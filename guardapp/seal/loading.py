"""Loading a sealed checkpoint into a model, as `torch.load` would, with no plaintext on the disk and no pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity

if TYPE_CHECKING:
    from torch import Tensor


def load_state_dict(path: Path, keys: Sequence[Identity], *, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a sealed checkpoint by name, on the CPU: all, or only `names`, each decrypted into its own memory.

    model.load_state_dict(load_state_dict(Path("model.sealed"), keys))

    GuardError: as `open_sealed`, checkpoint.not-a-checkpoint, and sealed.segment, which names what was hit.
    KeyError for a name that is not there.
    """
    with SealedFile(path, keys) as sealed:
        return {name: sealed.torch(name) for name in (sealed.tensors() if names is None else names)}
