"""What all tests share."""

import sys

from hypothesis import settings

# How long an example takes is the machine's affair, not the test's.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Mesa's software renderer and triton each bring an LLVM of their own; both in one process end it with a segmentation
# fault. Here one process renders and trains, so torch gets to hear that there is no triton: on CPUs it needs none.
sys.modules["triton"] = None  # type: ignore[assignment]


def pytest_collection_finish() -> None:
    """Spares the garbage collector what thousands of tests have imported: a tenth of their time."""
    from smartstore.process import quiet_collector

    quiet_collector()
