"""Damaged files end in an error of fastact's or are read, and nothing else; ``FASTACT_FUZZ=N`` sets how many.

The mutations run in a process of their own, since the HDF5 library itself may crash on a damaged file; then the
test fails and says which mutation it was. The default, 1500, takes five seconds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from hostile import configuration, read, write_archive, write_model, write_numbered

COUNT = int(os.environ.get("FASTACT_FUZZ", "1500"))
SEED = int(os.environ.get("FASTACT_FUZZ_SEED", "0"))


def test_mutated_files(tmp_path: Path) -> None:
    zipped = {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True}
    originals = [
        write_model(tmp_path / "earliest.h5"),
        write_model(tmp_path / "latest.h5", file_options={"libver": "latest"}),
        write_model(tmp_path / "zipped.h5", dataset_options=zipped),
    ]
    originals += [
        write_archive(tmp_path / "stored.keras"),
        write_archive(tmp_path / "deflated.keras", compression=zipfile.ZIP_DEFLATED),
    ]
    for path in originals:
        read(path)
    (tmp_path / "config.json").write_text(json.dumps(configuration()))
    alone = write_numbered(tmp_path / "alone.weights.h5", names={"layers/conv2d": "conv", "layers/dense": "dense"})
    read(alone, config=tmp_path / "config.json")
    program = str(Path(__file__).with_name("hostile.py"))
    done = subprocess.run(
        [sys.executable, program, "fuzz", str(tmp_path), str(SEED), str(COUNT)],
        capture_output=True,
        text=True,
        timeout=600 + COUNT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )
    last = (tmp_path / "progress.txt").read_text()
    assert done.returncode == 0, f"{last} ended with {done.returncode}: {done.stderr[-2000:]}"
    ends = json.loads(done.stdout)
    assert ends["read"] + ends["refused"] == COUNT
    # Mutations that all or never harm would test nothing.
    assert min(ends.values()) > COUNT // 10
