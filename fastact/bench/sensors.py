"""Power from a Jetson's INA3221, the sensor of the board's supply lines, as Linux shows it in sysfs.

JetPack 5 and later have it in hwmon: millivolts in in1_input, milliamperes in curr1_input, a name in in1_label. JetPack
4 has it among the IIO devices of the driver ina3221x: milliwatts in in_power0_input, a name in rail_name_0.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fastact.bench.machine import ROOT, number, text

_WHOLE = ("VDD_IN", "POM_5V_IN")
"""The line that feeds the whole board, by the names it has on the Xavier NX and the Orin Nano, and on the Nano."""

_INTERVAL = 0.1
"""Seconds between two readings: each takes the bus about a millisecond."""


@dataclass(frozen=True)
class Rail:
    """One supply line: its name, and the files whose product (times `unit`) is watts."""

    name: str
    files: tuple[Path, ...]
    unit: float

    def watts(self) -> float | None:
        """What flows now; None where it cannot be read."""
        power = self.unit
        for path in self.files:
            value = number(path)
            if value is None:
                return None
            power *= value
        return power


def rails(root: Path = ROOT) -> tuple[Rail, ...]:
    """The board's supply lines; none where there is no such sensor."""
    return tuple(_hwmon(root)) or tuple(_iio(root))


def whole_board(found: tuple[Rail, ...]) -> Rail | None:
    """The line that feeds everything else, if it is among them."""
    return next((rail for name in _WHOLE for rail in found if rail.name == name), None)


def _hwmon(root: Path) -> Iterator[Rail]:
    for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        if text(device / "name") != "ina3221":
            continue
        for label in sorted(device.glob("in[0-9]*_label")):
            place, name = re.sub(r"\D", "", label.name), text(label)
            current = device / f"curr{place}_input"
            if name and current.is_file():  # a sum of lines has a label and no voltage of its own
                yield Rail(name, (device / f"in{place}_input", current), 1e-6)


def _iio(root: Path) -> Iterator[Rail]:
    for device in sorted((root / "sys/bus/i2c/drivers/ina3221x").glob("*/iio:device*")):
        for label in sorted(device.glob("rail_name_[0-9]")):
            place, name = label.name[-1], text(label)
            if name:
                yield Rail(name, (device / f"in_power{place}_input",), 1e-3)


class Meter:
    """Readings of one rail, taken by a thread while a block of code runs."""

    def __init__(self, rail: Rail) -> None:
        self._rail = rail
        self._stop = threading.Event()
        self.readings: list[float] = []

    @property
    def watts(self) -> float | None:
        """The mean of the readings; None where none could be taken."""
        return sum(self.readings) / len(self.readings) if self.readings else None

    @contextmanager
    def running(self) -> Iterator[Meter]:
        """Reads until the block ends."""
        thread = threading.Thread(target=self._read, name="fastact-power", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def _read(self) -> None:
        while not self._stop.wait(_INTERVAL):
            value = self._rail.watts()
            if value is not None:
                self.readings.append(value)
