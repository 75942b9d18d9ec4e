"""JSON in archives that attacks its reader: bombs, wrong types in every place, names of code."""

from __future__ import annotations

import contextlib
import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hdf5_attacks import refused
from hostile import (
    WANTED,
    configuration,
    layer,
    members,
    read,
    write_archive,
    write_model,
    write_numbered,
)

import fastact
from fastact.errors import FastactError


@pytest.mark.parametrize("name", ["config.json", "metadata.json"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "is nested more than 100 deep"),
        (b'{"a": 1, "a": 2}', "same key twice"),
        (b'{"a": NaN}', "holds NaN"),
        (b"{\xff}", "is not UTF-8"),
        (b"", "is not valid JSON"),
        (b"[" + b"{}," * 600_000 + b"{}]", "more than 1000000 values"),
        (b"1" * (2**24 + 1), "more than the 16777216 that are taken into memory"),
    ],
    ids=range(7),
)
def test_json_that_attacks_a_parser(tmp_path: Path, name: str, text: bytes, words: str) -> None:
    parts = [(member, text if member == name else data) for member, data in members()]
    refused(write_archive(tmp_path / "a.keras", parts), words)


def places_in(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places_in(inner, (*above, key))


def with_value(config: Any, place: tuple[Any, ...], value: object) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(config)
    parent = changed
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    return changed


WRAPPED = {
    "class_name": "Functional",
    "config": {
        "name": "m",
        "layers": [
            layer("InputLayer", "image", batch_input_shape=[None, 8, 8, 3]),
            layer("TimeDistributed", "td", layer=layer("Conv2D", "conv", filters=4, kernel_size=[3, 3])),
            layer("Bidirectional", "bi", layer=layer("LSTM", "l", units=3), backward_layer=layer("GRU", "g", units=3)),
            layer(
                "RNN", "rnn", cell=layer("StackedRNNCells", "s", cells=[layer("LSTMCell", "a"), layer("GRUCell", "b")])
            ),
            layer("TimeDistributed", "of", layer={**layer("Functional", "inner", layers=[layer("Dense", "d")])}),
        ],
    },
}
ASKED = {
    ("td",): {"kernel": (3, 3, 3, 4)},
    ("bi",): {"forward/kernel": (3, 3), "backward/kernel": (3, 3)},
    ("rnn",): {"0/kernel": (3, 3), "1/kernel": (3, 3)},
    ("of", "d"): {"kernel": (3, 3)},
}


@pytest.mark.parametrize(("config", "wanted"), [(configuration(), WANTED), (WRAPPED, ASKED)], ids=["plain", "wrapped"])
def test_wrong_types_everywhere(tmp_path: Path, config: Any, wanted: Any) -> None:
    """Whatever stands in the place of a value, the error is one of fastact's, in every format."""
    values: list[object] = [None, 3, -1, 1e300, "x", "", [], {}, [[]], [None], {"config": None}, True]
    path, legacy, alone = tmp_path / "a.keras", tmp_path / "a.h5", write_numbered(tmp_path / "a.weights.h5")
    for index, place in enumerate(places_in(config)):
        for value in values[index % 6 :: 6] if place else values:
            changed = with_value(config, place, value)
            write_archive(path, members(config=changed))
            write_model(legacy, config=changed)
            (tmp_path / "a.json").write_text(json.dumps(changed))
            for file, given in ((path, None), (legacy, None), (alone, tmp_path / "a.json")):
                for use in (lambda f, g: fastact.load(f, config=g), lambda f, g: read(f, wanted, config=g)):
                    with contextlib.suppress(FastactError):
                        use(file, given)


def test_nothing_that_a_file_names_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    chained = [[["image", 0, 0, {}]]]
    config = configuration()
    config["config"]["layers"][0]["inbound_nodes"] = []
    config["config"]["layers"][1:] = [
        {**layer("Lambda", "l", function=code), "module": "keras.layers", "inbound_nodes": chained},
        {
            **layer("Attack", "a", fn={"module": "evil_module", "class_name": "function", "config": "run"}),
            "registered_name": "evil_module>Attack", "module": "evil_module", "inbound_nodes": chained,
        },
        {**layer("TFSMLayer", "t", filepath="/etc/passwd"), "module": "keras.layers", "inbound_nodes": chained},
        {**layer("Conv2D", "conv", filters=4, kernel_size=[3, 3]), "inbound_nodes": chained},
    ]  # fmt: skip
    config["config"] |= {"input_layers": [["image", 0, 0]], "output_layers": [["conv", 0, 0]]}
    config |= {"module": "evil_module", "build_config": {"x": 1}, "compile_config": {"module": "evil_module"}}
    path = write_archive(tmp_path / "a.keras", members(config=config))
    (tmp_path / "b.json").write_text(json.dumps(config))
    alone = write_numbered(tmp_path / "b.weights.h5")
    for model in (fastact.load(path), fastact.load(alone, config=tmp_path / "b.json")):
        reasons = {node.name: node.reason for node in model.nodes}
        assert reasons["image"] is None
        assert reasons["conv"] is None
        for name, class_name in (("l", "Lambda"), ("a", "Attack"), ("t", "TFSMLayer")):
            assert class_name in str(reasons[name])
    assert "evil_module" not in sys.modules
