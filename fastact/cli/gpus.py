"""What `fastact doctor` says of GPUs: what there is, with which code, and what `--device auto` takes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastact.kernels.cuda import search
from fastact.kernels.cuda.device import Card, Device, cards, choose
from fastact.kernels.cuda.driver import open_driver, show
from fastact.kernels.cuda.errors import CudaError
from fastact.kernels.shelf import Candidate


def gpu_lines() -> Iterator[str]:
    """Lines on every GPU, on the code for the one that is used, and on what `--device auto` takes, and why."""
    try:
        driver = open_driver()
        found = cards(driver)
    except CudaError as error:
        yield f"GPU: none: {error}"
        yield "--device auto: the CPU, since there is no GPU that can be used"
        return
    for card in found:
        yield f"GPU {card.ordinal}: {_card(card)}"
        if card.refusal is not None:
            yield f"  not used: {card.refusal}"
    try:
        gpu = choose(driver)
        free = gpu.free_memory()
    except CudaError as error:
        yield f"--device auto: the CPU, since the GPU cannot be used: {error}"
        return
    yield f"  used, with {free / 2**30:.1f} GiB free"
    yield from _code(gpu)


def _card(card: Card) -> str:
    memory = f"{card.memory / 2**30:.1f} GiB" + (" that the CPU has, too" if card.integrated else "")
    return (
        f"{card.name}, compute capability {show(card.capability)}, {card.multiprocessors} multiprocessors, {memory}; "
        f"its driver is for CUDA {show(card.driver)}"
    )


def _code(gpu: Device) -> Iterator[str]:
    """Where the PTX for a GPU comes from, and what of that follows."""
    target = search.target(gpu.card.capability)
    assert target is not None, "a GPU without a target is refused"
    there = list(search.candidates(target))
    used = next((c for c in there if c.refusal is None), None)
    if used is not None:
        yield f"GPU kernels: PTX for {show(target)} from {used.path} ({used.origin})"
    elif importlib.util.find_spec("numba_cuda") is not None:
        yield f"GPU kernels: PTX for {show(target)} is made when it is first used, which takes about a minute"
    else:
        yield (
            f"GPU kernels: none: there is no PTX for {show(target)}, and numba-cuda, which makes it, is not installed: "
            "pip install 'fastact[cuda]'"
        )
    yield from (f"  not {line}" for line in refusals(there))
    if used is None and importlib.util.find_spec("numba_cuda") is None:
        yield "--device auto: the CPU, since the GPU has no kernels"
    else:
        yield f"--device auto: GPU {gpu.card.ordinal}, {gpu.name}"


def refusals(found: Iterable[Candidate]) -> Iterator[str]:
    """Files that are not used, with the reason. A cache keeps many that were made from other versions: of those in one
    folder with one reason, all but one are counted."""
    refused: dict[tuple[Path, str, str], list[str]] = {}
    for candidate in found:
        if candidate.refusal is not None:
            alike = (candidate.path.parent, candidate.origin, candidate.refusal)
            refused.setdefault(alike, []).append(candidate.path.name)
    for (folder, origin, reason), files in refused.items():
        more = f" and {len(files) - 1} more there" if len(files) > 1 else ""
        yield f"{folder / files[0]} ({origin}){more}: {reason}"
