"""Which index finds palms best: the exhaustive search that is used against graphs of neighbours.

In: templates and palms shown again. Out: time to build, memory, time of a search, and how often the right person is
first, for each index that is installed (FAISS is; ``pip install usearch hnswlib`` for the others).
"""

import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from smartstore.palm.templates import BITS, Bits

_M, _BUILD = 32, 100
"""Links of a graph's nodes, and candidates looked at when one is added."""
_CANDIDATES = (64, 256, 1024)

Search = Callable[[NDArray[np.uint8]], int]


class IndexResult(msgspec.Struct, frozen=True):
    """One index with one setting. Times are CPU time of one thread."""

    index: str
    people: int
    build_s: float
    megabytes: float
    p50_ms: float
    p95_ms: float
    recall: float


def compare(templates: Bits, shown: Bits, who: NDArray[np.int64]) -> Iterator[IndexResult]:
    """Every index on the same palms: ``shown[i]`` is of person ``who[i]``, a row of ``templates``."""
    block, palms = templates.view(np.uint8), shown.view(np.uint8)
    for kind in (_exhaustive, _faiss_graph, _usearch, _hnswlib):
        yield from kind(block, palms, who)


def _exhaustive(block: NDArray[np.uint8], palms: NDArray[np.uint8], who: NDArray[np.int64]) -> Iterator[IndexResult]:
    import faiss

    yield _timed(
        "faiss, exhaustive", lambda p: faiss.knn_hamming(p, block, 1)[1][0, 0], block, palms, who, 0.0, block.nbytes
    )


def _faiss_graph(block: NDArray[np.uint8], palms: NDArray[np.uint8], who: NDArray[np.int64]) -> Iterator[IndexResult]:
    import faiss

    started = time.process_time()
    index = faiss.IndexBinaryHNSW(BITS, _M)
    index.hnsw.efConstruction = _BUILD
    index.add(block)
    build_s = time.process_time() - started
    for count in _CANDIDATES:
        index.hnsw.efSearch = count
        size = len(faiss.serialize_index_binary(index))
        yield _timed(f"faiss, HNSW {count}", lambda p: index.search(p, 1)[1][0, 0], block, palms, who, build_s, size)


def _usearch(block: NDArray[np.uint8], palms: NDArray[np.uint8], who: NDArray[np.int64]) -> Iterator[IndexResult]:
    if find_spec("usearch") is None:
        return
    from usearch.index import Index

    started = time.process_time()
    index: Any = Index(ndim=BITS, metric="hamming", dtype="b1", connectivity=_M, expansion_add=_BUILD)
    index.add(np.arange(len(block)), block, threads=1)
    build_s = time.process_time() - started
    for count in _CANDIDATES:
        index.expansion_search = count
        size = index.memory_usage
        yield _timed(
            f"usearch, HNSW {count}", lambda p: index.search(p[0], 1).keys[0], block, palms, who, build_s, size
        )


def _hnswlib(block: NDArray[np.uint8], palms: NDArray[np.uint8], who: NDArray[np.int64]) -> Iterator[IndexResult]:
    """Knows no bits: each becomes a number of four bytes."""
    if find_spec("hnswlib") is None or len(block) > 100_000:
        return
    import hnswlib

    started = time.process_time()
    index = hnswlib.Index("l2", BITS)
    index.init_index(len(block), M=_M, ef_construction=_BUILD)
    index.set_num_threads(1)
    index.add_items(np.unpackbits(block, axis=1).astype(np.float32))
    build_s = time.process_time() - started
    for count in _CANDIDATES:
        index.set_ef(count)

        def search(palm: NDArray[np.uint8]) -> int:
            return int(index.knn_query(np.unpackbits(palm, axis=1).astype(np.float32), 1)[0][0, 0])

        yield _timed(f"hnswlib, HNSW {count}", search, block, palms, who, build_s, index.index_file_size())


def _timed(
    name: str, search: Search, block: NDArray[np.uint8], palms: NDArray[np.uint8], who: NDArray[np.int64],
    build_s: float, size: int,
) -> IndexResult:  # fmt: skip
    times, right = [], 0
    for palm, person in zip(palms, who, strict=True):
        started = time.process_time()
        found = search(palm[np.newaxis])
        times.append(time.process_time() - started)
        right += int(found) == int(person)
    p50, p95 = np.quantile(np.array(times) * 1e3, (0.5, 0.95)).tolist()
    return IndexResult(name, len(block), build_s, size / 1e6, p50, p95, right / len(who))
