"""A broker of one's own for the time of a run: iotcore (rumqttd) in a child process, reachable from this machine only.

It ends with the process that started it, however that one ends. Ctrl-C does not reach it, so that its owner can still
say goodbye over it.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from smartstore.bus.base import BusError

HOST = "127.0.0.1"
MAX_PAYLOAD_BYTES = 8 * 1024 * 1024

_CONFIG = """\
id = 0

[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
# One commit log of 4 MB x 16 per subscription filter: what a reader may lag behind before it loses packets. With the
# defaults the memory of the broker grows to hundreds of megabytes; with 1 MB x 4 a burst of 160 pictures was cut.
max_segment_size = 4194304
max_segment_count = 16

[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1

[v5.1.connections]
connection_timeout_ms = 5000
max_payload_size = {max_payload}
max_inflight_count = 200
dynamic_filters = true
"""

# The child ends when its standard input closes; "-c" must not let a folder named iotcore shadow the package.
_CHILD = (
    "import sys; sys.path[:] = [p for p in sys.path if p not in ('', '.')]; from iotcore._serve import main; main()"
)


class EmbeddedBroker:
    """``with EmbeddedBroker() as broker:`` runs a broker; ``broker.url`` says where. Port 0 takes a free one."""

    def __init__(self, port: int = 0, start_timeout_s: float = 10.0) -> None:
        self.port = port
        self._any_port = port == 0
        self._timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        """Returns when the broker accepts connections.

        Raises:
            BusError: the port is in use, or the broker does not start.
        """
        for last_try in (False, False, True):
            self.port = _free_port() if self._any_port else self.port
            if not self._any_port:
                _check_free(self.port)
            try:
                self._start()
            except BusError:
                self.close()
                if last_try or not self._any_port:
                    raise
            else:
                return self
        raise AssertionError("the last try returns or raises")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        self.close()

    def reopen(self) -> None:
        """Starts it again on the port that it had, after :meth:`close`. What it kept for clients is gone.

        Raises:
            BusError: the port was taken meanwhile.
        """
        self._start()

    def kill(self) -> None:
        """Ends the broker at once, as a power cut would (SIGKILL); :meth:`reopen` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.close()

    def close(self) -> None:
        """Stops the broker and frees its port. Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _start(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="smartstore-broker-")
        config = Path(self._folder.name) / "broker.toml"
        config.write_text(_CONFIG.format(host=HOST, port=self.port, max_payload=MAX_PAYLOAD_BYTES))
        with open(Path(self._folder.name) / "broker.log", "w+b") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _CHILD, json.dumps({"config_path": str(config)})],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            self._wait_ready(self._process, log)

    def _wait_ready(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        deadline = time.monotonic() + self._timeout_s
        while time.monotonic() < deadline:
            if process.poll() is not None:
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()
                raise BusError(f"the embedded broker did not start: {said[-1] if said else 'no reason given'}")
            try:
                socket.create_connection((HOST, self.port), 0.2).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise BusError(f"the embedded broker did not answer on port {self.port} within {self._timeout_s:g} s")


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise BusError(f"port {port} on {HOST} cannot be used ({_reason(error)}); choose another with --port, "
                           f"or use what listens there with --broker mqtt://{HOST}:{port}") from error  # fmt: skip


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else "not a port number"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
