"""`fastact bench`: what a model costs on this machine, at several sizes, as a report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fastact.cli.bench_tables import print_table
from fastact.cli.options import CONFIG, DEVICE, SIZE, FiniteRange, console, plain, say, usable_cores
from fastact.kernels.cpu.threads import MOST

if TYPE_CHECKING:
    from fastact.bench.measure import Measured
    from fastact.bench.result import Report

_FORMATS = ("json", "md", "html")
_INTERRUPTED = 130


class _Sizes(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    """WIDTHxHEIGHT, several separated by commas, as a tuple of (rows, columns)."""

    name = "WIDTHxHEIGHT,..."

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[int, int], ...]:
        """((rows, columns), ...) for "160x120,640x360"."""
        if isinstance(value, tuple):
            return value
        parts = [part.strip() for part in str(value).split(",")]
        return tuple(SIZE.convert(part, param, ctx) for part in parts if part or len(parts) == 1)


class _Keys(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    """Names separated by commas, as a tuple without repetitions; `known` gives those there are."""

    def __init__(self, name: str, known: Callable[[], Sequence[str]]) -> None:
        self.name, self._known = name, known

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """("onnxruntime", "litert") for "onnxruntime,litert"."""
        if isinstance(value, tuple):
            return value
        keys = tuple(dict.fromkeys(part.strip().lower() for part in str(value).split(",") if part.strip()))
        known = self._known()
        if not keys or set(keys) - set(known):
            self.fail(f"{value!r}: give one or more of {', '.join(known)}, separated by commas", param, ctx)
        return keys


def _rivals() -> list[str]:
    from fastact.bench.peers.rivals import RIVALS

    return [rival.key for rival in RIVALS]


def _boards() -> list[str]:
    from fastact.bench.project import BOARDS

    return [board.key for board in BOARDS]


@click.command(short_help="Measure what a model costs at several sizes, and write a report.")
@click.argument("model_path", metavar="MODEL", required=False)
@CONFIG
@click.option("--sizes", type=_Sizes(), help="Sizes of input.  [default: the model's own, and 640x360]")
@click.option(
    "--layers", "-l", multiple=True, metavar="GLOB", help="Layers by name or pattern, repeatable; 'all' for every one. "
    "Without it: every convolution."
)  # fmt: skip
@click.option("--image", "-i", type=click.Path(path_type=Path), metavar="FILE", help="A picture to feed.")
@DEVICE
@click.option(
    "--threads", type=click.IntRange(1, MOST), default=usable_cores, metavar="N",
    help="Threads that compute a picture together.  [default: this machine's cores, at most 4]"
)  # fmt: skip
@click.option(
    "--seconds", type=FiniteRange(0.1, 3600), default=15.0, show_default=True, metavar="S",
    help="How long to repeat the measuring; all else takes some seconds more."
)  # fmt: skip
@click.option(
    "--peers", type=_Keys("ENGINE,...", _rivals), default=(), help="Other engines to measure on the same maps and "
    "frames: tensorflow,onnxruntime,litert,openvino,torch. Takes about as long again."
)  # fmt: skip
@click.option(
    "--project", type=_Keys("BOARD,...", _boards), default=(), help="Boards whose times to estimate from their "
    "published figures: nano,xavier-nx,orin-nano."
)  # fmt: skip
@click.option("--out", "-o", default="fastact-bench", show_default=True, metavar="DIR", help="Where reports go.")
@click.option(
    "--save", default="json,md,html", show_default=True, metavar="LIST",
    help="What to write, of json,md,html, separated by commas."
)  # fmt: skip
@click.option("--compare", nargs=2, metavar="A.json B.json", help="Set two reports side by side; nothing is measured.")
def command(
    model_path: str | None, config_path: str | None, sizes: tuple[tuple[int, int], ...] | None,
    layers: tuple[str, ...], image: Path | None, device: str, threads: int, seconds: float, peers: tuple[str, ...],
    project: tuple[str, ...], out: str, save: str, compare: tuple[str, str] | None,
) -> int:  # fmt: skip
    """Measure what a model costs on this machine at several input sizes, with the same convolutional weights.

    For each size: time, multiply-adds, share of the machine's own peak, memory; layer by layer, and whether a car's
    loop of 20 Hz holds. Writes report.json, report.md and report.html, which needs no network. Ctrl-C ends early with
    what there is.

    \b
    Examples:
      fastact bench pilot.h5
      fastact bench pilot.h5 --sizes 160x120,320x240,640x360 --threads 4 --out nano
      fastact bench pilot.h5 --peers onnxruntime,litert --project nano,orin-nano
      fastact bench --compare nano/report.json orin/report.json
    """
    if compare is not None:
        if model_path is not None:
            raise click.UsageError("--compare takes two reports and no model")
        return _compare(*compare)
    if model_path is None:
        raise click.UsageError("give a model's file, or two reports with --compare")
    from fastact.bench.measure import Request, measure
    from fastact.bench.peers.rivals import RIVALS
    from fastact.bench.project import BOARDS
    from fastact.graph import load
    from fastact.writing import check_place, folder_for

    formats = _formats(save)
    if "html" in formats:
        from fastact.bench.html import template_library

        template_library()  # whether it is there, before anything is measured
    model = load(model_path, config=config_path)
    rivals, boards = [r for r in RIVALS if r.key in peers], [b for b in BOARDS if b.key in project]
    request = Request(model, sizes or (), list(layers) or None, threads, seconds, image, rivals, boards, device)
    with folder_for(out) as folder:
        for name in formats:
            check_place(_place(folder, name))
        with _progress() as progress:
            measured = measure(request, progress)
        written = list(_written(measured, formats, folder))  # first: whoever reads the output may leave after a line
    _print(measured.report)
    for path in written:
        click.echo(str(path))
    if not measured.report.complete:
        say("fastact: interrupted: the report has what was measured until then")
        return _INTERRUPTED
    return 0


def _formats(save: str) -> tuple[str, ...]:
    formats = tuple(f.strip().lower() for f in save.split(",") if f.strip())
    if not formats or set(formats) - set(_FORMATS):
        raise click.BadParameter(
            f"{save!r}: give one or more of {', '.join(_FORMATS)}, separated by commas", param_hint="--save"
        )
    return formats


def _written(measured: Measured, formats: Sequence[str], folder: Path) -> Iterator[Path]:
    """The report's files, each written whole."""
    from fastact.bench.markdown import markdown
    from fastact.bench.result import to_json
    from fastact.writing import whole_file

    makers: dict[str, Callable[[], str]] = {
        "json": lambda: to_json(measured.report),
        "md": lambda: markdown(measured.report),
        "html": lambda: _html(measured),
    }
    for name in _FORMATS:
        if name in formats:
            path = _place(folder, name)
            with whole_file(path) as beside:
                beside.write_text(makers[name](), encoding="utf-8")
            yield path


def _place(folder: Path, name: str) -> Path:
    return folder / f"report.{name}"


def _html(measured: Measured) -> str:
    from fastact.bench.html import html
    from fastact.bench.pictures import pictures

    return html(measured.report, pictures(measured.runners))


def _print(report: Report) -> None:
    from fastact.bench import words
    from fastact.bench.tables import tables

    out = console()
    for table in tables(report):
        print_table(out, table)
    for sentence in words.headline(report):
        out.print(plain(sentence))
    for note in words.notes(report):
        out.print(plain(f"note: {note}"))


@contextmanager
def _progress() -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    # Without the thread that draws it ten times a second: it would disturb what is measured.
    out = Console(stderr=True)
    with Progress(*columns, console=out, auto_refresh=False, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("loading", total=1.0)

        def show(doing: str, done: float) -> None:
            progress.update(task, description=doing, completed=done, refresh=True)

        yield show


def _compare(first: str, second: str) -> int:
    from fastact.bench.compare import compare
    from fastact.bench.reading import read_report

    found = compare(read_report(first), read_report(second))
    out = console()
    print_table(out, found.table)
    for sentence in found.sentences:
        out.print(plain(sentence))
    return 0
