"""Every CUDA kernel as PTX and as a GPU's own code, without a GPU: what registers and memory the assembler gives it.

The kernels are compiled to PTX for every target, by some programs at once, and assembled by NVIDIA's
`ptxas` for each board's GPU. What comes out is kept in the user's cache under a hash of the kernels' source and of the
tools' versions, so that a report and the tests compile once.

    python -m benchmarks.cuda_build PART OF FILE

is one of these programs: it compiles every kernel whose number in the catalog is PART modulo OF.
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
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs

from benchmarks.common import BenchmarkError
from fastact.kernels import cuda
from fastact.kernels.cuda.boards import BOARDS
from fastact.kernels.cuda.build import TARGETS, compile_for_all
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.digest import sha256

Capability = tuple[int, int]

CHIPS: tuple[Capability, ...] = tuple(board.capability for board in BOARDS)
"""The GPUs that code is assembled for: those of the boards."""

PACKAGES = ("numba-cuda", "numba", "nvidia-cuda-nvcc-cu12")
"""What decides on the code beside the kernels' source."""

_PARTS = 4
"""Programs that compile, on any machine: Numba numbers shared arrays as a process compiles them, and the assembler's
registers depend on the very names."""
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
        parts = [folder / f"{part}-of-{_PARTS}.zip" for part in range(_PARTS)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_compile, range(_PARTS), parts))
            ptx = _texts(parts)
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


def _compile(part: int, path: Path) -> None:
    """Has a part of the kernels compiled to `path`; Numba must not find its simulator turned on."""
    if path.exists():
        return
    command = [sys.executable, "-m", "benchmarks.cuda_build", str(part), str(_PARTS), f"{path}.part"]
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    root = Path(__file__).parents[1]
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root)
    if made.returncode:
        raise BenchmarkError(f"the kernels cannot be compiled: {made.stderr.strip().rpartition(chr(10))[2]}")
    Path(f"{path}.part").replace(path)


def compile_part(part: int, of: int, path: Path) -> None:
    """Writes the PTX of every kernel whose number is `part` modulo `of`, members TARGET/NAME."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in list(KERNELS)[part::of]:
            for target, text in compile_for_all(name).items():
                archive.writestr("{}.{}/{}".format(*target, name), text)


def _texts(parts: Iterable[Path]) -> dict[Capability, dict[str, str]]:
    """All that the parts hold, in the catalog's order."""
    found: dict[str, str] = {}
    for path in parts:
        with zipfile.ZipFile(path) as archive:
            found |= {member: archive.read(member).decode() for member in archive.namelist()}
    return {target: {name: found["{}.{}/{}".format(*target, name)] for name in KERNELS} for target in TARGETS}


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


if __name__ == "__main__":
    compile_part(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
