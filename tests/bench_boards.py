"""Boards as trees of the files Linux shows on them: what fastact's benchmark reads, and values as they come there.

Written by hand from what JetPack 4, 5 and 6 have in /proc and /sys; no board was at hand.
"""

from __future__ import annotations

from pathlib import Path

Tree = dict[str, str]


def _cores(count: int, implementer: str, part: str, mhz: tuple[int, int], governor: str) -> Tree:
    lines = [
        f"processor\t: {i}\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nCPU implementer\t: {implementer}\n"
        f"CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: {part}\nCPU revision\t: 1\n"
        for i in range(count)
    ]
    tree = {"proc/cpuinfo": "\n".join(lines)}
    for i in range(count):
        folder = f"sys/devices/system/cpu/cpu{i}/cpufreq"
        tree[f"{folder}/scaling_governor"] = f"{governor}\n"
        tree[f"{folder}/scaling_cur_freq"] = f"{1000 * mhz[0]}\n"
        tree[f"{folder}/scaling_max_freq"] = f"{1000 * mhz[1]}\n"
    return tree


def _zones(**celsius: float) -> Tree:
    tree = {}
    for i, (name, value) in enumerate(celsius.items()):
        tree[f"sys/class/thermal/thermal_zone{i}/type"] = name.replace("_", "-") + "\n"
        tree[f"sys/class/thermal/thermal_zone{i}/temp"] = f"{int(1000 * value)}\n"
    return tree


def _cooling(**states: int) -> Tree:
    tree = {}
    for i, (name, state) in enumerate(states.items()):
        tree[f"sys/class/thermal/cooling_device{i}/type"] = name.replace("_", "-") + "\n"
        tree[f"sys/class/thermal/cooling_device{i}/cur_state"] = f"{state}\n"
    return tree


def _hwmon(number: int, rails: dict[str, tuple[int, int]]) -> Tree:
    """INA3221 as JetPack 5 and later show it: millivolts and milliamperes; a seventh label is a sum."""
    folder = f"sys/class/hwmon/hwmon{number}"
    tree = {
        f"{folder}/name": "ina3221\n",
        f"{folder}/in7_label": "sum of shunt voltages\n",
        f"{folder}/in7_input": "11\n",
    }
    for i, (name, (millivolts, milliamperes)) in enumerate(rails.items(), 1):
        tree[f"{folder}/in{i}_label"] = f"{name}\n"
        tree[f"{folder}/in{i}_input"] = f"{millivolts}\n"
        tree[f"{folder}/curr{i}_input"] = f"{milliamperes}\n"
    return tree


def _iio(address: str, rails: dict[str, tuple[int, int]]) -> Tree:
    """INA3221 as JetPack 4 shows it, which multiplies by itself: milliwatts."""
    folder = f"sys/bus/i2c/drivers/ina3221x/{address}/iio:device0"
    tree = {f"{folder}/name": "ina3221x\n"}
    for i, (name, (millivolts, milliamperes)) in enumerate(rails.items()):
        tree[f"{folder}/rail_name_{i}"] = f"{name}\n"
        tree[f"{folder}/in_voltage{i}_input"] = f"{millivolts}\n"
        tree[f"{folder}/in_current{i}_input"] = f"{milliamperes}\n"
        tree[f"{folder}/in_power{i}_input"] = f"{millivolts * milliamperes // 1000}\n"
    return tree


def _nvpmodel(mode: int, names: tuple[str, ...]) -> Tree:
    listed = "\n\n".join(f"< POWER_MODEL ID={i} NAME={name} >\nCPU_ONLINE CORE_0 1" for i, name in enumerate(names))
    return {
        "var/lib/nvpmodel/status": f"pmode:{mode:04d} fmode:quiet\n",
        "etc/nvpmodel.conf": f"< PARAM TYPE=FILE NAME=CPU_ONLINE >\nCORE_0 /sys/...\n\n{listed}\n",
    }


NANO: Tree = {
    "proc/device-tree/model": "NVIDIA Jetson Nano Developer Kit\0",
    "proc/meminfo": "MemTotal:        4051048 kB\nMemFree:          211188 kB\n",
    "proc/loadavg": "0.31 0.44 0.40 1/455 12345\n",
    **_cores(4, "0x41", "0xd07", (1479, 1479), "schedutil"),
    **_zones(AO_therm=43.5, CPU_therm=36.5, GPU_therm=35.0, PMIC_Die=100.0),
    **_cooling(pwm_fan=2, tegra_heavy=0, cpu_throttle_alert=0),
    **_iio("6-0040", {"POM_5V_IN": (5048, 640), "POM_5V_GPU": (5048, 40), "POM_5V_CPU": (5048, 260)}),
    **_nvpmodel(0, ("MAXN", "5W")),
}  # fmt: skip

XAVIER_NX: Tree = {
    "proc/device-tree/model": "NVIDIA Jetson Xavier NX Developer Kit\0",
    "proc/meminfo": "MemTotal:        7952248 kB\n",
    "proc/loadavg": "4.20 3.10 2.00 5/700 4321\n",
    **_cores(6, "0x4e", "0x004", (1190, 1420), "schedutil"),
    **_zones(CPU_therm=88.5, GPU_therm=61.0),
    **_cooling(pwm_fan=4, cpu_balanced=3),
    **_hwmon(4, {"VDD_IN": (5080, 1900), "VDD_CPU_GPU_CV": (5080, 700), "VDD_SOC": (5080, 400)}),
    **_nvpmodel(2, ("MODE_15W_2CORE", "MODE_15W_4CORE", "MODE_15W_6CORE")),
}  # fmt: skip

ORIN_NANO: Tree = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "proc/meminfo": "MemTotal:        7802084 kB\n",
    "proc/loadavg": "0.05 0.10 0.09 1/300 999\n",
    **_cores(6, "0x41", "0xd42", (1510, 1510), "performance"),
    **_zones(cpu_thermal=47.0, gpu_thermal=46.0, tj_thermal=47.5, cv0_thermal=-256.0),
    **_cooling(pwm_fan=1, cpufreq_cpu0=0),
    "sys/class/hwmon/hwmon0/name": "tmp451\n",
    **_hwmon(1, {"VDD_IN": (5040, 1000), "VDD_CPU_GPU_CV": (5040, 180), "VDD_SOC": (5040, 290)}),
    **_nvpmodel(0, ("15W", "7W")),
}  # fmt: skip

BOARDS = {"nano": NANO, "xavier-nx": XAVIER_NX, "orin-nano": ORIN_NANO}


def lay_out(tree: Tree, root: Path) -> Path:
    """The tree as files below `root`."""
    for name, content in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root
