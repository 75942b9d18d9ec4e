"""Every CUDA kernel as PTX and as a GPU's own code, without a GPU: what registers and memory the assembler gives it.

The kernels are compiled by fastact's own program for it, once for each target, and assembled by NVIDIA's `ptxas` for
each board's GPU. What comes out is kept in the user's cache under a hash of the kernels' source and of the tools'
versions, so that a report and the tests compile once.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from benchmarks.common import BenchmarkError
from fastact.kernels import cuda
from fastact.kernels.cuda.boards import BOARDS
from fastact.kernels.cuda.build import TARGETS
from fastact.kernels.digest import sha256

Capability = tuple[int, int]

CHIPS: tuple[Capability, ...] = tuple(board.capability for board in BOARDS)
"""The GPUs that code is assembled for: those of the boards."""

PACKAGES = ("numba-cuda", "numba", "nvidia-cuda-nvcc-cu12")
"""What decides on the code beside the kernels' source."""

_KEPT_SECONDS = 7 * 86_400


@dataclass(frozen=True)
class Resources:
    """What one kernel needs on one GPU, as `ptxas -v` prints it.

    Attributes:
        registers: of a thread.
        shared: bytes of a block.
        stack: bytes of local memory of a thread, which lies in the GPU's memory.
        spills: bytes that a thread moves there and back since it ran out of registers.
    """

    registers: int
    shared: int
    stack: int
    spills: int


@dataclass(frozen=True)
class Built:
    """All kernels: their PTX by target and name, and what they need by chip and name."""

    ptx: Mapping[Capability, Mapping[str, str]]
    needs: Mapping[Capability, Mapping[str, Resources]]


def target_of(chip: Capability) -> Capability:
    """The target whose PTX a GPU takes: the highest that it reaches."""
    return max(target for target in TARGETS if target <= chip)


def missing() -> str | None:
    """Why kernels cannot be built here, or None."""
    if importlib.util.find_spec("numba_cuda") is None:
        return "numba-cuda, which compiles CUDA kernels, is not installed: pip install 'fastact[cuda]'"
    return None if _assembler() else "ptxas is not installed: pip install nvidia-cuda-nvcc-cu12"


def versions() -> str:
    """The tools that the figures depend on."""
    return ", ".join(f"{name} {_version(name)}" for name in PACKAGES)


def built() -> Built:
    """Every kernel, compiled for each target and assembled for each chip; from the cache where it is there.

    Raises:
        BenchmarkError: a tool is not installed, or refuses a kernel.
    """
    if reason := missing():
        raise BenchmarkError(reason)
    with _locked(_folder() / _key()) as folder:
        archives = {target: folder / "{}.{}.zip".format(*target) for target in TARGETS}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_compile, archives, archives.values()))
            ptx = {target: _texts(path) for target, path in archives.items()}
            report = folder / "needs.json"
            if not report.exists():
                work = [(name, chip, ptx[target_of(chip)][name]) for chip in CHIPS for name in ptx[target_of(chip)]]
                made = list(pool.map(lambda job: assemble(job[2], job[1]), work))
                rows = [[name, chip, asdict(each)] for (name, chip, _), each in zip(work, made, strict=True)]
                _written(report, json.dumps(rows))
    needs: dict[Capability, dict[str, Resources]] = {chip: {} for chip in CHIPS}
    for name, (major, minor), fields in json.loads(report.read_text()):
        needs[major, minor][name] = Resources(**fields)
    return Built(ptx, needs)


def assemble(ptx: str, chip: Capability) -> Resources:
    """What the one kernel of a PTX module needs on `chip`.

    Raises:
        BenchmarkError: the assembler refuses it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(ptx)
        file.flush()
        command = [str(_assembler()), "-v", "-arch=sm_{}{}".format(*chip), file.name, "-o", os.devnull]
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise BenchmarkError(f"ptxas refuses a kernel for sm_{chip[0]}{chip[1]}: {made.stderr.strip()}")
    return parse(made.stderr)


def parse(report: str) -> Resources:
    """What `ptxas -v` says of a module with one kernel; functions that it calls count with it."""

    def total(pattern: str) -> int:
        return sum(int(n) for n in re.findall(pattern, report))

    return Resources(
        registers=max(int(n) for n in re.findall(r"Used (\d+) registers", report)),
        shared=total(r"(\d+) bytes smem"),
        stack=total(r"(\d+) bytes stack frame"),
        spills=total(r"(\d+) bytes spill (?:stores|loads)"),
    )


def _assembler() -> Path | None:
    """NVIDIA's assembler: of its package, or on the PATH."""
    with_packages = importlib.util.find_spec("nvidia")
    for place in with_packages.submodule_search_locations or () if with_packages else ():
        for path in sorted(Path(place).glob("*/bin/ptxas")):
            return path
    found = shutil.which("ptxas")
    return Path(found) if found else None


def _compile(target: Capability, path: Path) -> None:
    """Writes every kernel's PTX to `path` by fastact's own program; it must not find Numba's simulator turned on."""
    if path.exists():
        return
    parts = [sys.executable, "-m", "fastact.kernels.cuda.build", "{}.{}".format(*target), f"{path}.part"]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    made = subprocess.run(parts, capture_output=True, text=True, check=False, env=environment)
    if made.returncode:
        reason = made.stderr.strip().rpartition("\n")[2]
        raise BenchmarkError(f"the kernels cannot be compiled for {target[0]}.{target[1]}: {reason}")
    Path(f"{path}.part").replace(path)


def _texts(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {name.removesuffix(".ptx"): archive.read(name).decode() for name in archive.namelist()}


def _key() -> str:
    """A hash of all that decides on the code."""
    digest = sha256(versions().encode())
    root = Path(cuda.__file__).parent
    for path in sorted([*root.rglob("*.py"), Path(__file__)]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _folder() -> Path:
    return platformdirs.user_cache_path("fastact") / "cuda-report"


@contextmanager
def _locked(folder: Path) -> Iterator[Path]:
    """The folder, while no other process works in it; those of sources long gone are deleted."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.parent.iterdir():
        if other.stat().st_mtime < time.time() - _KEPT_SECONDS and other != folder:
            shutil.rmtree(other, ignore_errors=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _written(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text)
    part.replace(path)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
