"""How exact fastact's maps are, beside TensorFlow's: `python -m benchmarks.exactness`.

Runs the networks of `tests/corpus.py`, which `make corpus` tests, and makes a table of every one's largest errors.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import math
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from corpus import H5, NETWORKS, TFLITE, Difference, Subject, difference, maps_of
from oracles import reference_maps

import fastact
from benchmarks.common import BenchmarkError, cores, cpu_name, markdown, replace_file, run_command
from fastact.bench.peers.rivals import version_of

HEAD = ("network", "Keras", "files", "layers", "fastact", "in layer", "TensorFlow there", "TensorFlow", "ratio", "over")

ABOUT = """# Exactness

Made by `make exactness`; `make corpus` is the same as a test. On {machine}, {versions}, {date}.

Every network has weights drawn at random, biases and running statistics too, and is shown two pictures. Every layer's
map is computed three times: by fastact from the file, by Keras, and by the plain NumPy references of
`kernels/reference/` in float64 from the same float32 weights. The error of a map is its largest difference from the
float64 one, in units of the largest value of that layer. Rounding errors of a layer are carried into the next, so they
grow with depth.

- **fastact** is its largest error in any of the layers, found in the layer named beside it; **TensorFlow there** is
  Keras's error in the same layer, and **TensorFlow** Keras's largest in any layer.
- **ratio** is the largest of fastact's error to Keras's in one layer, two units in the last place ({rounding:.1e})
  being taken off fastact's: the largest of a few rounding errors is as much luck as skill, and Keras's may have been
  none. The test's bound is 2. **over** counts the layers whose error is more than twice Keras's with nothing taken off.
- **files** lists what gave these very maps, to the bit. A `.tflite` file has a row of its own, held against the Keras
  model it was converted from: the converter folds normalizations into weights and rounds them, so that part of the
  error is in the file. Its **layers** are those that still have a Keras layer's name.

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
    parser.add_argument("--jobs", type=int, default=cores(), help="networks measured at a time, by default %(default)s")
    arguments = parser.parse_args()
    chosen = [n for n in NETWORKS if not arguments.networks or any(part in n.name for part in arguments.networks)]
    if not chosen:
        raise BenchmarkError(f"no network is called so; there are {', '.join(n.name for n in NETWORKS)}")
    work = [(network.name, keras) for network in chosen for keras in network.keras]
    # A process of its own for each: TensorFlow does not give memory back.
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, maxtasksperchild=1) as processes:
        rows = list(_told(row for found in processes.imap(_measured, work) for row in found))
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


def _measured(work: tuple[str, str]) -> list[tuple[str, ...]]:
    """The rows of a network made by one Keras: of the files that hold its very weights, and of the .tflite file."""
    name, keras_name = work
    (network,) = (one for one in NETWORKS if one.name == name)
    keras = importlib.import_module(keras_name)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        subject = Subject.of(network, keras, folder)
        unlike = {kind: subject.unlike(kind, folder) for kind in subject.lossless}
        if any(unlike.values()):
            raise BenchmarkError(f"{name}, {keras_name}: other maps than from the .h5 file: {unlike}")
        converted = subject.differences(maps_of(subject.in_tflite(folder), subject.inputs))
        first = (name, str(keras.__version__))
        return [_row(*first, ", ".join([H5, *unlike]), subject.differences()), _row(*first, TFLITE, converted)]


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
    ratios = [(d.ours - ROUNDING) / d.theirs for d in found.values() if d.ours > ROUNDING and d.theirs]
    if any(d.ours > ROUNDING and not d.theirs for d in found.values()):
        ratios.append(math.inf)
    ratio = f"{max(ratios):.2f}" if ratios else "0"
    over = sum(d.ours > 2 * d.theirs for d in found.values())
    there, largest = found[worst].theirs, max(d.theirs for d in found.values())
    errors = (f"{found[worst].ours:.1e}", f"`{worst}`", f"{there:.1e}", f"{largest:.1e}")
    return (name, keras, files, str(len(found)), *errors, ratio, str(over))


if __name__ == "__main__":
    run_command(main)
