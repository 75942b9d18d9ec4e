"""A report's tables on consoles of any width, and what is said of figures that do not fit together."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

import fastact
from fastact import samples
from fastact.bench import measure as measuring
from fastact.bench import words
from fastact.bench.measure import Request, measure
from fastact.bench.project import BOARDS
from fastact.bench.result import Contest, Peer, Peers, Report
from fastact.bench.tables import Table, tables
from fastact.bench.times import Times
from fastact.cli.bench_tables import parts, print_table


@pytest.fixture(scope="module")
def report() -> Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring, "_beside", lambda *_: None)
        patch.setattr(measuring, "_sweep", lambda *_: None)
        sizes = ((90, 120), (120, 160), (180, 240))
        return measure(Request(fastact.load(samples.pilot()), sizes, seconds=0.1, boards=BOARDS)).report


def printed(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    print_table(Console(file=out, width=width, highlight=False), table)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 140, 200])
def test_nothing_is_cut_off_on_any_console(report: Report, width: int) -> None:
    for table in tables(report):
        lines = printed(table, width)
        assert lines[0] == table.title
        assert max(map(len, lines)) <= width
        text = "\n".join(lines)
        assert "…" not in text
        for row in table.rows:
            assert all(cell in text for cell in row[table.names :]), row
        assert all(head in text for head in table.head)


def test_what_pairs_of_pixels_save_is_told(report: Report) -> None:
    """The third layer's pixels are computed in pairs, no other's."""
    size = report.sizes[-1]
    third = next(layer for layer in size.layers if layer.names == ("Conv2D_Third_layer",))
    assert size.multiply_adds - size.multiplied == third.multiply_adds - third.multiplied
    assert 0.69 < third.multiplied / third.multiply_adds < 0.75
    table = tables(report)[len(report.sizes)]
    done = [row[table.head.index("done")] for row in table.rows]
    assert done == [f"{third.multiplied / third.multiply_adds:.0%}" if "Third" in row[0] else "" for row in table.rows]
    assert "computed together" in table.note
    whole = tuple(dataclasses.replace(layer, multiplied=layer.multiply_adds) for layer in size.layers)
    table = tables(dataclasses.replace(report, sizes=(dataclasses.replace(size, layers=whole),)))[1]
    assert "done" not in table.head
    assert not table.note


def test_a_wide_table_goes_on_below_with_its_names() -> None:
    rows = tuple((f"layer_{n}", f"kind_{n}", *(f"{n}{place}" * 10 for place in range(4))) for n in range(2))
    table = Table("A title", ("layer", "kind", "a", "b", "c", "d"), rows, names=2)
    assert list(parts(table, 200)) == [(0, 1, 2, 3, 4, 5)]
    assert list(parts(table, 70)) == [(0, 1, 2, 3), (0, 1, 4, 5)]
    assert list(parts(table, 10)) == [(0, 1, 2), (0, 1, 3), (0, 1, 4), (0, 1, 5)]
    assert [line.split() for line in printed(table, 70) if "layer_1" in line] == [
        ["layer_1", "kind_1", "10" * 10, "11" * 10],
        ["layer_1", "kind_1", "12" * 10, "13" * 10],
    ]


def test_a_long_name_is_shortened_in_its_middle() -> None:
    table = Table("A title", ("layer", "time"), (("block_1/" + 90 * "x" + "/conv", "1.00 ms"),))
    (line,) = (line for line in printed(table, 80) if "ms" in line)
    assert line.split()[0].startswith("block_1/xxx")
    assert line.split()[0].endswith("xxx/conv")
    assert "1.00 ms" in line


def test_a_peak_that_is_too_low_is_told(report: Report) -> None:
    def told(peak: float) -> list[str]:
        assert report.ability is not None
        ability = dataclasses.replace(report.ability, peak=peak)
        return [note for note in words.notes(dataclasses.replace(report, ability=ability)) if "measured peak" in note]

    most = max(layer.speed for size in report.sizes for layer in size.layers)
    assert told(most) == []
    (said,) = told(most / 2)
    assert said.startswith("A layer reached 2.0 times the measured peak, which other programs must have held down: ")


def test_frames_beside_other_engines_at_another_time(report: Report) -> None:
    size = report.sizes[-1]

    def told(factor: float) -> list[str]:
        times = Times.of([factor * size.frame.median] * 3)
        own, rival = (Peer(name, "1", "", 0.0, times, 1.0, 1.0, 1.0) for name in ("fastact", "another"))
        contests = (Contest(size.width, size.height, 3, (own, rival), {}), Contest(160, 120, 0, (), {"another": "no"}))
        found = words.notes(dataclasses.replace(report, peers=Peers(1e-5, {}, contests)))
        return [note for note in found if note.startswith("Beside other engines")]

    assert told(1.2) == []
    for factor in (2.0, 0.5):
        (said,) = told(factor)
        assert said.startswith(f"Beside other engines fastact's own frames at {size.label} took ")
        assert "The ratios hold" in said


@pytest.mark.parametrize(
    ("count", "said"), [(16, "16 B"), (999, "999 B"), (1500, "1.5 kB"), (123_456, "0.12 MB"), (48_200_000, "48 MB")]
)
def test_bytes(count: int, said: str) -> None:
    assert words.megabytes(count) == said


def test_a_part_of_the_loop_is_never_nothing(report: Report) -> None:
    frame = dataclasses.replace(report.sizes[0].frame, slowest_tenth=1e-4)
    size = dataclasses.replace(report.sizes[0], frame=frame)
    assert words.verdict(size) == "fits (0.10 ms in 9 of 10 frames, less than 1% of it)"
