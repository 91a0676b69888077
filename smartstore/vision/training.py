"""Trains the networks on labelled sets, resumes where an earlier run stopped, and exports them to OpenVINO.

In: folders with ``train.json`` and ``val.json`` (see :mod:`smartstore.vision.labels`). Out: checkpoints
(``people.pt``, ``landmarks.pt``, ``refinement.pt``) in a run folder after every epoch, and OpenVINO files in a model
folder. Everything random comes from one seed.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartstore.vision import augment
from smartstore.vision.labels import LabelledPicture, LabelsError, read_labels

Log = Callable[[str], None]
LossOf = Callable[[Any, NDArray[np.intp], np.random.Generator], Any]
"""Loss of a network on the chosen samples, which are varied by the generator."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and how fast to learn; the schedule is a short warm-up and a cosine down to a fiftieth."""

    epochs: int
    batch: int
    rate: float
    weight_decay: float = 0.01
    warm_up_steps: int = 150
    averaged_over_steps: float = 400.0
    """Time constant of the moving average of the weights, which is what is exported."""
    seed: int = 0
    threads: int = 2

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step of ``steps``."""
        if step < self.warm_up_steps:
            return self.rate * (step + 1) / self.warm_up_steps
        share = (step - self.warm_up_steps) / max(1, steps - self.warm_up_steps)
        return self.rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


PEOPLE = Recipe(epochs=28, batch=8, rate=0.003)
LANDMARKS = Recipe(epochs=28, batch=32, rate=0.003)
REFINEMENT = Recipe(epochs=50, batch=256, rate=0.0015, weight_decay=0.1)
FIRST, SECOND = ("people", "landmarks"), ("refinement",)
"""The networks that see pictures, and the one that learns from what they say."""
EXPORTED = ".xml"
"""Suffix of an exported network, whose weights can be begun with, too."""
ROWS = "refinement-samples"
"""Where in the run folder the rows lie that it learns from."""
NOISE = 0.05
"""Standard deviation of what is added to the refinement network's numbers, in theirs."""
MEASURED = 8000
"""Rows from which the usual size of its features is read."""


def train_people(
    datasets: Sequence[Path], out: Path, recipe: Recipe = PEOPLE, log: Log = print, start: Path | None = None
) -> Path:
    """Trains the people network; returns the checkpoint ``out/people.pt``. Goes on from it where it exists, or begins
    with the weights of ``start``: a checkpoint, whose network may be narrower, or an exported network (``.xml``).
    """
    import torch

    from smartstore.vision.networks import people_network
    from smartstore.vision.widening import widened

    pictures = _pictures(datasets)
    samples = [augment.box_sample(picture) for picture in pictures]

    def step(model: Any, chosen: NDArray[np.intp], rng: np.random.Generator) -> Any:
        examples = [augment.box_example(samples[i], rng) for i in chosen]
        boxes = [torch.from_numpy(b) for _, b in examples]
        which = torch.cat([torch.full((len(b),), float(i)) for i, b in enumerate(boxes)])
        pictures = _batch([p for p, _ in examples])
        batch = {"img": pictures, "batch_idx": which, "cls": torch.zeros(len(which), 1), "bboxes": torch.cat(boxes)}
        loss, _ = model.loss(batch)
        return loss.sum() / len(examples)

    model = _seeded(recipe, people_network)
    if start is not None and start.suffix == EXPORTED:
        _revive(model, start, lambda i, rng: augment.box_example(samples[i], rng)[0], len(samples), 48)
    elif start is not None:
        model.load_state_dict(widened(_load(start)["averaged"], model, noise=0.02, seed=recipe.seed))
    return _train(model, step, augment.picture_weights(pictures), out / "people.pt", recipe, log)


def train_landmarks(
    datasets: Sequence[Path], out: Path, recipe: Recipe = LANDMARKS, log: Log = print, start: Path | None = None
) -> Path:
    """Trains the landmark network; returns the checkpoint ``out/landmarks.pt``. Goes on from it where it exists, or
    begins with the weights of ``start``: a checkpoint or an exported network (``.xml``).
    """
    import torch

    from smartstore.vision.networks import LandmarkNet

    samples = [sample for picture in _pictures(datasets) for sample in augment.joint_samples(picture)]
    log(f"{len(samples)} crops")

    def step(model: Any, chosen: NDArray[np.intp], rng: np.random.Generator) -> Any:
        examples = [augment.joint_example(samples[i], rng) for i in chosen]
        heat, weights, seen = map(torch.from_numpy, augment.joint_targets(np.stack([j for _, j in examples])))
        logits, sight, _ = model(_batch([c for c, _ in examples]))
        missed = -(heat * torch.log_softmax(logits.flatten(2), dim=2).reshape(heat.shape)).sum(dim=(2, 3))
        places = (missed * weights).sum() / weights.sum().clamp(min=1)
        return places + 0.5 * torch.nn.functional.binary_cross_entropy_with_logits(sight, seen)

    model = _seeded(recipe, LandmarkNet)
    if start is not None and start.suffix == EXPORTED:
        _revive(model, start, lambda i, rng: augment.joint_example(samples[i], rng)[0], len(samples), 600)
    elif start is not None:
        model.load_state_dict(_load(start)["averaged"])
    return _train(model, step, np.ones(len(samples)), out / "landmarks.pt", recipe, log)


def train_refinement(
    datasets: Sequence[Path], out: Path, models: Path, recipe: Recipe = REFINEMENT, log: Log = print
) -> Path:
    """Trains the refinement network on what the exported networks under ``models`` say of pictures; returns the
    checkpoint ``out/refinement.pt``, from which it goes on where it exists. The pictures have to be others than those
    that the networks were trained on, of which they know more than of any others.
    """
    import torch

    from smartstore.vision import refinement_samples
    from smartstore.vision.networks import RefinementNet
    from smartstore.vision.refinement_losses import loss_of

    rows = refinement_samples.samples(_pictures(datasets), models, out / ROWS, log)
    log(f"{len(rows.given)} boxes, {int(rows.right.sum())} of them right")
    model = _seeded(recipe, RefinementNet)
    spread = rows.given.std(axis=0) + 1e-3
    model.mean.copy_(torch.from_numpy(rows.given.mean(axis=0)))
    model.spread.copy_(torch.from_numpy(spread))
    shown = rows.features[:MEASURED, 0].astype(np.float32)
    model.feature_mean.copy_(torch.from_numpy(shown.mean(axis=0)))
    model.feature_spread.copy_(torch.from_numpy(shown.std(axis=0) + 1e-2))

    def step(model: Any, chosen: NDArray[np.intp], rng: np.random.Generator) -> Any:
        some = refinement_samples.mirrored(rows.some(chosen), rng.random(len(chosen)) < 0.5)
        noise = (NOISE * spread * rng.standard_normal(some.given.shape)).astype(np.float32)
        features = torch.from_numpy(some.features[:, 0].astype(np.float32))
        return loss_of(model(torch.from_numpy(some.given + noise), features), some)

    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return _train(model, step, np.ones(len(rows.given)), out / "refinement.pt", recipe, log)


def export(run: Path, models: Path, names: Sequence[str] = FIRST + SECOND) -> None:
    """Writes the checkpoints of a run folder as ``people.xml``, ``landmarks.xml`` and ``refinement.xml`` under
    ``models``, as far as they are there and named.
    """
    from smartstore.vision import networks

    for name, build, write in (
        ("people", networks.people_network, networks.export_people),
        ("landmarks", networks.LandmarkNet, networks.export_landmarks),
        ("refinement", networks.RefinementNet, networks.export_refinement),
    ):
        checkpoint = run / f"{name}.pt"
        if name in names and checkpoint.exists():
            network: Any = build()
            network.load_state_dict(_load(checkpoint)["averaged"])
            write(network, models / f"{name}.xml")


def refinement_rows(run: Path) -> dict[str, int]:
    """How many boxes the refinement network of a run folder learned from, and how many of them are right."""
    right = [np.load(file)["right"] for file in sorted((run / ROWS).glob("*.npz"))]
    return {"rows": sum(map(len, right)), "right": int(sum(part.sum() for part in right))}


def epochs_done(checkpoint: Path) -> int:
    """How many epochs a checkpoint has seen; 0 where there is none."""
    return int(_load(checkpoint)["epochs"]) if checkpoint.exists() else 0


def _train(
    model: Any, loss_of: LossOf, weights: NDArray[np.float64], checkpoint: Path, recipe: Recipe, log: Log
) -> Path:
    """The loop that both networks share: AdamW, clipped gradients, averaged weights, a checkpoint per epoch.

    A sample comes up as often as its weight says, once an epoch in the mean.
    """
    import torch

    torch.set_num_threads(recipe.threads)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.rate)
    averaged = {name: value.clone() for name, value in model.state_dict().items()}
    first = 0
    if checkpoint.exists():
        state = _load(checkpoint)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        averaged, first = state["averaged"], int(state["epochs"])
        log(f"going on from {checkpoint} after epoch {first}")
    per_epoch = max(1, len(weights) // recipe.batch)
    for epoch in range(first, recipe.epochs):
        model.train()
        rng = np.random.default_rng([recipe.seed, epoch])
        total = 0.0
        for number, chosen in enumerate(_batches(weights, recipe.batch, rng)):
            done = epoch * per_epoch + number
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate_at(done, recipe.epochs * per_epoch)
            loss = loss_of(model, chosen, rng)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 10.0)
            optimiser.step()
            _average(averaged, model, done, recipe.averaged_over_steps)
            total += float(loss.detach())
            if number % 50 == 49:
                log(f"epoch {epoch + 1}/{recipe.epochs} step {number + 1}/{per_epoch} loss {total / (number + 1):.3f}")
        _save(
            checkpoint,
            {
                "model": model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "averaged": averaged,
                "epochs": epoch + 1,
            },
        )
        log(f"epoch {epoch + 1}/{recipe.epochs} done, loss {total / per_epoch:.3f}")
    return checkpoint


def _average(averaged: dict[str, Any], model: Any, step: int, over_steps: float) -> None:
    """Moves the averaged weights towards the model's; faster at the start, when there is little to remember."""
    keep = min(1 - 1 / over_steps, (1 + step) / (10 + step))
    for name, value in model.state_dict().items():
        if value.dtype.is_floating_point:
            averaged[name].mul_(keep).add_(value.detach(), alpha=1 - keep)
        else:
            averaged[name].copy_(value)


def _batches(weights: NDArray[np.float64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Numbers of samples, ``size`` at a time: every sample as often as its share of the weights, rounded by chance."""
    wanted = weights / weights.sum() * len(weights)
    often = np.floor(wanted + rng.random(len(weights))).astype(int)
    order = rng.permutation(np.repeat(np.arange(len(weights)), often))
    order = np.resize(order, max(1, len(weights) // size) * size)
    yield from order.reshape(-1, size)


def _seeded(recipe: Recipe, build: Callable[[], Any]) -> Any:
    """A network whose first weights depend on the recipe's seed alone."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return build()


def _batch(pictures: Sequence[augment.Picture]) -> Any:
    """Pictures (height, width, 3) of bytes as a network in training takes them."""
    import torch

    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 255


def _revive(
    model: Any, start: Path, example: Callable[[int, np.random.Generator], augment.Picture], samples: int, most: int
) -> None:
    """Gives a network the weights of an exported one, with up to ``most`` samples to see what numbers occur."""
    from smartstore.vision.revival import revive

    rng = np.random.default_rng(0)
    revive(start, model, _batch([example(int(i), rng) for i in rng.permutation(samples)[:most]]))


def _save(path: Path, state: dict[str, Any]) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    torch.save(state, partial)
    os.replace(partial, path)


def _load(path: Path) -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _pictures(datasets: Sequence[Path]) -> list[LabelledPicture]:
    """The training pictures of all sets; raises :class:`LabelsError` where there are none."""
    pictures = [picture for dataset in datasets for picture in read_labels(dataset, "train")]
    if not pictures:
        where = ", ".join(map(str, datasets))
        raise LabelsError(f"{where}: no pictures to train on; render more with smartstore sim dataset --out FOLDER")
    return pictures
