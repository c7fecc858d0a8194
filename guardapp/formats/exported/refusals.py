"""How a model file that is not ours is refused."""

from __future__ import annotations

from guardapp.errors import GuardError

HOW_TO_EXPORT = (
    "Export it again with torch.export.export(model.eval(), (x,), dynamic_shapes=({0: torch.export.Dim.AUTO},)), where "
    "x is a batch of two or more, or name the architecture and give the weights as safetensors."
)


def refuse(name: str, why: str, code: str) -> GuardError:
    """name: of the file; why: half a sentence; code: the part after `model.`"""
    return GuardError(f"{name} cannot be used as a model", why, HOW_TO_EXPORT, f"model.{code}")
