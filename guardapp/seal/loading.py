"""Loading a sealed checkpoint into a model, as `torch.load` would, with no plaintext on the disk and no pickle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from guardapp.seal.reader import SealedFile
from guardapp.seal.recipients import Identity

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def load(
    path: Path | str, keys: Sequence[Identity], map_location: torch.device | str | None = None
) -> dict[str, Tensor]:
    """What `torch.load(path, map_location)` gives for the plain checkpoint: its tensors by name. Nothing is unpickled.

    map_location: the device that every tensor goes to as soon as it is decrypted; by default the CPU
    GuardError: as `load_state_dict`
    """
    return load_state_dict(Path(path), keys, map_location=map_location)


def load_state_dict(
    path: Path,
    keys: Sequence[Identity],
    *,
    names: Iterable[str] | None = None,
    map_location: torch.device | str | None = None,
) -> dict[str, Tensor]:
    """The tensors of a sealed checkpoint by name: all, or only `names`, each decrypted into its own memory.

    model.load_state_dict(load_state_dict(Path("model.sealed"), keys))

    GuardError: as `open_sealed`, checkpoint.not-a-checkpoint, and sealed.segment, which names what was hit.
    KeyError for a name that is not there.
    """
    with SealedFile(path, keys) as sealed:
        wanted = sealed.tensors() if names is None else names
        return {
            name: sealed.torch(name) if map_location is None else sealed.torch(name).to(map_location) for name in wanted
        }
