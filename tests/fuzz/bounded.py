"""Loads inputs of a target with little address space left: `python tests/fuzz/bounded.py TARGET MEGABYTES HONEST INPUT…`.

HONEST is loaded first, so that what is imported on first use is not counted. Then for each input a line of JSON says how
it ended and by how much the process grew at its peak.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import targets


def status(key: str) -> int:
    """A line of the process's status, in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(f"{key}:")[1].split()[0])


def main() -> None:
    target, megabytes, *inputs = sys.argv[1:]
    scratch = Path(tempfile.mkdtemp()) / "input"
    with targets.unchecked():
        first = targets.TARGETS[target](Path(inputs[0]).read_bytes(), scratch)
        if first != "read":
            raise SystemExit(f"{inputs[0]} is not honest: {first}")
        most = status("VmSize") + int(megabytes) * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        for name in inputs[1:]:
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
            before = status("VmRSS")
            data = Path(name).read_bytes()
            try:
                end = targets.TARGETS[target](data, scratch)
            except Exception as error:
                end = f"{type(error).__name__}: {error}"
            print(json.dumps({"file": Path(name).name, "end": end, "grown": status("VmHWM") - before - len(data)}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
