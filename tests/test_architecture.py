"""Imports run one way, kernels know nothing of layers and files, and start-up stays light."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastact import samples

ROOT = Path(__file__).parent.parent

# Each part may import what stands before it, and itself.
ORDER = (
    "fastact.kernels",
    "fastact.errors",
    "fastact.writing",
    "fastact.files",
    "fastact.layers",
    "fastact.topology",
    "fastact.node",
    "fastact.cost",
    "fastact.wiring",
    "fastact.graph",
    "fastact.fields",
    "fastact.selection",
    "fastact.recording",
    "fastact.layout",
    "fastact.views",
    "fastact.maps",
    "fastact.engines",
    "fastact.extractor",
    "fastact.frames",
    "fastact.saliency",
    "fastact.tub",
    "fastact.pilots",
    "fastact.lap",
    "fastact.samples",
    "fastact.growing",
    "fastact.saving",
    "fastact.stats",
    "fastact.tub_maps",
    "fastact.litert",
    "fastact.verify",
    "fastact.donkey",
    "fastact.film",
    "fastact.bench",
    "fastact.page",
    "fastact.cli",
)


def modules() -> list[tuple[str, Path]]:
    found = [(f"fastact.{p.relative_to(ROOT / 'fastact')}", p) for p in (ROOT / "fastact").rglob("*.py")]
    found += [(f"fastact.kernels.{p.relative_to(ROOT / 'kernels')}", p) for p in (ROOT / "kernels").rglob("*.py")]
    names = [(name.replace("/", ".").removesuffix(".py").removesuffix(".__init__"), path) for name, path in found]
    return [(name, path) for name, path in names if name not in ("fastact", "fastact.__main__")]


def part(module: str) -> str | None:
    return next((p for p in ORDER if module == p or module.startswith(p + ".")), None)


def imported(name: str, path: Path) -> set[str]:
    """The modules of fastact that a module imports, anywhere in it."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                up = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*up, *filter(None, [base])])
            found |= {base} if part(base) not in (None, base) or base in ORDER else set()
            found |= {f"{base}.{alias.name}" for alias in node.names if base in ("fastact", package)}
    return {m for m in found if m.startswith("fastact.")}


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda x: x if isinstance(x, str) else "")
def test_imports_run_one_way(name: str, path: Path) -> None:
    own = part(name)
    assert own is not None, f"{name} has no place in ORDER"
    for module in imported(name, path):
        other = part(module)
        if other is not None:
            assert ORDER.index(other) <= ORDER.index(own), f"{name} imports {module}"


def test_every_package_is_installed() -> None:
    listed = set(re.findall(r'^ {4}"(fastact[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    packages = {name for name, path in modules() if path.name == "__init__.py"}
    assert packages - {"fastact.kernels.cpu.lib"} <= listed


def test_every_part_exists() -> None:
    assert {part(name) for name, _ in modules()} == set(ORDER)


def test_modules_are_of_a_size_one_can_read() -> None:
    long = {name: n for name, path in modules() if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}


def test_reading_a_model_needs_no_hdf5_library() -> None:
    """It is a large parser in C, which takes 11 MB and longer to import than a model to read."""
    code = """
import sys, fastact
from fastact import samples
sys.modules["h5py"] = None
assert len(fastact.load(samples.pilot()).nodes) > 5
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    imports = {name for name, path in modules() if "import h5py" in path.read_text()}
    assert imports == {"fastact.saving"}


@pytest.mark.parametrize("code", ["import fastact", "import fastact.cli", "import fastact.extractor, fastact.graph"])
def test_importing_loads_nothing_heavy(code: str) -> None:
    heavy = ("numba", "llvmlite", "tensorflow", "keras", "PIL", "cmap", "h5py", "rich")
    check = f"{code}; import sys; print(*[m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_extracting_with_compiled_kernels_loads_neither_numba_nor_llvm(tmp_path: Path) -> None:
    code = """
import numpy, sys, fastact
from fastact import samples
from fastact.kernels.cpu import library
if library.load().path.suffix == ".o":
    print("no linker")
maps = fastact.Extractor(samples.pilot())(numpy.zeros((120, 160, 3), numpy.uint8))
assert len(maps) == 5
print(*[m for m in ("numba", "llvmlite", "tensorflow", "keras") if m in sys.modules])
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    if "no linker" in result.stdout:
        pytest.skip("this machine has no linker, so the kernels are an object file that llvmlite loads")
    assert result.stdout.split() == []


EXTRACTION = """
import dataclasses, sys
from fastact.cli import main
try:
    main()
except SystemExit as end:
    assert end.code == 0
print(*sys.modules)
own = [module for name, module in sys.modules.items() if name.startswith("fastact.")]
kinds = {k for m in own for k in vars(m).values() if isinstance(k, type) and k.__module__ == m.__name__}
made = [k for k in kinds if dataclasses.is_dataclass(k) and k.__init__.__code__.co_filename == "<string>"]
print(*[f"{k.__module__}.{k.__name__}" for k in made])
"""

MOST_MODULES = 96
"""Of fastact that `extract --save npz` loads from an .h5 of convolutions: 93."""

NEEDLESS = (
    "asyncio cmap concurrent.futures email hashlib http importlib.metadata jinja2 multiprocessing "
    "rich ssl statistics subprocess unittest xml"
)
"""What platformdirs loads is not among them: it finds the cache where no wheel has brought the kernels."""


def test_extracting_loads_only_what_it_computes_with(tmp_path: Path) -> None:
    """Layers, formats and commands wait until they are asked for, and no class compiles its methods at each start."""
    base = "import sys, numpy, click, PIL.PngImagePlugin, PIL.JpegImagePlugin; print(*sys.modules)"
    asked = ["--model", samples.pilot(), "--image", samples.frame("160x120"), "--save", "npz", "--out", tmp_path]
    command = [sys.executable, "-c", EXTRACTION, "extract", *map(str, asked)]
    *_, loaded, compiled = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    needed = subprocess.run([sys.executable, "-c", base], capture_output=True, text=True, check=True).stdout
    more = set(loaded.split()) - set(needed.split())
    assert more & set(NEEDLESS.split()) == set()
    own = [name for name in more if name.startswith("fastact.")]
    assert len(own) <= MOST_MODULES, sorted(own)
    assert compiled == "", "take dataclass from fastact.kernels.records"


def test_the_table_of_layers_is_the_registry_s() -> None:
    from fastact.layers.table import markdown

    written = (ROOT / "docs" / "layers.md").read_text()
    assert written == markdown() + "\n", "run python -m fastact.layers.table > docs/layers.md"
