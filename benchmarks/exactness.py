"""How exact fastact's maps are, beside TensorFlow's: `python -m benchmarks.exactness`.

Runs the networks of `tests/corpus.py`, which `make corpus` tests, and makes a table of every one's largest errors.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from corpus import H5, NETWORKS, TFLITE, Difference, Network, Subject, difference, maps_of
from oracles import reference_maps

import fastact
from benchmarks.common import BenchmarkError, cpu_name, markdown, replace_file, run_command, version_of

HEAD = ("network", "Keras", "files", "layers", "fastact", "in layer", "TensorFlow there", "TensorFlow", "ratio")

ABOUT = """# Exactness

Made by `make exactness`; `make corpus` is the same as a test. On {machine}, {versions}, {date}.

Every network has weights drawn at random, biases and running statistics too, and is shown two pictures. Every layer's
map is computed three times: by fastact from the file, by Keras, and by the plain NumPy references of
`kernels/reference/` in float64 from the same float32 weights. The error of a map is its largest difference from the
float64 one, in units of the largest value of that layer. Rounding errors of a layer are carried into the next, so they
grow with depth.

- **fastact** is its largest error in any of the layers, found in the layer named beside it; **TensorFlow there** is
  Keras's error in the same layer, and **TensorFlow** Keras's largest in any layer.
- **ratio** is the largest of fastact's error to Keras's in one layer, among layers where fastact's is more than two
  units in the last place ({rounding:.1e}): below that it is chance who was exactly right. The bound is 2.
- **files** lists what gave these very maps, to the bit. A `.tflite` file has a row of its own, held against the Keras
  model it was converted from: the converter folds normalizations into weights and rounds them, so that part of the
  error is in the file. Its **layers** are those that still have a Keras layer's name. An LSTM is a loop there, which
  fastact does not compute: the rnn pilot's `.tflite` row ends before it.

"""

ELSEWHERE = """
## Trained files

Files in the folder FASTACT_CORPUS, each with the maps TensorFlow gave for one picture when it was written.

"""

ROUNDING = 2.0**-22


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness", description=__doc__)
    parser.add_argument("networks", nargs="*", help="parts of names; by default all networks")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the document there")
    arguments = parser.parse_args()
    chosen = [n for n in NETWORKS if not arguments.networks or any(part in n.name for part in arguments.networks)]
    if not chosen:
        raise BenchmarkError(f"no network is called so; there are {', '.join(n.name for n in NETWORKS)}")
    rows = list(_told(row for network in chosen for keras in network.keras for row in _measured(network, keras)))
    text = ABOUT.format(
        machine=cpu_name(),
        versions=_versions(),
        date=datetime.date.today().isoformat(),
        frames="two",
        rounding=ROUNDING,
    )
    text += markdown(HEAD, rows) + "\n"
    if "FASTACT_CORPUS" in os.environ:
        text += ELSEWHERE + markdown(HEAD, list(_told(_recorded(Path(os.environ["FASTACT_CORPUS"]))))) + "\n"
    if arguments.write:
        replace_file(arguments.write, text)
    return 0


def _versions() -> str:
    packages = {"Keras": ["keras"], "tf-keras": ["tf-keras"], "TensorFlow": ["tensorflow-cpu", "tensorflow"]}
    return ", ".join(f"{name} {version_of(found)}" for name, found in ({"NumPy": ["numpy"]} | packages).items())


def _told(rows: Iterator[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        print(" | ".join(row), flush=True)
        yield row


def _measured(network: Network, keras_name: str) -> Iterator[tuple[str, ...]]:
    keras = importlib.import_module(keras_name)
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject.of(network, keras, Path(folder))
        unlike = {kind: subject.unlike(kind, Path(folder)) for kind in subject.lossless}
        if any(unlike.values()):
            raise BenchmarkError(f"{network.name}, {keras_name}: other maps than from the .h5 file: {unlike}")
        name = (network.name, str(keras.__version__))
        yield _row(*name, ", ".join([H5, *unlike]), subject.differences())
        model = subject.in_tflite(Path(folder))
        yield _row(*name, TFLITE, subject.differences(maps_of(model, subject.inputs)))


def _recorded(folder: Path) -> Iterator[tuple[str, ...]]:
    """The files in a folder that have a .npz of TensorFlow's maps beside them: `in/NAME` and `out/LAYER`."""
    for path in sorted(p for kind in ("h5", "keras", "tflite") for p in folder.glob(f"*.{kind}")):
        if not path.with_suffix(".npz").exists():
            continue
        with np.load(path.with_suffix(".npz")) as file:
            arrays = {key: file[key][0] for key in file.files}
        model = fastact.load(path)
        inputs = {key[3:]: array for key, array in arrays.items() if key.startswith("in/")}
        ours, exact = fastact.Extractor(model, "all")(inputs), reference_maps(model, inputs)
        theirs = {key[4:]: array for key, array in arrays.items() if key.startswith("out/") and key[4:] in ours}
        found = {name: difference(ours[name], array, exact[name]) for name, array in theirs.items()}
        yield _row(path.name, "", path.suffix, found)


def _row(name: str, keras: str, files: str, found: Mapping[str, Difference]) -> tuple[str, ...]:
    worst = max(found, key=lambda layer: found[layer].ours)
    ratios = [d.ours / d.theirs if d.theirs else float("inf") for d in found.values() if d.ours > ROUNDING]
    errors = (found[worst].theirs, max(d.theirs for d in found.values()))
    ratio = f"{max(ratios):.2f}" if ratios else "-"
    there, largest = (f"{error:.1e}" for error in errors)
    return (name, keras, files, str(len(found)), f"{found[worst].ours:.1e}", f"`{worst}`", there, largest, ratio)


if __name__ == "__main__":
    run_command(main)
