"""Randomness by name: every shopper and every device draws from a stream of its own.

In: the seed of a run and a name such as ``scale/g1``. Out: a generator. A device that is added takes nothing from the
others' streams.
"""

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator that belongs to ``name`` in the run with ``seed``."""
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(zlib.crc32(name.encode()),)))
