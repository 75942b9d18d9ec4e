"""What machine this is and how it fares, from what Linux says of it in files.

Everything is read below a root folder, "/" but in tests, and whatever is not there is None: a report says "not
known" and goes on.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")

_ARM_CORES = {
    ("0x41", "0xd03"): "ARM Cortex-A53",
    ("0x41", "0xd07"): "ARM Cortex-A57",
    ("0x41", "0xd08"): "ARM Cortex-A72",
    ("0x41", "0xd0b"): "ARM Cortex-A76",
    ("0x41", "0xd42"): "ARM Cortex-A78AE",
    ("0x4e", "0x003"): "NVIDIA Denver 2",
    ("0x4e", "0x004"): "NVIDIA Carmel",
}
"""By implementer and part, as /proc/cpuinfo gives them (the CPU's register MIDR_EL1)."""


@dataclass(frozen=True)
class Machine:
    """What does not change from one moment to the next.

    Attributes:
        cpu: its name.
        board: the board's name from the device tree; None where there is none, as on a PC.
        cores: how many of them this process may use.
        memory: bytes of RAM.
        governor: the policy by which Linux chooses the first core's clock.
        clock: the most that core may have, in Hz.
        power_mode: the mode nvpmodel has set, by its name in nvpmodel.conf, or by number where it has none.
        system: the operating system's name and release.
    """

    cpu: str
    board: str | None
    cores: int
    memory: int | None
    governor: str | None
    clock: float | None
    power_mode: str | None
    system: str


@dataclass(frozen=True)
class Conditions:
    """How the machine fares at one moment.

    Attributes:
        load: programs that want a core, the average of a minute.
        clocks: of each core that tells it, in Hz.
        temperatures: degrees Celsius by the sensor's name.
        throttled: how often the cores were slowed down for heat since the start, as x86 counts it.
        cooling: names of what is holding clocks down just now, fans not counted.
    """

    load: float | None
    clocks: tuple[float, ...]
    temperatures: dict[str, float]
    throttled: int | None
    cooling: tuple[str, ...]


def read_machine(root: Path = ROOT) -> Machine:
    """This machine, or the one whose files lie below `root`."""
    cpufreq = root / "sys/devices/system/cpu/cpu0/cpufreq"
    clock = number(cpufreq / "scaling_max_freq")
    return Machine(
        _cpu(root),
        _board(root),
        _cores(root),
        _memory(root),
        text(cpufreq / "scaling_governor"),
        None if clock is None else clock * 1e3,
        _power_mode(root),
        f"{platform.system()} {platform.release()}",
    )


def read_conditions(root: Path = ROOT) -> Conditions:
    """How it fares now."""
    cpu = root / "sys/devices/system/cpu"
    clocks = [number(p) for p in _sorted(cpu, "cpu[0-9]*/cpufreq/scaling_cur_freq")] or _mhz(root)
    throttled = [number(p) for p in _sorted(cpu, "cpu[0-9]*/thermal_throttle/core_throttle_count")]
    load = (text(root / "proc/loadavg") or "").partition(" ")[0]
    return Conditions(
        float(load) if re.fullmatch(r"\d+(\.\d+)?", load) else None,
        tuple(c * 1e3 for c in clocks if c is not None),
        _temperatures(root),
        int(sum(t for t in throttled if t is not None)) if throttled else None,
        tuple(_cooling(root)),
    )


def text(path: Path) -> str | None:
    """A small file's text without the zero byte or the line's end behind it; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            content = file.read(1 << 20)
    except OSError:
        return None
    cleaned = content.decode("utf-8", "replace").strip("\0\n ")
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in cleaned)


def number(path: Path) -> float | None:
    """A file's number; None where there is none in it."""
    content = text(path) or ""
    return float(content) if re.fullmatch(r"-?\d+(\.\d+)?", content) else None


def _sorted(folder: Path, pattern: str) -> list[Path]:
    """The paths below `folder` that match, cpu2 before cpu10."""
    return sorted(folder.glob(pattern), key=lambda p: [int(n) for n in re.findall(r"\d+", str(p))])


def _cpu(root: Path) -> str:
    """The CPU's name: x86 has it in words, ARM as numbers of the maker and the part."""
    fields: dict[str, str] = {}
    for line in (text(root / "proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    arm = _ARM_CORES.get((fields.get("CPU implementer", ""), fields.get("CPU part", "")))
    return arm or fields.get("model name") or fields.get("Model") or platform.processor() or platform.machine()


def _board(root: Path) -> str | None:
    return text(root / "proc/device-tree/model") or text(root / "sys/firmware/devicetree/base/model") or None


def _cores(root: Path) -> int:
    if root == ROOT and hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    lines = (text(root / "proc/cpuinfo") or "").splitlines()
    return sum(line.startswith("processor") for line in lines) or os.cpu_count() or 1


def _memory(root: Path) -> int | None:
    found = re.search(r"^MemTotal:\s+(\d+) kB", text(root / "proc/meminfo") or "", re.MULTILINE)
    return 1024 * int(found[1]) if found else None


def _mhz(root: Path) -> list[float | None]:
    """Clocks in kHz from /proc/cpuinfo, which x86 has also where nothing sets them."""
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text(root / "proc/cpuinfo") or "", re.MULTILINE)
    return [1e3 * float(mhz) for mhz in found]


def _power_mode(root: Path) -> str | None:
    """What nvpmodel has set: its number in /var/lib/nvpmodel/status, that number's name in /etc/nvpmodel.conf."""
    found = re.search(r"pmode:(\d+)", text(root / "var/lib/nvpmodel/status") or "")
    if not found:
        return None
    mode = int(found[1])
    configured = text(root / "etc/nvpmodel.conf") or ""
    listed: list[tuple[str, str]] = re.findall(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>", configured)
    return next((name for number, name in listed if int(number) == mode), None) or f"mode {mode}"


def _temperatures(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for zone in _sorted(root / "sys/class/thermal", "thermal_zone[0-9]*"):
        name, value = text(zone / "type"), number(zone / "temp")
        # Beyond these limits a sensor is not connected; a Nano's PMIC-Die says 100 degrees at any time.
        if name and name != "PMIC-Die" and value is not None and -40e3 < value < 150e3:
            found[name] = value / 1e3
    return found


def _cooling(root: Path) -> Iterator[str]:
    for device in _sorted(root / "sys/class/thermal", "cooling_device[0-9]*"):
        name, state = text(device / "type"), number(device / "cur_state")
        # A CPU that sleeps when idle (intel_powerclamp gives -1) and a fan that turns slow nothing down.
        if name and state is not None and state > 0 and "fan" not in name.lower():
            yield name


def warnings(machine: Machine, before: Conditions, after: Conditions) -> list[str]:
    """What may have disturbed the measuring, a sentence each without a full stop."""
    found: list[str] = []
    if machine.governor not in (None, "performance", "schedutil"):
        found.append(f"the CPU's governor is {machine.governor}: clocks may follow the load with a delay")
    load = before.load
    if load is not None and load > 0.3 * machine.cores:
        found.append(f"other programs were running: load {load:.1f} on {machine.cores} cores before measuring began")
    if before.throttled is not None and after.throttled is not None and after.throttled > before.throttled:
        found.append(f"the CPU was slowed down for heat {after.throttled - before.throttled} times while measuring")
    held = sorted({*before.cooling, *after.cooling})
    if held:
        found.append(f"clocks were held down by {', '.join(held)}")
    fastest = [max(c.clocks) for c in (before, after) if c.clocks]
    if machine.clock and fastest and fastest[-1] < 0.8 * machine.clock:
        found.append(
            f"the fastest core ran at {fastest[-1] / 1e9:.2f} GHz after measuring, of {machine.clock / 1e9:.2f} GHz"
        )
    hot = {name: value for name, value in after.temperatures.items() if value >= 85}
    found += [f"{name} is at {value:.0f} degrees Celsius" for name, value in hot.items()]
    return found
