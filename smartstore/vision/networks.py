"""The networks as PyTorch modules, and their way into OpenVINO files. Imported by training and its card only.

People: Ultralytics' YOLO11 at a quarter of its width with one class. Joints: a small U-shaped convolutional network
on crops of 112 × 144 pixels that gives, for each of 17 joints, logits over 28 × 36 cells and one logit for "can be
seen". Refinement: some perceptrons side by side, whose mean counts, on the numbers of
:mod:`smartstore.vision.refinement`.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smartstore.vision.detector import int8_file
from smartstore.vision.landmarks import CROP_HEIGHT_PX, CROP_WIDTH_PX
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

    def __init__(self, fine: int = 40, middle: int = 80, coarse: int = 136) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 24, 2), _conv(24, fine, 2))
        self.fine_in, self.fine_out = Residual(fine), Residual(fine)
        self.down1, self.middle_in, self.middle_out = _conv(fine, middle, 2), _blocks(middle, 2), Residual(middle)
        self.down2, self.bottom = _conv(middle, coarse, 2), _blocks(coarse, 2)
        self.up2, self.up1 = nn.Conv2d(coarse, middle, 1), nn.Conv2d(middle, fine, 1)
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")
        self.heat = nn.Conv2d(fine, JOINTS, 1)
        self.seen = nn.Sequential(nn.AdaptiveAvgPool2d((4, 3)), nn.Flatten(), nn.Linear(coarse * 12, JOINTS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, 17, 36, 28) and (n, 17) for crops (n, 3, 144, 112) in 0..1."""
        fine = self.fine_in(self.stem(crops))
        middle = self.middle_in(self.down1(fine))
        coarse = self.bottom(self.down2(middle))
        middle = self.middle_out(middle + self.grow(self.up2(coarse)))
        fine = self.fine_out(fine + self.grow(self.up1(middle)))
        return self.heat(fine), self.seen(coarse)


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
    """Perceptrons with two hidden layers. Of each joint they say how far the peak is to be believed, and where it is
    else.
    """

    def __init__(self, members: int = 3, hidden: int = 256, dropped: float = 0.4) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(NUMBERS))
        self.register_buffer("spread", torch.ones(NUMBERS))
        self.members = nn.ModuleList(_perceptron(NUMBERS, hidden, JOINTS * 3 + 5, dropped) for _ in range(members))

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (m, n, 17, 2), shifts (m, n, 4) and logits (m, n) of every member for ``given`` (n, NUMBERS)."""
        scaled = ((given - self.mean) / self.spread).clamp(-6, 6)
        answers = torch.stack([member(scaled) for member in self.members])
        told = given[:, JOINTS_FROM:].reshape(-1, JOINTS, JOINT_NUMBERS)
        joints = answers[:, :, : JOINTS * 3].reshape(len(self.members), -1, JOINTS, 3)
        doubt = torch.sigmoid(joints[..., 2:] - 2) * (1 - told[:, :, 7:]).clamp(0, 1)
        places = told[:, :, :2] * (1 - doubt) + (told[:, :, 2:4] + joints[..., :2]) * doubt
        return places, answers[:, :, -5:-1], answers[:, :, -1]


class RefinementForUse(nn.Module):
    """The refinement network for export: numbers of any number of people in, the members' mean out."""

    def __init__(self, network: RefinementNet) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Places (n, 17, 2), shifts (n, 4) and probabilities (n,)."""
        places, shifts, logits = self.network(given)
        return places.mean(dim=0), shifts.mean(dim=0), torch.sigmoid(logits).mean(dim=0)


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
    """The landmark network for export: crops (1, 144, 112, 3) of bytes in, probabilities out."""

    def __init__(self, network: LandmarkNet) -> None:
        super().__init__()
        self.network = network.eval()

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities per cell (1, 17, 36, 28) and of being seen (1, 17)."""
        heat, seen = self.network(crops.permute(0, 3, 1, 2).float() / 255)
        return torch.softmax(heat.flatten(2), dim=2).reshape(heat.shape), torch.sigmoid(seen)


def export_people(network: Any, path: Path) -> None:
    """Writes the people network as OpenVINO IR for canvases of any size (weights in fp16 on disk, computed in fp32)."""
    _export(PeopleFromBytes(network), (1, CANVAS_HEIGHT_PX, CANVAS_WIDTH_PX, 3), (1, -1, -1, 3), path)


def export_landmarks(network: LandmarkNet, path: Path) -> None:
    """Writes the landmark network as OpenVINO IR (weights in fp16 on disk, computed in fp32)."""
    shape = (1, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3)
    _export(LandmarksFromBytes(network), shape, shape, path)


def export_refinement(network: RefinementNet, path: Path) -> None:
    """Writes the refinement network as OpenVINO IR for any number of people (weights in fp16 on disk)."""
    _export(RefinementForUse(network), (2, NUMBERS), (-1, NUMBERS), path, torch.float32)


def _export(
    module: nn.Module, traced: tuple[int, ...], shape: tuple[int, ...], path: Path, kind: torch.dtype = torch.uint8
) -> None:
    import openvino as ov

    example = torch.zeros(traced, dtype=kind)
    number = ov.Type.u8 if kind is torch.uint8 else ov.Type.f32
    with torch.no_grad():
        module(example)
        model = ov.convert_model(module, example_input=example, input=[(list(shape), number)])
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
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.SiLU(), nn.Dropout(dropped),
        nn.Linear(hidden, hidden), nn.SiLU(), nn.Dropout(dropped), last,
    )  # fmt: skip


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels) for _ in range(count)))
