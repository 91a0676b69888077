"""The product as the lab runs it: a child process on the broker, and a palm service that the gates ask."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from smartstore.bus.access import PASSWORD, USERNAME, parse_url
from smartstore.palm.keys import new_keys
from smartstore.palm.service import Consent, PalmService, VisitToken
from smartstore.palm.store import PalmStore


class ProductError(Exception):
    """The service ended by itself; the text is its last line."""


class Palms:
    """The palm service of a simulated store. Its randomness is seeded, so that a run can be repeated exactly."""

    def __init__(self, store: str, seed: int) -> None:
        random = np.random.default_rng(np.random.SeedSequence([seed, 0x9A1]))
        self._store = store
        self._service = PalmService(new_keys(random.bytes), PalmStore(), random.bytes)

    @property
    def public_key_pem(self) -> bytes:
        return self._service.public_key_pem

    def enrol(self, palm: NDArray[np.float64]) -> None:
        """Enrol somebody, with their consent, before they come."""
        self._service.enrol(palm, consent=Consent("simulated", 0), liveness=1.0, by="desk", now_ns=0)

    def scan(self, palm: NDArray[np.float64], party_size: int, now_s: int) -> tuple[str, str] | None:
        """Visit and signed token for a palm held over the gate; None when it is not known."""
        found = self._service.identify(
            palm, liveness=1.0, party_size=party_size, audience=self._store, by="gate", now_ns=now_s * 1_000_000_000
        )
        return (found.visit, found.text) if isinstance(found, VisitToken) else None


def _end_with_parent() -> None:
    """In the child: be told to stop when the lab is killed (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class ProductProcess:
    """``smartstore serve`` as a process of its own."""

    def __init__(
        self, store: Path, url: str, out: Path, palms: Palms | None, service: str, frames: bool,
        settings: Path | None = None, db: str | None = None,
    ) -> None:  # fmt: skip
        """``db`` is the URL of its journal; else that is a file in ``out``. Without ``palms`` anybody comes in."""
        self.palm_key = out / "palm-public.pem"
        if palms is not None:
            self.palm_key.write_bytes(palms.public_key_pem)
        self._log_path = out / "service.log"
        address = parse_url(url)
        self._secrets = {USERNAME: address.username or "", PASSWORD: address.password or ""} if address.username else {}
        self._command = [
            sys.executable, "-m", "smartstore", "serve", "--store", str(store), "--broker", str(address),
            "--db", db or f"sqlite:///{(out / 'journal.db').resolve()}", "--state", str(out / "journal.state"),
            "--id", service, *(["--palm-key", str(self.palm_key)] if palms is not None else ["--any-token"]),
            *(["--settings", str(settings)] if settings else []),
            *(["--frames"] if frames else ["--no-frames"]),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start it, or start it again; it takes up what its journal has, and its log goes on."""
        with self._log_path.open("ab") as log:
            env = os.environ | {"OMP_NUM_THREADS": "1"} | self._secrets
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=env,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - one call
            )

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """The number of its process."""
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        """Whether it is there."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raises ProductError when the service has ended."""
        if self._process is not None and self._process.poll() is not None:
            lines = self._log_path.read_text(errors="replace").strip().splitlines() or ["no output"]
            raise ProductError(f"the service ended with code {self._process.returncode}: {lines[-1]}")

    def keep_log(self) -> Path:
        """Copy the log to a place that outlives the run's folder."""
        kept = Path(os.environ.get("TMPDIR", "/tmp")) / f"smartstore-service-{int(time.time())}.log"
        kept.write_bytes(self._log_path.read_bytes())
        return kept
