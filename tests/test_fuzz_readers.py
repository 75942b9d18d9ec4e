"""Every reader on seeds with anything in their places, by Hypothesis; ``FASTACT_FUZZ=N`` sets how many.

Where Atheris is not to be had this is what there is, and what it finds it makes small.
"""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path
from random import Random

import pytest
from fuzz import corpus, mutators, targets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

COUNT = int(os.environ.get("FASTACT_FUZZ", "150"))
NUMBERS = st.one_of(
    st.integers(0, 255), st.sampled_from([2**k + d for k in (8, 16, 31, 32, 40, 63, 64) for d in (-1, 0, 1)])
)
CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([1, 2, 4, 8]), NUMBERS), max_size=6)


@functools.lru_cache(maxsize=1)
def seeds() -> dict[str, list[bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        written = corpus.write(Path(folder))
        return {name: [path.read_bytes() for path in sorted(at.iterdir())] for name, at in written.items()}


def changed(data: bytes, changes: list[tuple[float, int, int]], end: float) -> bytes:
    """Numbers written over what is there, and the end cut off."""
    result = bytearray(data)
    for place, width, number in changes:
        at = int(place * len(result)) // width * width  # where writers put numbers
        result[at : at + width] = (number % 256**width).to_bytes(width, "little")
    return bytes(result[: int(end * len(result))] if end < 1 else result)


@pytest.mark.parametrize("target", targets.TARGETS)
@pytest.mark.parametrize("checksums", ["compared", "taken for right"])
def test_fuzz_of_readers(target: str, checksums: str, tmp_path: Path) -> None:
    @settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        number=st.integers(0, len(seeds()[target]) - 1),
        changes=CHANGES,
        end=st.one_of(st.just(1.0), st.floats(0, 1)),
        chance=st.one_of(st.none(), st.integers(0, 2**32)),
    )
    def run(number: int, changes: list[tuple[float, int, int]], end: float, chance: int | None) -> None:
        data = seeds()[target][number]
        if chance is not None:  # what a configuration says is changed, too
            change = mutators.of_configuration if target == "configuration" else mutators.with_json_changed
            data = change(data, 2**17, Random(chance), lambda kept, _: kept)
        ends.add(targets.TARGETS[target](changed(data, changes, end), tmp_path / "input"))

    ends: set[str] = set()
    if checksums == "compared":
        run()
    else:
        with targets.unchecked():
            run()
    assert ends == {"read", "refused"}  # mutations that all or never harm would test nothing
