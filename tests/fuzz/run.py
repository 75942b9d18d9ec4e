"""Fuzzes every target in turn, for hours if wanted: `python tests/fuzz/run.py SECONDS [FOLDER]`.

FOLDER, .fuzz by default, keeps what the fuzzers learn (inputs that reach new code) from one run to the next. Findings
go to tests/fuzz/findings, whence tests take them. The last lines say what came of it; the exit status is 1 where
something new was found.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import corpus
from fuzz.targets import TARGETS

_TURN = 300
"""Seconds a target has before it is the next one's turn; a fuzzer that is started anew forgets no inputs."""


@dataclass
class Result:
    """What came of fuzzing one target: inputs tried, edges and features of the code that they reached."""

    executions: int = 0
    edges: int = 0
    features: int = 0


_SMALL_PARENT = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"
"""libFuzzer limits memory by ru_maxrss, which begins with what the parent holds: after TensorFlow that is too much."""


def fuzz(target: str, until: Sequence[str], learnt: Path, seeds: Path, findings: Path) -> Result:
    """Fuzz one target, as long as these options of libFuzzer say; raises RuntimeError where the fuzzer itself fails."""
    learnt.mkdir(parents=True, exist_ok=True)
    guided = Path(__file__).with_name("guided.py")
    program = [sys.executable, *map(str, (guided, target, findings, learnt, seeds))]
    command = [sys.executable, "-c", _SMALL_PARENT, *program, *until, "-print_final_stats=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    numbers = {
        key: [int(n) for n in re.findall(pattern, done.stderr)]
        for key, pattern in (("runs", r"units: *(\d+)"), ("edges", r"cov: (\d+)"), ("features", r"ft: (\d+)"))
    }
    ended_by_input = re.search(r"artifact_prefix=.*Test unit written", done.stderr)
    if not numbers["edges"] or (done.returncode and not ended_by_input):
        raise RuntimeError(f"fuzzing {target} ended with status {done.returncode}:\n{done.stderr[-3000:]}")
    return Result(sum(numbers["runs"]), max(numbers["edges"]), max(numbers["features"]))


def main() -> int:
    """Take turns until the time is over."""
    seconds = int(sys.argv[1])
    learnt = Path(sys.argv[2] if len(sys.argv) > 2 else ".fuzz")
    before = set(corpus.FINDINGS.rglob("*"))
    results = {target: Result() for target in TARGETS}
    turn = max(1, min(_TURN, seconds // len(TARGETS)))
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        seeds = corpus.write(Path(folder))
        while time.monotonic() < end - turn / 2:
            for target, result in results.items():
                found = fuzz(target, [f"-max_total_time={turn}"], learnt / target, seeds[target], corpus.FINDINGS)
                result.executions += found.executions
                result.edges, result.features = max(result.edges, found.edges), max(result.features, found.features)
                print(target, result, flush=True)
    new = sorted(path for path in set(corpus.FINDINGS.rglob("*")) - before if path.is_file())
    print(f"{len(new)} new findings", *new, sep="\n")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
