"""Starts a wider people network from a trained narrower one, so that what was learned is not learned again.

In: the weights of a narrow network and an untrained network of a whole multiple of its width. Out: weights with which
the wide network answers as the narrow one does (Net2Net, Chen, Goodfellow and Shlens, 2016): every channel is copied
next to itself and what reads it shares its weight among the copies. A little noise lets the copies part in training.
"""

from typing import Any

import torch
from torch import Tensor

HEADS_OUT, HEADS_IN = (".attn.qkv.", ".attn.pe."), (".attn.proj.", ".attn.pe.")
"""Attention is widened by more heads, so there a copy stands a whole head further on, not next to its original."""


def widened(narrow: dict[str, Tensor], network: Any, noise: float = 0.0, seed: int = 0) -> dict[str, Tensor]:
    """Weights for ``network`` that make it answer as ``narrow`` did; ``noise`` is relative to each weight's spread.

    Raises ``ValueError`` where a width is no whole multiple.
    """
    chance = torch.Generator().manual_seed(seed)
    wide = {}
    for name, blank in network.state_dict().items():
        value = narrow[name]
        if value.shape != blank.shape:
            value = _copied(name, value, tuple(blank.shape))
            if value.ndim == 4 and noise:
                value = value + noise * value.std() * torch.randn(value.shape, generator=chance)
        wide[name] = value.clone()
    return wide


def _copied(name: str, value: Tensor, shape: tuple[int, ...]) -> Tensor:
    times = [new // old for new, old in zip(shape, value.shape, strict=True)]
    if any(old * n != new for old, n, new in zip(value.shape, times, shape, strict=True)):
        raise ValueError(f"{name}: {tuple(value.shape)} cannot be widened to {shape}; choose a whole multiple")
    value = _along(value, 0, times[0], heads=any(part in name for part in HEADS_OUT))
    if value.ndim == 4:
        value = _along(value, 1, times[1], heads=any(part in name for part in HEADS_IN)) / times[1]
    return value


def _along(value: Tensor, axis: int, times: int, heads: bool) -> Tensor:
    if heads:
        return value.repeat(*(times if i == axis else 1 for i in range(value.ndim)))
    return value.repeat_interleave(times, dim=axis)
