"""fastact's parts in the real loop of donkeycar, with its camera mock and web server, and beside its own code.

donkeycar wants other versions of libraries than the tests, so it has an environment of its own, `.donkey`, which `make
test` makes; `make car` drives for ten minutes.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import KERAS2
from donkey.watch import watch
from pilots import PILOTS

HERE = Path(__file__).parent
CAR = Path(os.environ.get("FASTACT_CAR", HERE.parent / ".donkey"))
PYTHON = CAR / "bin" / "python"
SECONDS = float(os.environ.get("FASTACT_CAR_SECONDS", "20"))

NO_CAR = CAR / "no-car"
pytestmark = pytest.mark.skipif(
    not PYTHON.exists(),
    reason=NO_CAR.read_text().strip() if NO_CAR.exists() else "donkeycar's environment is not made: `make test` does",
)


def beside(*arguments: object) -> None:
    result = subprocess.run(
        [PYTHON, "beside.py", *map(str, arguments)], cwd=HERE / "donkey", capture_output=True, text=True, timeout=600
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert "as donkeycar has it" in result.stdout


@pytest.mark.parametrize("check", ["masks", "configs", "trouble", "controller", "slow"])
def test_beside_donkeycar(check: str) -> None:
    beside(check)


def test_commands_are_those_of_donkeycar_s_pilots(keras_named: Callable[[str], Any], tmp_path: Path) -> None:
    keras = keras_named(KERAS2)
    for case in PILOTS:
        keras.utils.set_random_seed(11)
        case.make(keras).save(tmp_path / f"{case.id}.h5")
    beside("pilots", tmp_path)


@pytest.mark.alone
def test_a_drive() -> None:
    """At 20 Hz: the loop keeps its rate, memory stays, pictures come over HTTP, and the thread ends with the car."""
    command = [PYTHON, "-u", "drive.py", "--seconds", str(SECONDS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=HERE / "donkey", stdout=pipe, stderr=pipe, text=True) as car:
        try:
            assert car.stdout is not None
            port = next(int(line.split()[1]) for line in car.stdout if line.startswith("port "))
            watched = watch(port, SECONDS / 2, least=4 * SECONDS / 2)
            out, err = car.communicate(timeout=SECONDS + 600)
        finally:
            car.kill()
    assert car.returncode == 0, err[-4000:]
    figures = json.loads(out.splitlines()[-1])
    report(figures, watched.different)
    assert figures["loops"] == round(SECONDS * 20)
    by_turns = figures["rates_by_turns"]
    assert max(by_turns["with"]) > 0.95 * max(by_turns["without"])
    assert figures["part_ms"]["median"] < 2
    memory = figures["megabytes"]
    assert np.mean(memory[-3:]) - np.mean(memory[:3]) < 6
    assert figures["thread_ended"]
    assert abs(figures["angle"]) <= 1.5
    assert watched.sizes == {(800, 600)}
    assert watched.different > 4 * SECONDS / 2


def report(figures: dict[str, Any], different: int) -> None:
    """Writes what `make car` prints."""
    memory = figures["megabytes"]
    print(json.dumps({name: value for name, value in figures.items() if name != "megabytes"}, indent=1))
    print(f"pictures over HTTP: {different}")
    print(f"memory: {memory[0]} MB at first, {memory[-1]} MB at last, {max(memory)} MB at most")
