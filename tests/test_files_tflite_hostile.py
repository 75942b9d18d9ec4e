"""TensorFlow Lite files that attack their reader: each ends in an error of one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile import WANTED, ramp, read
from tflite_files import Raw, encoded, i8, i32, operator, small_model, tensor, u32, u64
from tflite_tables import Table, graph_of, operators_of, tensors_of

import fastact
from fastact.errors import FastactError, FileError, UnsupportedError
from fastact.files import open_model
from fastact.files import tflite_schema as schema

OF_OPERATOR = (
    "it is TensorFlow Lite's operator '{}', and no layer that fastact knows does what it does here: give the Keras "
    "file that the model was converted from"
)


def saved(tmp_path: Path, model: Table | bytes) -> Path:
    path = tmp_path / "a.tflite"
    path.write_bytes(model if isinstance(model, bytes) else encoded(model))
    return path


def refused(tmp_path: Path, model: Table | bytes, words: str, error: type[FastactError] = FileError) -> None:
    path = saved(tmp_path, model)
    before = time.process_time()
    with pytest.raises(error, match=words) as caught:
        fastact.load(path)
    assert time.process_time() - before < 10
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert not message.endswith(".")
    assert "none that fastact expects" not in message


def test_the_honest_file_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model())
    arrays = read(path)
    for layer, shapes in WANTED.items():
        for name, shape in shapes.items():
            np.testing.assert_array_equal(arrays[layer][name], ramp(*shape))
    assert [(n.name, n.class_name, n.shape) for n in fastact.load(path).nodes] == [
        ("image", "InputLayer", (8, 8, 3)),
        ("conv", "Conv2D", (6, 6, 4)),
        ("pool", "GlobalAveragePooling2D", (4,)),
        ("dense", "Dense", (2,)),
    ]


def test_weights_are_bounded_and_of_the_very_shape(tmp_path: Path) -> None:
    path = saved(tmp_path, small_model())
    with pytest.raises(FileError, match="needs 488 bytes for its weights, more than the limit of 487"):
        read(path, max_weight_bytes=487)
    assert read(path, max_weight_bytes=488)
    with pytest.raises(FileError, match=r"has the shape \(3, 3, 3, 4\), where its input implies \(3, 3, 3, 5\)"):
        read(path, {("conv",): {"kernel": (3, 3, 3, 5)}})
    with pytest.raises(FileError, match="holds no weight 'gamma' of layer 'conv' but 'bias', 'kernel'"):
        read(path, {("conv",): {"gamma": (4,)}})
    with pytest.raises(FileError, match="holds no weight 'kernel' of layer 'other' but nothing"):
        read(path, {("other",): {"kernel": (4,)}})


def test_depthwise_weights_go_by_both_names(tmp_path: Path) -> None:
    model = small_model()
    model[schema.Model.OPERATOR_CODES][0] = {schema.OperatorCode.BUILTIN_CODE: i32(4)}
    model[schema.Model.BUFFERS][1] = {schema.Buffer.DATA: ramp(3, 3, 6).tobytes()}
    model[schema.Model.BUFFERS][2] = {schema.Buffer.DATA: ramp(6).tobytes()}
    tensors_of(model)[1][schema.Tensor.SHAPE], tensors_of(model)[2][schema.Tensor.SHAPE] = [1, 3, 3, 6], [6]
    operators_of(model)[0] = operator(0, [0, 1, 2], [6], "DEPTHWISE_CONV_2D", padding=1, stride_w=1, stride_h=1)
    for name in ("kernel", "depthwise_kernel"):
        found = read(saved(tmp_path, model), {("conv",): {name: (3, 3, 3, 2)}})
        np.testing.assert_array_equal(found["conv",][name], ramp(3, 3, 3, 2))


# Sizes and places beyond the file.


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    content = encoded(small_model())
    path = tmp_path / "a.tflite"
    for size in range(8, len(content) - 1, 7):
        path.write_bytes(content[:size])
        with pytest.raises(FileError):
            read(path)


@pytest.mark.parametrize("length", [2**16, 2**31 - 1, 2**31, 2**32 - 1])
@pytest.mark.parametrize("field", [schema.Model.OPERATOR_CODES, schema.Model.SUBGRAPHS, schema.Model.BUFFERS, 7])
def test_vectors_longer_than_the_file(tmp_path: Path, field: int, length: int) -> None:
    refused(tmp_path, small_model() | {field: Raw(length)}, r"claims \d+ bytes at \d+ of a file of \d+")


@pytest.mark.parametrize("length", [2**31, 2**32 - 1])
@pytest.mark.parametrize("field", [schema.Tensor.SHAPE, schema.Tensor.NAME, schema.Tensor.SHAPE_SIGNATURE])
def test_fields_of_a_tensor_longer_than_the_file(tmp_path: Path, field: int, length: int) -> None:
    model = small_model()
    tensors_of(model)[1][field] = Raw(length)
    refused(tmp_path, model, "claims")


@pytest.mark.parametrize("length", [2**20, 2**32 - 1])
def test_a_buffer_longer_than_the_file(tmp_path: Path, length: int) -> None:
    model = small_model()
    model[schema.Model.BUFFERS][1] = {schema.Buffer.DATA: Raw(length)}
    refused(tmp_path, model, "claims")


@pytest.mark.parametrize(("offset", "size"), [(2**63, 432), (2**64 - 1, 2), (2, 2**64 - 1), (4096, 2**40)])
def test_a_large_buffer_beyond_the_file(tmp_path: Path, offset: int, size: int) -> None:
    model = small_model()
    model[schema.Model.BUFFERS][1] = {schema.Buffer.OFFSET: u64(offset), schema.Buffer.SIZE: u64(size)}
    refused(tmp_path, model, "claims")


def test_a_large_buffer_inside_the_file_is_read(tmp_path: Path) -> None:
    model = small_model()
    written = model[schema.Model.BUFFERS][1][schema.Buffer.DATA]
    for offset in (2**16, len(encoded(model))):  # the second time where it really is
        model[schema.Model.BUFFERS][1] = {schema.Buffer.OFFSET: u64(offset), schema.Buffer.SIZE: u64(len(written))}
        offset = len(encoded(model))
    model[schema.Model.BUFFERS][1][schema.Buffer.OFFSET] = u64(offset)
    path = saved(tmp_path, encoded(model) + written)
    np.testing.assert_array_equal(read(path)["conv",]["kernel"], ramp(3, 3, 3, 4))


def test_a_table_outside_the_file(tmp_path: Path) -> None:
    content = bytearray(encoded(small_model()))
    for root in (0, 4, len(content) - 2, 2**31, 2**32 - 1):
        content[:4] = root.to_bytes(4, "little")
        refused(tmp_path, bytes(content), "is damaged")


@pytest.mark.parametrize("back", [-(2**31), 2**31 - 1, 0, 1000])
def test_a_vtable_outside_the_file_or_none(tmp_path: Path, back: int) -> None:
    content = bytearray(encoded(small_model()))
    root = int.from_bytes(content[:4], "little")
    content[root : root + 4] = back.to_bytes(4, "little", signed=True)
    refused(tmp_path, bytes(content), "is damaged|no network")


# Numbers that point to nothing, or in circles.


def wired(place: int, inputs: list[int], outputs: list[int]) -> Callable[[Table], None]:
    def change(model: Table) -> None:
        operators_of(model)[place] |= {schema.Operator.INPUTS: inputs, schema.Operator.OUTPUTS: outputs}

    return change


def ends(field: int, numbers: list[int]) -> Callable[[Table], None]:
    return lambda model: graph_of(model).update({field: numbers})


WIRING = {
    "a tensor beyond the last": (wired(0, [99, 1, 2], [6]), "takes tensor 99 before it is given"),
    "a tensor before the first": (wired(0, [-2, 1, 2], [6]), "takes tensor -2 before"),
    "the smallest number": (wired(0, [-(2**31), 1, 2], [6]), "takes tensor -2147483648 before"),
    "its own result": (wired(0, [6, 1, 2], [6]), "takes tensor 6 before it is given"),
    "a circle of two": (wired(0, [7, 1, 2], [6]), "takes tensor 7 before it is given"),
    "a tensor given twice": (wired(1, [6, 3], [6]), "gives tensor 6, which is not its own"),
    "weights given": (wired(1, [6, 3], [1]), "gives tensor 1, which is not its own"),
    "the input given": (wired(1, [6, 3], [0]), "gives tensor 0, which is not its own"),
    "a result beyond the last": (wired(2, [7, 4, 5], [9]), "gives tensor 9, which is not its own"),
    "a result before the first": (wired(2, [7, 4, 5], [-1]), "gives tensor -1, which is not its own"),
    "no inputs": (ends(schema.SubGraph.INPUTS, []), "has no inputs"),
    "an input twice": (ends(schema.SubGraph.INPUTS, [0, 0]), "has no inputs, or one of them twice"),
    "weights as an input": (ends(schema.SubGraph.INPUTS, [0, 1]), "takes tensor 1 as an input"),
    "an input beyond the last": (ends(schema.SubGraph.INPUTS, [0, 99]), "takes tensor 99 as an input"),
    "no outputs": (ends(schema.SubGraph.OUTPUTS, []), "gives no outputs"),
    "an output beyond the last": (ends(schema.SubGraph.OUTPUTS, [99]), "gives no outputs, or such as nothing computes"),
    "weights as the only output": (ends(schema.SubGraph.OUTPUTS, [1]), "computes nothing from its inputs"),
    "an operator of no kind": (lambda m: operators_of(m)[0].update({0: u32(3)}), "is of kind 3 of 3"),
    "another operator's options": (lambda m: operators_of(m)[0].update({3: i8(8)}), "has the options of another"),
    "a buffer beyond the last": (lambda m: tensors_of(m)[1].update({2: u32(6)}), "is in buffer 6 of 6"),
    "a type of no kind": (lambda m: tensors_of(m)[1].update({1: i8(99)}), "is of an unknown type, 99"),
    "a negative length": (lambda m: tensors_of(m)[1].update({0: [-4, 3, 3, 3]}), "has the shape"),
    "a length of zero": (lambda m: tensors_of(m)[1].update({0: [0, 3, 3, 3]}), "has 432 bytes, where its shape"),
    "another length": (lambda m: tensors_of(m)[1].update({0: [5, 3, 3, 3]}), "where its shape .* needs 540"),
    "a product beyond 64 bits": (lambda m: tensors_of(m)[1].update({0: [2**31 - 1] * 8}), "has 432 bytes"),
    "nine axes": (lambda m: tensors_of(m)[1].update({0: [1] * 9}), "has 9 axes, more than 8"),
    "two shapes": (lambda m: tensors_of(m)[0].update({7: [-1, 9, 8, 3]}), "has the shapes"),
    "shapes of two ranks": (lambda m: tensors_of(m)[0].update({7: [-1, 8, 8]}), "has the shape"),
    "another file": (lambda m: tensors_of(m)[1].update({10: u32(1)}), "keeps weights in another file"),
    "no subgraph": (lambda m: m.pop(schema.Model.SUBGRAPHS), "holds no network"),
}


@pytest.mark.parametrize("name", WIRING)
def test_wrong_wiring(tmp_path: Path, name: str) -> None:
    change, words = WIRING[name]
    model = small_model()
    change(model)
    refused(tmp_path, model, words)


def test_shapes_that_disagree_between_operators(tmp_path: Path) -> None:
    """What a layer gets is computed, never believed: weights that do not fit it are not taken."""
    model = small_model()
    tensors_of(model)[0] |= {schema.Tensor.SHAPE: [1, 8, 8, 5], schema.Tensor.SHAPE_SIGNATURE: [-1, 8, 8, 5]}
    nodes = fastact.load(saved(tmp_path, model)).layers
    assert nodes["conv"].reason == OF_OPERATOR.format("CONV_2D")
    assert nodes["dense"].reason is not None


def test_sparse_and_quantised_weights(tmp_path: Path) -> None:
    model = small_model()
    tensors_of(model)[1][schema.Tensor.SPARSITY] = {}
    refused(tmp_path, model, "holds sparse weights", UnsupportedError)
    model = small_model()
    tensors_of(model)[1] |= {schema.Tensor.TYPE: i8(schema.TYPES.index("INT8"))}
    model[schema.Model.BUFFERS][1] = {schema.Buffer.DATA: bytes(108)}
    refused(tmp_path, model, "is quantised .* convert the model without optimizations", UnsupportedError)


def test_a_constant_is_as_long_as_its_bytes(tmp_path: Path) -> None:
    """A length that the file leaves open beside the bytes would make one number of a bias of four."""
    model = small_model()
    tensors_of(model)[2][schema.Tensor.SHAPE_SIGNATURE] = [-1]
    np.testing.assert_array_equal(read(saved(tmp_path, model))["conv",]["bias"], ramp(4))
    codes = model[schema.Model.OPERATOR_CODES]
    codes[1] = {schema.OperatorCode.BUILTIN_CODE: i32(schema.OPERATORS.index("ADD"))}
    operators_of(model)[1] = operator(1, [6, 2], [7], "ADD")
    tensors_of(model)[7][schema.Tensor.SHAPE] = [1, 6, 6, 4]
    node = fastact.load(saved(tmp_path, model)).nodes[2]
    assert node.class_name == "BatchNormalization"  # Rescaling would add the first of the four numbers to all


def test_weights_of_another_type_are_not_taken(tmp_path: Path) -> None:
    model = small_model()
    tensors_of(model)[1] |= {schema.Tensor.TYPE: i8(schema.TYPES.index("INT32"))}
    assert fastact.load(saved(tmp_path, model)).layers["conv"].reason is not None


# Names.


@pytest.mark.parametrize(
    "name",
    [
        "",
        ";;;",
        "/",
        "a/" * 5000,
        "\x1b[2J/x/y",
        "x" * 2**20,
        "\ud800".encode("utf-8", "replace"),
        "small/a:b:/c_9:9/Relu",
    ],
)
def test_names_of_all_kinds(tmp_path: Path, name: str | bytes) -> None:
    model = small_model()
    tensors_of(model)[6][schema.Tensor.NAME] = name
    model[schema.Model.SIGNATURES] = []
    layers = fastact.load(saved(tmp_path, model)).layers
    assert len(layers) == 4
    assert all(n.isprintable() and 0 < len(n) < 1000 for n in layers)


@pytest.mark.parametrize("name", ["{0}" + "/a" * 4000, "m/l{0}/Relu_{0};" * 500, "m/l{0}/while/a/" + "x/" * 3000])
def test_deep_names_take_time_and_memory_in_proportion(tmp_path: Path, name: str) -> None:
    model = chain(1500)
    for place, one in enumerate(tensors_of(model)):
        one[schema.Tensor.NAME] = name.format(place)[:8000]
    path = saved(tmp_path, model)
    before, held = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fastact.load(path)
    assert time.process_time() - before < 30
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held < 300 * 1024


def test_the_same_name_for_all(tmp_path: Path) -> None:
    model = small_model()
    for one in tensors_of(model):
        one[schema.Tensor.NAME] = "image"
    assert set(fastact.load(saved(tmp_path, model)).layers) == {"image", "conv_2d", "mean", "dense"}


def test_operators_of_unknown_kinds_are_named(tmp_path: Path) -> None:
    model = small_model()
    custom = {schema.OperatorCode.BUILTIN_CODE: i32(32), schema.OperatorCode.CUSTOM_CODE: "Conv2D\n"}
    for code, kind in [
        (custom, "CUSTOM Conv2D?"),
        ({schema.OperatorCode.BUILTIN_CODE: i32(9999)}, "OPERATOR 9999"),
    ]:
        model[schema.Model.OPERATOR_CODES][1] = code
        layers = fastact.load(saved(tmp_path, model)).layers
        assert layers["conv"].reason is None
        assert layers["pool"].reason == OF_OPERATOR.format(kind)
        assert layers["dense"].reason == "it needs 'pool', which is not computed"


# Amplification: small files that claim much work or memory.


def many_tensors(count: int, name: str) -> Table:
    model = small_model()
    one = tensor(name, [1, 4])
    graph_of(model)[schema.SubGraph.TENSORS] = tensors_of(model) + [one] * count
    return model


def test_more_of_everything_than_is_read(tmp_path: Path) -> None:
    refused(tmp_path, many_tensors(70_000, "x"), "has 70009 tensors, more than 65536")
    model = small_model()
    graph_of(model)[schema.SubGraph.OPERATORS] = operators_of(model)[:1] * 20_001
    refused(tmp_path, model, "has 20001 operators, more than 20000")
    refused(tmp_path, many_tensors(60_000, "x" * 8192), "description comes to more than")


def chain(count: int) -> Table:
    """`count` activations one after the other."""
    model = small_model()
    model[schema.Model.OPERATOR_CODES].append({schema.OperatorCode.BUILTIN_CODE: i32(schema.OPERATORS.index("RELU"))})
    first = len(tensors_of(model))
    tensors_of(model).extend(tensor(f"small/relu_{i}/Relu", [1, 2]) for i in range(count))
    operators_of(model).extend(operator(3, [8 if i == 0 else first + i - 1], [first + i]) for i in range(count))
    graph_of(model)[schema.SubGraph.OUTPUTS] = [first + count - 1]
    return model


def test_long_chains_take_time_in_proportion(tmp_path: Path) -> None:
    path = saved(tmp_path, chain(15_000))
    before = time.process_time()
    with open_model(path) as model:
        assert len(model.config["config"]["layers"]) == 15_004
    assert time.process_time() - before < 20


def test_memory_stays_bounded(tmp_path: Path) -> None:
    """Peaks of a process that opens attacks one after the other; the honest file comes first."""
    models: dict[str, Table | bytes] = {
        "honest": small_model(),
        "vector": small_model() | {schema.Model.BUFFERS: Raw(2**32 - 1)},
        "names": many_tensors(60_000, "x" * 8192),
        "tensors": many_tensors(65_000, "x"),
    }
    large = small_model()
    large[schema.Model.BUFFERS][1] = {schema.Buffer.OFFSET: u64(2**20), schema.Buffer.SIZE: u64(3 * 2**30)}
    tensors_of(large)[1][schema.Tensor.SHAPE] = [4, 3, 3, 22369621]
    paths = []
    for name, model in models.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(model if isinstance(model, bytes) else encoded(model))
    paths.append(tmp_path / "large")
    with paths[-1].open("wb") as file:
        file.write(encoded(large))
        file.truncate(4 * 2**30)  # a file with holes: it claims no more than it has
    program = str(Path(__file__).with_name("hostile.py"))
    done = subprocess.run(
        [sys.executable, program, "open", *map(str, paths)],
        capture_output=True, text=True, timeout=600, check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    for line in done.stdout.splitlines():
        result = json.loads(line)
        assert result["grown_kib"] < 300 * 1024, result
        assert (result["end"] == "read") == (result["file"] in ("honest", "tensors")), result
