"""fastact beside other engines, for a report: the same maps of the same frames, in turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from fastact.bench.peers.network import Array, PeerError
from fastact.bench.peers.rivals import FASTACT, Rival
from fastact.bench.peers.task import Task
from fastact.bench.peers.turns import Figures, Player, play, ratios
from fastact.bench.result import Contest, Peer
from fastact.bench.times import Times, quantile
from fastact.graph import Model


@dataclass(frozen=True)
class Entry:
    """What engines are measured on: a model at (rows, columns), the layers whose maps are wanted, and a frame."""

    model: Model
    size: tuple[int, int]
    task: Task
    frame: Array


def hold(
    entries: Sequence[Entry], rivals: Sequence[Rival], threads: int, seconds: float, made: list[Contest],
    progress: Callable[[int], None],
) -> None:  # fmt: skip
    """Measures the rivals that are installed, about `seconds` for each entry; adds a contest to `made` for each.

    `progress` is called with an entry's place before it begins. Where nothing can be compared, not even fastact in a
    process of its own, the contest says why: what was measured before stands.
    """
    with ExitStack() as stack:
        players, unfit = _players(stack, rivals, threads)
        for place, entry in enumerate(entries):
            progress(place)
            rows, columns = entry.size
            try:
                _check(entry)
                figures, failed = play(players, entry.task, entry.frame, seconds)
            except PeerError as error:
                failed = {rival.name: str(error) for rival in rivals if rival.installed}
                made.append(Contest(columns, rows, 0, (), failed))
                continue
            own = figures[FASTACT.name]
            engines = tuple(_peer(name, own, found) for name, found in figures.items())
            made.append(Contest(columns, rows, len(own.turns), engines, unfit | failed))


def _check(entry: Entry) -> None:
    """Raises PeerError where engines are not given the network."""
    if len(entry.model.input_shapes) != 1:
        raise PeerError(
            f"engines are compared on models of one input, and {entry.model.source} takes "
            f"{len(entry.model.input_shapes)}: leave out --peers, or give a model of one"
        )
    entry.task.network(entry.model)


def _players(stack: ExitStack, rivals: Sequence[Rival], threads: int) -> tuple[list[Player], dict[str, str]]:
    """A process for fastact and for each rival that is installed and starts; why others do not."""
    players = [stack.enter_context(Player(FASTACT, threads))]
    unfit: dict[str, str] = {}
    for rival in rivals:
        if not rival.installed:
            continue
        player = stack.enter_context(Player(rival, threads))
        try:
            player.ask("start")
        except PeerError as error:
            unfit[rival.name] = str(error)
        else:
            players.append(player)
    return players, unfit


def _peer(name: str, own: Figures, found: Figures) -> Peer:
    against = sorted(ratios(own.medians, found.medians))
    low, high = quantile(against, 0.25), quantile(against, 0.75)
    times = Times.of([nanoseconds / 1e9 for nanoseconds in found.frames])
    return Peer(name, found.version, found.way, found.difference, times, statistics.median(against), low, high)
