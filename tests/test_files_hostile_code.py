"""Files that name code and other files: whatever the format, nothing of it is imported, opened, decoded or run.

A process reports, by Python's audit hook, everything that it opens, imports, compiles, unmarshals, unpickles or starts
while it loads them (CVE-2024-3660, CVE-2025-1550, CVE-2025-8747, CVE-2025-9905, CVE-2025-9906, CVE-2025-12058,
CVE-2026-1462).
"""

from __future__ import annotations

import base64
import json
import marshal
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tf_files
from fuzz import corpus
from hostile import layer, members, numbered, write_archive, write_model

PROGRAM = """
import json, sys
import fastact
from fastact.layers import registry
registry()  # loads every family of layers, which are fastact's own files, before anything is watched
seen = []
def hook(event, arguments):
    if event in WATCHED or event.startswith(("socket.", "subprocess.", "ctypes.", "urllib.", "shutil.", "tempfile.")):
        seen.append([event, str(arguments[0]) if arguments else ""])
WATCHED = {"open", "import", "exec", "compile", "marshal.loads", "marshal.load", "pickle.find_class", "os.system",
           "os.exec", "os.posix_spawn", "os.fork", "code.__new__", "function.__new__", "os.listdir", "os.scandir"}
for number, path in enumerate(sys.argv[2:]):
    model = fastact.load(path, config=sys.argv[1] or None)
    if number == 0:
        sys.addaudithook(hook)
print(json.dumps({"seen": seen, "reasons": {n.name: n.reason for n in model.nodes}}))
"""

CODE = base64.b64encode(marshal.dumps(compile("raise SystemExit('run')", "x", "exec"))).decode()
EVIL: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "keras_2_lambda": ("Lambda", {"function": [CODE, None, None], "function_type": "lambda"}, {}),
    "keras_3_lambda": (
        "Lambda",
        {"function": {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}},
        {"module": "keras.layers"},
    ),
    "function_by_name": (
        "Lambda",
        {"function": "system", "module": "os", "function_type": "function", "arguments": {"command": "true"}},
        {"module": "keras.layers"},
    ),
    "saved_model_layer": ("TFSMLayer", {"filepath": "FOLDER/other", "call_endpoint": "serve"}, {}),
    "custom": ("Attack", {}, {"module": "evil_module", "registered_name": "evil_module>Attack"}),
    "keras_utility": (
        "get_file",
        {"origin": "http://127.0.0.1:9/x"},
        {"module": "keras.utils", "registered_name": None},
    ),
    "vocabulary": ("StringLookup", {"vocabulary": "FOLDER/secret", "max_tokens": None}, {}),
    "integer_vocabulary": ("IntegerLookup", {"vocabulary": "FOLDER/secret"}, {}),
    "text_vocabulary": ("TextVectorization", {"vocabulary": "FOLDER/secret"}, {}),
    "torch_module": ("TorchModuleWrapper", {"module": CODE}, {"module": "keras.src.utils.torch_utils"}),
    "activation": (
        "Activation",
        {"activation": {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "exec"}},
        {},
    ),
    "inner_layer": (
        "TimeDistributed",
        {"layer": {"module": "evil_module", "class_name": "Lambda", "config": {"name": "l", "function": [CODE] * 3}}},
        {},
    ),
    "inner_cell": (
        "Bidirectional",
        {"layer": {"module": "evil_module", "class_name": "Attack", "config": {"name": "l"}}, "merge_mode": "concat"},
        {},
    ),
    "cells": ("RNN", {"cell": {"module": "evil_module", "class_name": "Attack", "config": {"name": "l"}}}, {}),
}


def evil_network(folder: Path, version: int) -> dict[str, Any]:
    """The small network with one of each layer beside it, at its top and in a nested model."""
    config = corpus.network(version)
    inside = [layer("InputLayer", "in", batch_input_shape=[None, 8, 8, 3])]
    for name, (class_name, entries, around) in EVIL.items():
        text = json.dumps(entries).replace("FOLDER", str(folder))
        for listed, before in ((config["config"]["layers"], "image"), (inside, "in")):
            one = {**layer(class_name, name, **json.loads(text)), **around}
            one["inbound_nodes"] = [corpus.call(before, version)]
            listed.append(one)
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [[name, 0, 0] for name in EVIL]}
    nested = {**layer("Functional", "tower", layers=inside, **ends)}
    nested["inbound_nodes"] = [corpus.call("image", version)]
    config["config"]["layers"].append(nested)
    config["config"]["output_layers"] += [[name, 0, 0] for name in EVIL]
    return config


def hdf5(path: Path, config: dict[str, Any]) -> Path:
    return write_model(path, config=config)


def archive(path: Path, config: dict[str, Any]) -> Path:
    assets = [("assets/vocabulary.txt", b"a\nb\n"), ("assets/../../x.py", b"raise SystemExit('extracted')")]
    return write_archive(path, [*members(config=config), *assets])


def saved_model(path: Path, config: dict[str, Any]) -> Path:
    files = tf_files.small()
    files.records[0] |= config
    return files.write(path)


def weights_alone(path: Path, config: dict[str, Any]) -> Path:
    path.write_bytes(numbered())
    return path


@pytest.mark.parametrize("make", [hdf5, archive, saved_model, weights_alone], ids=lambda make: make.__name__)
def test_nothing_that_a_file_names_is_touched(make: Callable[[Path, dict[str, Any]], Path], tmp_path: Path) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    (tmp_path / "secret").write_text("secret\n")
    version = 2 if make in (hdf5, saved_model) else 3
    config = evil_network(tmp_path, version)
    given = ""
    if make is weights_alone:
        given = str(tmp_path / "config.json")
        Path(given).write_text(json.dumps(config))
    path = make(tmp_path / "model", config)
    honest = make(tmp_path / "honest", corpus.network(version))
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, given, str(honest), str(path)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(tmp_path)])},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    own = {str(path), given, *(str(p) for p in path.rglob("*")), *(p.name for p in path.rglob("*")), "variables"}
    strange = [event for event in found["seen"] if event[0] != "open" or event[1] not in own]
    assert not strange
    assert any(event[0] == "open" for event in found["seen"])  # the hook sees what there is to see
    for name in EVIL:
        assert found["reasons"][name], name
        assert found["reasons"][f"tower/{name}"], name
