"""Takes up an exported network again, where its checkpoint is gone: shipped weights become a start for more training.

In: an OpenVINO file that :mod:`smartstore.vision.networks` wrote, an untrained network of the same shape, and some of
what it will be trained on. Out: the network with the file's weights. The export folded every batch normalisation into
the convolution before it; here each comes back with the mean and spread of the batch, and with a scale and shift that
undo them, so that the network answers as the file does and can learn on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float32]
PREFIX = "__module.network."
"""Before the names that layers have in the export."""
FIXED = "dfl"
"""Part of the name of the one layer that is not learned."""


class RevivalError(Exception):
    """A file that cannot be taken up: one line, which file and what to do."""


def revive(path: Path, network: nn.Module, batch: Tensor) -> None:
    """Gives ``network`` the weights of the exported network at ``path``; ``batch`` is what its ``forward`` takes.

    Raises :class:`RevivalError` where the file is of another network.
    """
    layers = dict(network.named_modules())
    before = _convolutions_before(network)
    folded: dict[nn.BatchNorm2d, Tensor] = {}
    try:
        for name, weight, bias in _weights(path):
            layer = layers[name]
            if isinstance(layer, nn.BatchNorm2d):
                folded[layer] = torch.from_numpy(bias)
                _fill(before[layer].weight, weight)
            else:
                _fill(layer.weight, weight)
                _fill(layer.bias, bias)
    except (KeyError, ValueError, RuntimeError) as error:
        why = str(error).strip().splitlines()[0]
        raise RevivalError(
            f"{path}: not this network's file ({why}); begin with another, or without --start"
        ) from error
    if set(folded) != set(before):
        raise RevivalError(f"{path}: only {len(folded)} of {len(before)} layers; begin with another file")
    _calibrate(network, folded, batch)


def _weights(path: Path) -> Iterator[tuple[str, Floats, Floats]]:
    """Name, weights and bias of every learned layer of an exported network, in its order."""
    import openvino as ov

    for op in ov.Core().read_model(str(path)).get_ordered_ops():
        if op.get_type_name() in ("Convolution", "GroupConvolution", "MatMul") and FIXED not in op.get_friendly_name():
            weight, users = _constant(op.input_value(1).get_node()), list(op.output(0).get_target_inputs())
            add = users[0].get_node() if len(users) == 1 else None
            if weight is not None and add is not None and add.get_type_name() == "Add":
                bias = _constant(add.input_value(1).get_node())
                if bias is not None:
                    yield add.get_friendly_name().removeprefix(PREFIX).partition("/")[0], weight, bias.reshape(-1)


def _constant(node: Any) -> Floats | None:
    """The numbers of a constant, where the node is one or a conversion of one."""
    while node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return np.array(node.get_data(), np.float32) if node.get_type_name() == "Constant" else None


def _fill(parameter: Tensor, values: Floats) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(values.reshape(tuple(parameter.shape))))


def _convolutions_before(network: nn.Module) -> dict[nn.BatchNorm2d, nn.Conv2d]:
    """The convolution that every batch normalisation follows."""
    pairs: dict[nn.BatchNorm2d, nn.Conv2d] = {}
    last: nn.Conv2d | None = None
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            last = layer
        elif isinstance(layer, nn.BatchNorm2d) and last is not None:
            pairs[layer] = last
    return pairs


def _calibrate(network: nn.Module, folded: dict[nn.BatchNorm2d, Tensor], batch: Tensor) -> None:
    """Lets the batch through once; every batch normalisation takes on what comes to it, then lets it through as it was,
    moved by the folded bias.
    """

    def measure(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None
        spread, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        layer.running_mean.copy_(mean)
        layer.running_var.copy_(spread)
        layer.weight.copy_(torch.sqrt(spread + layer.eps))
        layer.bias.copy_(folded[layer] + mean)

    hooks = [layer.register_forward_pre_hook(measure) for layer in folded]
    was_training = network.training
    network.eval()
    with torch.no_grad():
        network(batch)
    for hook in hooks:
        hook.remove()
    network.train(was_training)
