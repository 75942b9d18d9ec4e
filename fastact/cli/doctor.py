"""`fastact doctor`: what fastact found on this machine, and why it does what it does."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform

import click

from fastact import __version__
from fastact.cli.gpus import gpu_lines, refusals
from fastact.kernels.cpu.levels import LEVELS, supported
from fastact.kernels.cpu.library import BuildError, load
from fastact.kernels.cpu.search import SHIPPED, cache_folder, candidates

_OPTIONAL = {
    "h5py": "writes maps as HDF5 (extra h5)",
    "jinja2": "writes the pages of `fastact view` and `fastact bench` (extras view, report)",
    "waitress": "serves the page of `fastact view --serve` (extra view)",
    "av": "writes films as MP4 (extra movie)",
    "numba": "compiles kernels where none are at hand (extra jit)",
    "numba_cuda": "compiles kernels for GPUs where none are at hand (extra cuda)",
    "ziglang": "links them where there is no C compiler",
    "tensorflow": "for verify (extra verify)",
    "keras": "for verify (extra verify)",
    "tf_keras": "for verify of files by Keras 2 that Keras 3 does not load",
}


@click.command(short_help="Show CPU and GPU, which compiled kernels are used, and why.")
def command() -> int:
    """Show the CPU and the GPU, which compiled kernels are used and why others are not, what `--device auto` takes,
    and what optional packages there are."""
    click.echo(f"fastact {__version__}, Python {platform.python_version()}, {platform.platform()}")
    click.echo(f"CPU: {_cpu()}, {os.cpu_count()} cores; kernels it can run: {', '.join(supported()) or 'none'}")
    for name, target in LEVELS.items():
        if name not in supported():
            click.echo(f"  not {name}: it needs {target.machine} with {', '.join(target.needs)}")
    click.echo(f"cache: {cache_folder()}")
    status = 0
    try:
        library = load()
        origin = {SHIPPED: "shipped", cache_folder(): "cache"}.get(library.path.parent, "of this process alone")
        click.echo(f"kernels: {library.level} from {library.path} ({origin})")
    except BuildError as error:
        click.echo(f"kernels: none: {error}")
        status = 2
    for line in refusals(c for name in supported() for c in candidates(name, LEVELS[name].registers)):
        click.echo(f"  not {line}")
    for line in gpu_lines():
        click.echo(line)
    for package, use in _OPTIONAL.items():
        there = "is there" if importlib.util.find_spec(package) else "is not installed"
        click.echo(f"{package} {there}: {use}")
    return status


def _cpu() -> str:
    """The CPU's name, from Linux's account of it where there is one."""
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:  # noqa: PTH123
        for line in lines:
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
