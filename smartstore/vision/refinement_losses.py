"""How wrong the refinement network's answer is: joints by what OKS makes of them, boxes by their overlap, scores by
whether the box was right.

In: places, shifts and logits of every member, as PyTorch tensors, and the rows they are for. Out: one loss.
"""

from typing import Any

import numpy as np

from smartstore.vision.precision import SIGMAS
from smartstore.vision.refinement import CROP_PX
from smartstore.vision.refinement_samples import Samples

FAR = 0.15
"""Weight of the logarithm that still pulls where the similarity is flat, far off."""
SIDES = 0.3
"""Weight of the sides' distances beside the overlap."""


def loss_of(answer: Any, rows: Samples) -> Any:
    """Sum over the members of the mean losses over rows."""
    import torch

    places, shifts, logits = answer
    known = torch.from_numpy(rows.known).float()
    somebody = known.any(dim=1)
    off = ((places - torch.from_numpy(rows.places)) * torch.from_numpy(CROP_PX)).square().sum(dim=3)
    per_joint = 2 * torch.from_numpy(rows.area_px)[:, None] * torch.from_numpy((2 * SIGMAS).astype(np.float32)) ** 2
    off = off / per_joint
    missed = ((1 - torch.exp(-off) + FAR * torch.log1p(off)) * known).sum(dim=2) / known.sum(dim=1).clamp(min=1)
    true = torch.from_numpy(rows.shifts)
    sides = (shifts - true).abs().clamp(max=1).mean(dim=2)
    wrong = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, torch.from_numpy(rows.right).expand_as(logits), reduction="none"
    )
    people = (missed * somebody).sum() + ((1 - _overlaps(shifts, true) + SIDES * sides) * somebody).sum()
    return people / somebody.sum().clamp(min=1) + wrong.sum() / len(rows.right)


def _overlaps(shifts: Any, true: Any) -> Any:
    """Intersection over union of boxes whose sides are shifted so from the unit square's."""
    import torch

    unit = torch.tensor([0.0, 0.0, 1.0, 1.0])
    one, other = shifts + unit, (true + unit).expand_as(shifts)
    corner = torch.maximum(one[..., :2], other[..., :2])
    shared = (torch.minimum(one[..., 2:], other[..., 2:]) - corner).clamp(min=0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0.01).prod(dim=-1) for box in (one, other)]
    return shared / (areas[0] + areas[1] - shared)
