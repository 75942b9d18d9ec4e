"""Damaged SavedModels end in an error of fastact's or are read, and nothing else; ``FASTACT_FUZZ=N`` sets how many.

Half of the mutations reach behind the check sums, which are made right again: a hostile file's are.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tf_files
from hostile import WANTED, arrays, mutated, read

from fastact.errors import FastactError
from fastact.files import tf_table

COUNT = int(os.environ.get("FASTACT_FUZZ", "600"))
SEED = int(os.environ.get("FASTACT_FUZZ_SEED", "0"))
PLAIN = ("keras_metadata.pb", "saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
BEHIND = ("entry", "objects", "index")


def test_mutated_directories(tmp_path: Path) -> None:
    ends: Counter[str] = Counter()
    for seed in range(SEED, SEED + COUNT):
        chance = random.Random(seed)
        path = tmp_path / str(seed)
        what = chance.choice(PLAIN + BEHIND)
        _write(path, what, chance)
        start = time.process_time()
        end = _try(path)
        assert time.process_time() - start < 20, f"seed {seed}, {what}"
        ends[end] += 1
    assert ends["read"] + ends["refused"] == COUNT
    # Mutations that all or never harm would test nothing.
    assert min(ends["read"], ends["refused"]) > COUNT // 10


@pytest.mark.parametrize("what", BEHIND)
def test_mutations_behind_a_check_sum_reach_what_it_covers(tmp_path: Path, what: str) -> None:
    """Every kind of damage gets past the sums, or the fuzzing above would test them alone."""
    messages = []
    for seed in range(30):
        _write(tmp_path / str(seed), what, random.Random(seed))
        try:
            read(tmp_path / str(seed))
        except FastactError as error:
            messages.append(str(error))
    assert len(messages) > 5
    assert not any("has a block whose check sum is wrong" in message for message in messages)


def _try(path: Path) -> str:
    try:
        found = read(path)
    except FastactError as error:
        return "refused" if "\n" not in str(error) else "refused in several lines"
    for layer, of in WANTED.items():
        assert {name: values.shape for name, values in found[layer].items()} == of
        assert all(values.dtype == np.float32 for values in found[layer].values())
    return "read"


def _write(path: Path, what: str, chance: random.Random) -> None:
    """The small model with one part of it mutated, in the layout of one version of TensorFlow or of the other."""
    files = tf_files.small()
    if what == "entry":
        name = chance.choice([tf_files.key("conv/kernel"), tf_files.key("dense/bias"), ""])
        files.index = lambda entries: tf_files.plain_index(entries | {name: mutated(entries[name], chance)})
    elif what == "objects":
        place = chance.randrange(len(files.nodes))
        files.nodes[place] = mutated(files.nodes[place] or b"\0", chance)
    elif what == "index":
        files.index = lambda entries: tf_files.table(mutated(_only_block(entries), chance))
    files.write(path)
    if chance.random() < 0.3:
        (path / "saved_model.pb").write_bytes(tf_files.saved_model(tf_files.old_objects(files)))
        (path / "keras_metadata.pb").unlink()
    if what in PLAIN and (path / what).exists():
        (path / what).write_bytes(mutated((path / what).read_bytes(), chance))


def _only_block(entries: dict[str, bytes]) -> bytes:
    return tf_files.block((name.encode(), entries[name]) for name in sorted(entries))


def test_the_mutations_start_from_what_is_read(tmp_path: Path) -> None:
    path = tf_files.small().write(tmp_path / "m")
    index = (path / "variables" / "variables.index").read_bytes()
    assert set(tf_table.read(memoryview(index))) >= {b"", tf_files.OBJECTS.encode()}
    for (layer,), of in read(path).items():
        for name, values in of.items():
            np.testing.assert_array_equal(values, arrays()[layer][f"{layer}/{name}:0"])
