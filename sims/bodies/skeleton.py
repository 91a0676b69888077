"""Names shared by baking and posing: the bones, the regions of the surface and the COCO joints. Data only.

The body frame: x forward, y to the left, z up, metres, origin on the floor under the middle of the hips.
"""

from __future__ import annotations

SIDES = ("L", "R")

_LIMBS = ("clavicle", "shoulder", "upperarm", "forearm", "wristroll", "hand", "thigh", "shin", "foot", "toes")

BONES: tuple[str, ...] = (
    "pelvis", "waist", "ribs", "chest", "neck", "head", *[f"{name}.{side}" for side in SIDES for name in _LIMBS],
)  # fmt: skip
"""``shoulder`` and ``upperarm`` share the shoulder joint: the first does not roll, the second does. ``wristroll`` turns
about the elbow with half the roll of the hand."""

BONE: dict[str, int] = {name: index for index, name in enumerate(BONES)}

BANDS = 5
"""Bands of the chest from the belt up, so that shirts may have stripes, yokes and prints with clean edges."""

REGIONS: tuple[str, ...] = (
    "face", "lips", "brows", "eyes", "pupils", "hair", "neck", *[f"chest_{n}" for n in range(BANDS)],
    *[f"front_{n}" for n in range(BANDS)], "hem", "hips", "sleeve_top", "sleeve_mid", "sleeve_low", "hand",
    "thigh_top", "thigh_low", "shin", "ankle", "shoe", "skirt", "long_hair", "bag", "strap",
)  # fmt: skip
"""Parts of the surface that clothes, skin and hair are coloured by."""

REGION: dict[str, int] = {name: index for index, name in enumerate(REGIONS)}

COCO_JOINTS: tuple[str, ...] = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

PARTS: tuple[str, ...] = ("body", "shoe", "skirt", "long_hair", "bag", "strap")
"""Pieces of the shared mesh; ``body`` and ``shoe`` are worn by all, the others by some."""
