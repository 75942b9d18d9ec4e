"""Coverage-guided fuzzing of one target: `python tests/fuzz/guided.py TARGET FINDINGS FOLDER… [-options of libFuzzer]`.

An input that ends as it must not is put into the folder of findings, one for each place in the code, and fuzzing goes
on. Crashes of the process, inputs that take too long and inputs that take too much memory end it, and are put there,
too.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import atheris

with atheris.instrument_imports(include=["fastact"]):
    import fastact.cli.info
    import fastact.extractor
    import fastact.files.keras_archive
    import fastact.files.legacy_h5
    import fastact.files.tf_saved_model
    import fastact.files.tflite
    import fastact.files.weights_h5
    import fastact.layers

from fuzz import mutators, targets

SECONDS, MEGABYTES = 20, 1500
"""What one input may take; instrumented code is several times slower than fastact is."""


def place(error: BaseException) -> str:
    """What tells findings apart: the kind of error and the last line of fastact's that it came through."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/fastact/" in f.filename]
    where = f"{Path(frames[-1].filename).stem}-{frames[-1].lineno}" if frames else "nowhere"
    return f"{type(error).__name__}-{where}"


def main() -> None:
    name, findings, *rest = sys.argv[1:]
    target = targets.TARGETS[name]
    out = Path(findings) / name
    out.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)) / "input"

    def one(data: bytes) -> None:
        try:
            target(data, scratch)
        except Exception as error:
            to = out / place(error)
            if not to.exists():
                to.write_bytes(data)
                traceback.print_exc()

    mutate = mutators.of_configuration if name == "configuration" else mutators.of_file

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        return mutate(data, most, random.Random(seed), atheris.Mutate)

    def crossed(one: bytes, other: bytes, most: int, seed: int) -> bytes:
        return mutators.crossed(one, other, most, random.Random(seed))

    arguments = [sys.argv[0], f"-artifact_prefix={out}/", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}", *rest]
    crossing = {"custom_crossover": crossed} if name == "configuration" else {}
    with targets.unchecked():
        atheris.Setup(arguments, one, custom_mutator=mutated, **crossing)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
