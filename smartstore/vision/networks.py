"""The networks as PyTorch modules, and their way into OpenVINO files. Imported by training and its card only.

People: Ultralytics' YOLO11 at a quarter of its width with one class. Joints: a small U-shaped convolutional network
on crops of 112 × 144 pixels that gives, for each of 17 joints, logits over 28 × 36 cells and one logit for "can be
seen", and what it saw on a coarse grid. Refinement: some perceptrons side by side, whose mean counts, on the numbers of
:mod:`smartstore.vision.refinement` and on that grid.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smartstore.vision.detector import int8_file
from smartstore.vision.landmarks import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    FEATURE_CHANNELS,
    FEATURE_COLUMNS,
    FEATURE_ROWS,
    FEATURES,
)  # fmt: skip
from smartstore.vision.people import CANVAS_HEIGHT_PX, CANVAS_WIDTH_PX
from smartstore.vision.refinement import JOINT_NUMBERS, JOINTS_FROM, NUMBERS

JOINTS = 17
PEOPLE_SCALE = (0.5, 0.25, 1024)
"""Depth, width and most channels of the YOLO11 family's rule."""


def people_network() -> Any:
    """An untrained ``ultralytics.nn.tasks.DetectionModel`` for one class, 2.6 million parameters, with its own loss."""
    import ultralytics
    from ultralytics.cfg import get_cfg
    from ultralytics.nn.tasks import DetectionModel, yaml_model_load

    family = Path(ultralytics.__file__).parent / "cfg" / "models" / "11" / "yolo11.yaml"
    layout = yaml_model_load(str(family)) | {"scales": {"p": list(PEOPLE_SCALE)}, "scale": "p", "nc": 1}
    model: Any = DetectionModel(layout, ch=3, nc=1, verbose=False)
    model.args = get_cfg()
    return model


class LandmarkNet(nn.Module):
    """Down to an eighth of the cells' resolution and up again, with sums across: 1.2 million parameters."""

    def __init__(self, fine: int = 40, middle: int = 80, coarse: int = FEATURE_CHANNELS) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 24, 2), _conv(24, fine, 2))
        self.fine_in, self.fine_out = Residual(fine), Residual(fine)
        self.down1, self.middle_in, self.middle_out = _conv(fine, middle, 2), _blocks(middle, 2), Residual(middle)
        self.down2, self.bottom = _conv(middle, coarse, 2), _blocks(coarse, 2)
        self.up2, self.up1 = nn.Conv2d(coarse, middle, 1), nn.Conv2d(middle, fine, 1)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.heat = nn.Conv2d(fine, JOINTS, 1)
        grid = (FEATURE_ROWS, FEATURE_COLUMNS)
        self.seen = nn.Sequential(nn.AdaptiveAvgPool2d(grid), nn.Flatten(), nn.Linear(FEATURES, JOINTS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, 17, 36, 28) and (n, 17) and features (n, FEATURES) for crops (n, 3, 144, 112) in 0..1."""
        fine = self.fine_in(self.stem(crops))
        middle = self.middle_in(self.down1(fine))
        coarse = self.bottom(self.down2(middle))
        middle = self.middle_out(middle + self.grow(self.up2(coarse)))
        fine = self.fine_out(fine + self.grow(self.up1(middle)))
        features = self.seen[:2](coarse)
        return self.heat(fine), self.seen[2](features), features


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 1)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        return torch.relu(x + self.second(self.first(x)))


class RefinementNet(nn.Module):
    """Perceptrons with two hidden layers, for joints and for boxes apart: features help boxes, while joints are only
    learned by heart from them. Of each joint they say how far the peak is to be believed, and where it is else. Boxes
    are judged twice, with features and without: goods never seen before fool one or the other, hardly both.
    """

    def __init__(self, members: int = 3, hidden: int = 256, dropped: float = 0.4, neck: int = 64) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("spread", torch.ones(NUMBERS))
        self.register_buffer("feature_mean", torch.zeros(FEATURES))
        self.register_buffer("feature_spread", torch.ones(FEATURES))
        self.joints = nn.ModuleList(_perceptron(NUMBERS, hidden, JOINTS * 3, dropped) for _ in range(members))
        self.necks = nn.ModuleList(_layer(FEATURES, neck, 0.75 * dropped) for _ in range(members))
        self.boxes = nn.ModuleList(_perceptron(NUMBERS + neck, hidden, 5, dropped) for _ in range(members))
        self.blind = nn.ModuleList(_perceptron(NUMBERS, hidden, 5, dropped) for _ in range(members))

    def forward(self, given: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (m, n, 17, 2), shifts (2 m, n, 4) and logits (2 m, n) of every member for ``given`` (n, NUMBERS) and
        ``features`` (n, FEATURES); of boxes first by those that see features, then by those that do not.
        """
        scaled = ((given - self.mean) / self.spread).clamp(-6, 6)
        shown = ((features - self.feature_mean) / self.feature_spread).clamp(-6, 6)
        boxes = [box(torch.cat([scaled, neck(shown)], dim=1)) for box, neck in zip(self.boxes, self.necks, strict=True)]
        sides = torch.stack(boxes + [box(scaled) for box in self.blind])
        told = given[:, JOINTS_FROM:].reshape(-1, JOINTS, JOINT_NUMBERS)
        joints = torch.stack([joint(scaled) for joint in self.joints]).reshape(len(boxes), -1, JOINTS, 3)
        doubt = torch.sigmoid(joints[..., 2:] - 2) * (1 - told[:, :, 7:]).clamp(0, 1)
        places = told[:, :, :2] * (1 - doubt) + (told[:, :, 2:4] + joints[..., :2]) * doubt
        return places, sides[:, :, :4], sides[:, :, 4]


class RefinementForUse(nn.Module):
    """The refinement network for export: numbers and features of any number of people in, the members' mean out. A box
    is as probable as those believe who believe less, the members with features or those without.
    """

    def __init__(self, network: RefinementNet) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, given: Tensor, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (n, 17, 2), shifts (n, 4) and probabilities (n,)."""
        places, shifts, logits = self.network(given, features)
        right = torch.sigmoid(logits).reshape(2, -1, logits.shape[1]).mean(dim=1).amin(dim=0)
        return places.mean(dim=0), shifts.mean(dim=0), right


class PeopleFromBytes(nn.Module):
    """The people network for export: canvases (1, height, width, 3) of bytes in, their sides any multiples of 32; raw
    boxes (1, 5, n) out.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        network.eval()
        network.model[-1].export = True
        network.model[-1].format = "openvino"
        network.model[-1].dynamic = True
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        """Boxes as centre and size in canvas pixels, and scores."""
        answer: Tensor = self.network(picture.permute(0, 3, 1, 2).float() / 255)
        return answer


class LandmarksFromBytes(nn.Module):
    """The landmark network for export: crops (1, 144, 112, 3) of bytes in, probabilities and features out."""

    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities per cell (1, 17, 36, 28) and of being seen (1, 17), and features (1, FEATURES)."""
        heat, seen, features = self.network(crops.permute(0, 3, 1, 2).float() / 255)
        return torch.softmax(heat.flatten(2), dim=2).reshape(heat.shape), torch.sigmoid(seen), features


def export_people(network: Any, path: Path) -> None:
    """Writes the people network as OpenVINO IR for canvases of any size (weights in fp16 on disk, computed in fp32)."""
    traced = torch.zeros((1, CANVAS_HEIGHT_PX, CANVAS_WIDTH_PX, 3), dtype=torch.uint8)
    _export(PeopleFromBytes(network), [traced], [(1, -1, -1, 3)], path)


def export_landmarks(network: LandmarkNet, path: Path) -> None:
    """Writes the landmark network as OpenVINO IR (weights in fp16 on disk, computed in fp32)."""
    shape = (1, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3)
    _export(LandmarksFromBytes(network), [torch.zeros(shape, dtype=torch.uint8)], [shape], path)


def export_refinement(network: RefinementNet, path: Path) -> None:
    """Writes the refinement network as OpenVINO IR for any number of people (weights in fp16 on disk)."""
    traced = [torch.zeros(2, count) for count in (NUMBERS, FEATURES)]
    _export(RefinementForUse(network), traced, [(-1, NUMBERS), (-1, FEATURES)], path)


def _export(module: nn.Module, examples: list[Tensor], shapes: list[tuple[int, ...]], path: Path) -> None:
    import openvino as ov

    kinds = [ov.Type.u8 if example.dtype is torch.uint8 else ov.Type.f32 for example in examples]
    inputs = [(list(shape), kind) for shape, kind in zip(shapes, kinds, strict=True)]
    with torch.no_grad():
        module(*examples)
        model = ov.convert_model(module, example_input=tuple(examples), input=inputs)
    path.parent.mkdir(parents=True, exist_ok=True)
    former = int8_file(path)  # it is of another network, and would be taken for this one's
    for file in (former, former.with_suffix(".bin")):
        file.unlink(missing_ok=True)
    ov.save_model(model, str(path), compress_to_fp16=True)


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _perceptron(inputs: int, hidden: int, outputs: int, dropped: float) -> nn.Sequential:
    last = nn.Linear(hidden, outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(_layer(inputs, hidden, dropped), _layer(hidden, hidden, dropped), last)


def _layer(inputs: int, outputs: int, dropped: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.SiLU(), nn.Dropout(dropped))


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))
