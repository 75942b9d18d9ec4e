"""Engines that take turns: each in a process of its own, stopped while another has its turn.

A stopped process burns nothing: threads that would spin in wait of their next frame do not disturb the others.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from fastact.bench.peers.network import Array, PeerError
from fastact.bench.peers.rivals import Rival
from fastact.bench.peers.task import Task
from fastact.bench.times import median_error

_TURN_SECONDS = 0.012
_LEAST_ROUNDS, _SURE = 15, 0.01
_PATIENCE = 120.0
"""Seconds after which an engine that does not answer is given up."""


class Player:
    """One engine's process; it runs only between a command and the answer."""

    def __init__(self, engine: Rival, threads: int) -> None:
        self.engine = engine
        number = str(threads)
        environment = os.environ | {
            "OMP_NUM_THREADS": number,
            "MKL_NUM_THREADS": number,
            "OPENBLAS_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fastact.bench.peers.worker", engine.name, engine.module, number],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=environment,
        )
        self._stopped = False

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._complaints):
            if pipe is not None:
                pipe.close()

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            PeerError: the engine cannot do it, or its process has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if self._stopped:
            self._process.send_signal(signal.SIGCONT)
        alarm = _Alarm(self._process)
        try:
            self._process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = b""
        finally:
            alarm.off()
        if not line:
            status = self._process.wait()
            self._complaints.seek(0)
            reason = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise PeerError(reason or f"its process ended with status {status}")
        self._process.send_signal(signal.SIGSTOP)
        self._stopped = True
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise PeerError(str(answer["error"]))
        return answer


class _Alarm:
    """Kills a process that does not answer in time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._timer = threading.Timer(_PATIENCE, process.kill)
        self._timer.daemon = True
        self._timer.start()

    def off(self) -> None:
        self._timer.cancel()


@dataclass(frozen=True)
class Figures:
    """One engine's frames of one task.

    Attributes:
        way: who converts bytes, where the engine needs that.
        difference: the largest between its maps and fastact's, as a part of the map's largest value.
        turns: nanoseconds of the frames of each turn, in the order of the rounds.
        peak: GFLOP/s, where the engine measures it.
    """

    version: str
    way: str
    difference: float
    turns: list[list[int]]
    peak: float

    @property
    def medians(self) -> list[float]:
        """A turn's median, a round each."""
        return [statistics.median(turn) for turn in self.turns]

    @property
    def frames(self) -> list[int]:
        """Every frame."""
        return [t for turn in self.turns for t in turn]


def play(
    players: Sequence[Player], task: Task, frame: Array, seconds: float, rounds: int | None = None
) -> tuple[dict[str, Figures], dict[str, str]]:
    """Every player's figures for a task, shown `frame`, and why others have none; the first player is fastact.

    Rounds are played until every ratio to fastact's time is known to about a per cent, or `seconds` are over; or as
    many as `rounds` says. The order of turns changes from round to round.

    Raises:
        PeerError: fastact itself fails.
    """
    ready: dict[Player, dict[str, Any]] = {}
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        asked: dict[str, Any] = {"task": asdict(task), "frame": str(Path(folder) / "frame.npy")}
        np.save(asked["frame"], frame)
        for player in players:
            try:
                ready[player] = player.ask("prepare", **asked, expected=str(Path(folder) / "maps.npz"))
            except PeerError as error:
                if player is players[0]:
                    raise
                failed[player.engine.name] = str(error)
        turns: dict[Player, list[list[int]]] = {player: [] for player in ready}
        peak, end, number = 0.0, time.monotonic() + seconds, 0
        while number < rounds if rounds is not None else not _known(list(turns.values()), number, end):
            order = list(ready)
            for player in order[number % len(order) :] + order[: number % len(order)]:
                try:
                    answer = player.ask("turn", seconds=_TURN_SECONDS)
                except PeerError as error:
                    if player is players[0]:
                        raise
                    failed[player.engine.name] = str(error)
                    del ready[player], turns[player]
                    continue
                turns[player].append(answer["times"])
                peak = max(peak, answer["peak"])
            number += 1
        for player in list(ready)[1:]:
            try:
                ready[player]["difference"] = max(ready[player]["difference"], player.ask("check")["difference"])
            except PeerError as error:
                failed[player.engine.name] = str(error)
                del ready[player]
    return {p.engine.name: Figures(**answer, turns=turns[p], peak=peak) for p, answer in ready.items()}, failed


def _known(turns: Sequence[Sequence[Sequence[int]]], number: int, end: float) -> bool:
    """Whether enough rounds have been played."""
    if number < 3 or (number < _LEAST_ROUNDS and time.monotonic() < end):
        return False
    own = [statistics.median(turn) for turn in turns[0]]
    rivals = ([statistics.median(turn) for turn in one] for one in turns[1:])
    return time.monotonic() >= end or all(median_error(ratios(own, rival)) < _SURE for rival in rivals)


def ratios(own: Sequence[float], rival: Sequence[float]) -> list[float]:
    """The rival's time over fastact's, round by round."""
    return [b / a for a, b in zip(own, rival, strict=True)]
