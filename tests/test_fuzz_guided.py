"""The coverage-guided fuzzer, briefly, and whatever it found once; `make fuzz` is its long form.

Here it makes the same inputs in every run, and as many on a slow machine as on a quick one; ``FASTACT_FUZZ_SECONDS``
has it make others, for so long over all targets.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fuzz import corpus, run, targets

from fastact.errors import FileError

SECONDS = int(os.environ.get("FASTACT_FUZZ_SECONDS", "0"))
UNTIL = [f"-max_total_time={max(1, SECONDS // len(targets.TARGETS))}"] if SECONDS else ["-runs=1000", "-seed=1"]
PATIENCE = 600
"""Seconds by the clock that an input may take: other programs may have the machine."""
FOUND = sorted(path for path in corpus.FINDINGS.glob("*/*") if path.parent.name in targets.TARGETS)


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return corpus.write(tmp_path_factory.mktemp("corpus"))


@pytest.mark.parametrize("target", targets.TARGETS)
def test_guided(target: str, seeds: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris, which PyPI has for Linux on x86-64 alone, is not installed")
    options = [*UNTIL, f"-timeout={PATIENCE}"]
    result = run.fuzz(target, options, tmp_path / "learnt", seeds[target], tmp_path / "findings")
    found = [path.name for path in (tmp_path / "findings" / target).iterdir()]
    assert not found, f"{found} in {tmp_path}/findings"
    assert result.executions > 100
    assert result.edges > 500  # else nothing was instrumented


@pytest.mark.parametrize("target", targets.TARGETS)
def test_seeds_are_honest(target: str, seeds: dict[str, Path], tmp_path: Path) -> None:
    """A seed that is refused at once would teach a fuzzer nothing."""
    for path in sorted(seeds[target].iterdir()):
        if not path.name.startswith("found-"):
            assert targets.TARGETS[target](path.read_bytes(), tmp_path / "input") == "read", path.name


@pytest.mark.parametrize("path", FOUND, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once(path: Path, tmp_path: Path) -> None:
    with targets.unchecked():
        assert targets.TARGETS[path.parent.name](path.read_bytes(), tmp_path / "input") in ("read", "refused")


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (KeyError("conv"), KeyError),
        (RecursionError(), RecursionError),
        (FileError("one line\nand another"), targets.BrokenPromiseError),
        (FileError("there is not enough memory"), targets.BrokenPromiseError),
    ],
)
def test_what_counts_as_a_finding(
    error: Exception, caught: type[Exception], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(targets, "load", fail)
    with pytest.raises(caught):
        targets.TARGETS["hdf5"](b"", tmp_path / "input")
