"""Drives a Donkey without wheels: donkeycar's own vehicle, camera mock and web server, and fastact's part in its loop.

Run by `test_donkey_vehicle.py` and `make car` with the Python of the car's environment. Prints figures as JSON, last.

    python drive.py --seconds 600 --port 8893
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import sys
import threading
import time
from array import array
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
from donkeycar.parts.camera import MockCamera
from donkeycar.parts.web_controller.web import WebFpv
from donkeycar.vehicle import Vehicle
from PIL import Image

from fastact import samples
from fastact.donkey import FeatureMapPart

RATE = 20
ROUNDS, ROUND_SECONDS = 3, 2.5
"""Short drives with the part and without, by turns, since a machine's other work changes from second to second."""
WARM_UP = 5.0
"""Seconds after the first frame is computed, when memory is first looked at."""
MOST_ROUNDS = 12
"""Rounds at most, until a loop with the part is as quick as one without."""
PATIENCE = 60.0


class Road:
    """Moves the mock's picture on, as if the car drove, and says how many loops there were."""

    def __init__(self, camera: MockCamera, frame: np.ndarray) -> None:
        self._camera, self._frame, self.loops = camera, frame, 0

    def run(self) -> None:
        self.loops += 1
        self._camera.frame = np.roll(self._frame, 2 * self.loops, axis=1)


class Memory:
    """Looks at the process's memory once a second.

    donkeycar's profiler keeps what every part took in every loop for as long as the car drives, 40 bytes each; here
    only the times of `part` are kept, so that memory that grows is not donkeycar's.
    """

    def __init__(self, vehicle: Vehicle, part: FeatureMapPart | None) -> None:
        self.megabytes: list[float] = []
        self.times = array("d")
        self._records, self._part = vehicle.profiler.records, part
        self._process = psutil.Process()
        self._next = time.monotonic() + 1.0
        self._first = float("inf")

    def run(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next += 1.0
        for part, record in self._records.items():
            if part is self._part:
                self.times.extend(record["times"][:-1])
            del record["times"][:-1]
        if self._first == float("inf") and self._part is not None and self._part._seen_at > -float("inf"):
            self._first = now + WARM_UP
        if now >= self._first:
            self.megabytes.append(self._process.memory_info().rss / 2**20)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--style", default="mosaic")
    parser.add_argument("--model", default=str(samples.pilot()))
    parser.add_argument("--unthreaded", action="store_true")
    options = parser.parse_args()
    frame = np.asarray(Image.open(samples.frame("160x120")).convert("RGB"))
    port = options.port or free_ports(MOST_ROUNDS + 1)
    cfg = SimpleNamespace(
        FASTACT_MODEL=options.model, FASTACT_STYLE=options.style, FASTACT_OUTPUTS=["image", "angle", "throttle"]
    )
    part = FeatureMapPart(cfg)
    print(f"port {port}", flush=True)
    figures, vehicle = drive(frame, options.seconds, part, port, threaded=not options.unthreaded)
    threads = [entry.get("thread") for entry in vehicle.parts if entry["part"] is part]
    rates: dict[str, list[float]] = {"with": [], "without": []}
    for number in range(1, MOST_ROUNDS + 1):
        rates["without"].append(drive(frame, ROUND_SECONDS, None, port)[0]["rate"])
        rates["with"].append(drive(frame, ROUND_SECONDS, FeatureMapPart(cfg), port + number)[0]["rate"])
        if number >= ROUNDS and max(rates["with"]) > 0.95 * max(rates["without"]):
            break
    figures |= {
        "rates_by_turns": rates,
        "thread_ended": ended([t for t in threads if t]),
        "latency_ms": latency(cfg, frame),
        "style": options.style,
        "python": sys.version.split()[0],
    }
    print(json.dumps(figures))


def drive(
    frame: np.ndarray, seconds: float, part: FeatureMapPart | None, port: int, *, threaded: bool = True
) -> tuple[dict[str, Any], Vehicle]:
    """The loop for some seconds, with the part in it or without."""
    camera, vehicle = MockCamera(image=frame), Vehicle()
    memory = Memory(vehicle, part)
    vehicle.add(camera, outputs=["cam/image_array"], threaded=True)
    vehicle.add(Road(camera, frame))
    if part is not None:
        outputs = ["fastact/image_array", "pilot/angle", "pilot/throttle"]
        vehicle.add(part, inputs=["cam/image_array"], outputs=outputs, threaded=threaded)
        vehicle.add(WebFpv(port=port), inputs=["fastact/image_array"], threaded=True)
    vehicle.add(memory)
    spent = time.process_time()
    loops, took = vehicle.start(rate_hz=RATE, max_loop_count=round(seconds * RATE))
    figures: dict[str, Any] = {"loops": loops, "seconds": took, "rate": (loops - 1) / took}
    if part is not None:
        times = sorted(memory.times)
        places = {"median": len(times) // 2, "p99": len(times) * 99 // 100, "max": -1}
        figures |= {
            "part_ms": {name: 1e3 * times[place] for name, place in places.items()},
            "megabytes": [round(m, 2) for m in memory.megabytes],
            "cpu_share": (time.process_time() - spent) / took,
            "angle": vehicle.mem.get(["pilot/angle"])[0],
            "throttle": vehicle.mem.get(["pilot/throttle"])[0],
        }
    return figures, vehicle


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody has, below 32768, where no connection of a program begins."""
    for first in range(20000 + os.getpid() % 10000, 32768 - count):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("", port))
            except OSError:
                continue
            return first
    raise SystemExit("there are no free ports")


def ended(threads: list[threading.Thread]) -> bool:
    """Whether these threads end, and those that fastact started."""
    end = time.monotonic() + PATIENCE
    while any(t.is_alive() for t in threads) or "fastact" in {t.name for t in threading.enumerate()}:
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def latency(cfg: SimpleNamespace, frame: np.ndarray, times: int = 60) -> dict[str, float]:
    """How long after a new frame is handed over the picture shows it, by a corner that changes from black to white."""
    part = FeatureMapPart(cfg)
    card = part.run_threaded(None)[0]
    thread = threading.Thread(target=part.update, daemon=True)
    thread.start()
    found = []
    while part.run_threaded(frame)[0] is card:  # until the model is read
        time.sleep(0.1)
    for i in range(times):
        time.sleep(0.05)
        before = part.run_threaded(None)[0]
        changed = np.array(frame)
        changed[:, :80] = 255 * (i % 2)
        start = time.perf_counter()
        part.run_threaded(changed)
        while part.run_threaded(None)[0] is before:
            time.sleep(0.0002)
        found.append(1e3 * (time.perf_counter() - start))
    part.shutdown()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    found.sort()
    return {"median": found[len(found) // 2], "p95": found[len(found) * 95 // 100], "max": found[-1]}


if __name__ == "__main__":
    main()
