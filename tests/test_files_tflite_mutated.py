"""TensorFlow Lite files damaged at random: an error of fastact's or a model, and nothing else; ``FASTACT_FUZZ=N`` sets
how many."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from hostile import mutated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tflite_files import encoded, i32, operator, small_model
from tflite_tables import operators_of, tensors_of

import fastact
from fastact.errors import FastactError
from fastact.files import tflite_schema as schema

COUNT = int(os.environ.get("FASTACT_FUZZ", "600"))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    return tmp_path_factory.mktemp("fuzz") / "a.tflite", encoded(small_model())


def attempt(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    try:
        fastact.load(path)
    except FastactError as error:
        return "unforeseen" if "none that fastact expects" in str(error) or "\n" in str(error) else "refused"
    return "read"


def test_mutated_files(original: tuple[Path, bytes]) -> None:
    path, content = original
    found = [attempt(path, mutated(content, random.Random(seed))) for seed in range(COUNT)]
    assert "unforeseen" not in found
    # Mutations that all or never harm would test nothing.
    assert min(found.count("read"), found.count("refused")) > COUNT // 10


@settings(max_examples=COUNT // 2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 2**32 - 1)), min_size=1, max_size=6))
def test_words_replaced(original: tuple[Path, bytes], changes: list[tuple[int, int]]) -> None:
    """Offsets, lengths and counts are words of four bytes: any of them may be anything."""
    path, content = original
    data = bytearray(content)
    for place, value in changes:
        at = 4 * (place % (len(data) // 4))
        data[at : at + 4] = value.to_bytes(4, "little")
    assert attempt(path, bytes(data)) != "unforeseen"


@settings(max_examples=COUNT // 2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(
        st.sampled_from([k for k in schema.OPERATORS if not k.startswith("STABLEHLO")]), min_size=3, max_size=3
    ),
    wiring=st.lists(st.lists(st.integers(-1, 8), max_size=5), min_size=3, max_size=3),
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=5), min_size=3, max_size=3),
    numbers=st.lists(st.integers(-2, 3), min_size=3, max_size=10),
    option=st.integers(-1, 3),
)
def test_any_operators_on_any_tensors(
    original: tuple[Path, bytes],
    kinds: list[str],
    wiring: list[list[int]],
    shapes: list[list[int]],
    numbers: list[int],
    option: int,
) -> None:
    """Files that are well made and mean nothing: no operator's translation may fail on what it takes."""
    model = small_model()
    tensors_of(model)[3][schema.Tensor.SHAPE] = [len(numbers)]
    model[schema.Model.BUFFERS][3] = {schema.Buffer.DATA: np.array(numbers, np.int32).tobytes()}
    for place, (kind, inputs, shape) in enumerate(zip(kinds, wiring, shapes, strict=True)):
        model[schema.Model.OPERATOR_CODES][place] = {
            schema.OperatorCode.BUILTIN_CODE: i32(schema.OPERATORS.index(kind))
        }
        known = kind if kind in schema.OPTIONS else None
        told = (
            {name: option % 2 if f.kind == "bool" else option for name, f in schema.OPTIONS[kind].fields.items()}
            if known
            else {}
        )
        taken = [n for n in inputs if n < 6 + place]
        operators_of(model)[place] = operator(place, taken, [6 + place], known, **told)
        tensors_of(model)[6 + place][schema.Tensor.SHAPE] = shape
    assert attempt(original[0], encoded(model)) != "unforeseen"
