"""What `fastact bench` reads of a machine: three boards as trees of files, and machines that say little."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from bench_boards import BOARDS, NANO, ORIN_NANO, XAVIER_NX, lay_out
from python_threads import until

from fastact.bench import sensors
from fastact.bench.machine import read_conditions, read_machine, warnings


@pytest.mark.parametrize(
    ("board", "name", "cpu", "cores", "mode", "clock"),
    [
        ("nano", "NVIDIA Jetson Nano Developer Kit", "ARM Cortex-A57", 4, "MAXN", 1.479e9),
        ("xavier-nx", "NVIDIA Jetson Xavier NX Developer Kit", "NVIDIA Carmel", 6, "MODE_15W_6CORE", 1.42e9),
        ("orin-nano", "NVIDIA Jetson Orin Nano Developer Kit", "ARM Cortex-A78AE", 6, "15W", 1.51e9),
    ],
)
def test_a_board(tmp_path: Path, board: str, name: str, cpu: str, cores: int, mode: str, clock: float) -> None:
    machine = read_machine(lay_out(BOARDS[board], tmp_path))
    assert (machine.board, machine.cpu, machine.cores, machine.power_mode) == (name, cpu, cores, mode)
    assert machine.clock == clock
    assert machine.memory is not None
    assert 3e9 < machine.memory < 9e9
    assert len(read_conditions(tmp_path).clocks) == cores


@pytest.mark.parametrize(
    ("board", "rail", "watts"),
    [("nano", "POM_5V_IN", 3.230), ("xavier-nx", "VDD_IN", 9.652), ("orin-nano", "VDD_IN", 5.040)],
)
def test_the_line_that_feeds_the_board(tmp_path: Path, board: str, rail: str, watts: float) -> None:
    found = sensors.rails(lay_out(BOARDS[board], tmp_path))
    assert len(found) == 3
    whole = sensors.whole_board(found)
    assert whole is not None
    assert whole.name == rail
    assert whole.watts() == pytest.approx(watts)


def test_a_meter_reads_while_a_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rail = sensors.whole_board(sensors.rails(lay_out(ORIN_NANO, tmp_path)))
    assert rail is not None
    meter = sensors.Meter(rail)
    assert meter.watts is None
    asked: list[float | None] = []
    watts = sensors.Rail.watts
    monkeypatch.setattr(sensors.Rail, "watts", lambda self: (asked.append(watts(self)), asked[-1])[1])
    with meter.running():
        (thread,) = (t for t in threading.enumerate() if t.name == "fastact-power")
        until(lambda: len(meter.readings) >= 2)
        (tmp_path / "sys/class/hwmon/hwmon1/curr1_input").write_text("")  # a bus that does not answer
        until(lambda: asked[-1] is None)
    assert meter.watts == pytest.approx(5.040)
    assert len(meter.readings) == sum(value is not None for value in asked)
    assert not thread.is_alive()


def test_a_board_that_fares_well_gives_no_warning(tmp_path: Path) -> None:
    root = lay_out(NANO, tmp_path)
    conditions = read_conditions(root)
    assert conditions.temperatures == {"AO-therm": 43.5, "CPU-therm": 36.5, "GPU-therm": 35.0}  # no PMIC-Die
    assert warnings(read_machine(root), conditions, conditions) == []


def test_a_board_that_is_hot_and_busy(tmp_path: Path) -> None:
    root = lay_out(XAVIER_NX, tmp_path)
    conditions = read_conditions(root)
    said = warnings(read_machine(root), conditions, conditions)
    assert said == [
        "other programs were running: load 4.2 on 6 cores before measuring began",
        "clocks were held down by cpu-balanced",
        "CPU-therm is at 88 degrees Celsius",
    ]


def test_clocks_governor_and_throttling(tmp_path: Path) -> None:
    root = lay_out(ORIN_NANO, tmp_path)
    machine, before = read_machine(root), read_conditions(root)
    machine = replace(machine, governor="powersave")
    before = replace(before, throttled=3)
    after = replace(before, clocks=(0.9e9, 1.0e9), throttled=5)
    assert warnings(machine, before, after) == [
        "the CPU's governor is powersave: clocks may follow the load with a delay",
        "the CPU was slowed down for heat 2 times while measuring",
        "the fastest core ran at 1.00 GHz after measuring, of 1.51 GHz",
    ]


def test_a_sensor_that_is_not_connected_and_a_fan_are_left_out(tmp_path: Path) -> None:
    conditions = read_conditions(lay_out(ORIN_NANO, tmp_path))
    assert "cv0-thermal" not in conditions.temperatures
    assert conditions.cooling == ()


def test_a_mode_without_a_name(tmp_path: Path) -> None:
    root = lay_out(NANO, tmp_path)
    (root / "etc/nvpmodel.conf").unlink()
    assert read_machine(root).power_mode == "mode 0"


def test_x86_counts_throttling(tmp_path: Path) -> None:
    tree = {
        "proc/cpuinfo": "processor\t: 0\nmodel name\t: A CPU\ncpu MHz\t\t: 2596.126\n\n"
        "processor\t: 1\ncpu MHz\t\t: 800.5\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "2\n",
        "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "5\n",
    }
    root = lay_out(tree, tmp_path)
    assert read_machine(root).cpu == "A CPU"
    assert read_machine(root).cores == 2
    conditions = read_conditions(root)
    assert conditions.throttled == 7
    assert conditions.clocks == pytest.approx((2.596126e9, 0.8005e9))


def test_a_machine_that_says_nothing(tmp_path: Path) -> None:
    machine, conditions = read_machine(tmp_path), read_conditions(tmp_path)
    assert (machine.board, machine.memory, machine.governor, machine.clock, machine.power_mode) == (None,) * 5
    assert machine.cpu
    assert machine.cores >= 1
    assert (conditions.load, conditions.clocks, conditions.throttled, conditions.cooling) == (None, (), None, ())
    assert sensors.rails(tmp_path) == ()
    assert warnings(machine, conditions, conditions) == []


def test_damaged_files_are_not_known(tmp_path: Path) -> None:
    tree = {
        "proc/loadavg": "\xff nonsense",
        "proc/meminfo": "MemTotal: lots\n",
        "proc/device-tree/model": "A board\x1b[31m\0",
        "sys/class/thermal/thermal_zone0/type": "CPU\n",
        "sys/class/thermal/thermal_zone0/temp": "nan\n",
    }
    root = lay_out(tree, tmp_path)
    assert read_conditions(root).load is None
    assert read_conditions(root).temperatures == {}
    assert read_machine(root).memory is None
    assert read_machine(root).board == "A board?[31m"
