"""What the commands share: their error, their table, files written whole, and what machine this is."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastact import FastactError
from fastact.bench.machine import read_machine


class BenchmarkError(Exception):
    """A measurement cannot be made; the message is for the user."""


def run_command(main: Callable[[], int]) -> None:
    """Ends the process with what `main` returns, or with 2 and one line for an error."""
    try:
        status = main()
    except (BenchmarkError, FastactError) as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in plain text: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    lines = []
    for row in (head, ["-" * w for w in widths], *rows):
        cells = [c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The same table in Markdown."""
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def replace_file(path: Path, text: str) -> None:
    """Writes `text` beside `path`, then moves it there: the file is whole at every moment."""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        try:
            Path(file.name).chmod(mode)
            os.replace(file.name, path)  # noqa: PTH105
        except OSError:
            Path(file.name).unlink()
            raise
    except OSError as error:
        raise BenchmarkError(f"{path} cannot be written: {error.strerror}") from error


@dataclass(frozen=True)
class Section:
    """A part of a document that a command writes, between marks of its own."""

    name: str

    @property
    def marks(self) -> tuple[str, str]:
        """The lines before and after it."""
        return f"<!-- {self.name}: begin -->", f"<!-- {self.name}: end -->"

    def read(self, text: str) -> str:
        """What lies between the marks.

        Raises:
            BenchmarkError: they are not there once each, in order.
        """
        begin, end = self.marks
        before, found, rest = text.partition(begin)
        inside, closed, after = rest.partition(end)
        if not (found and closed) or any(mark in before + inside + after for mark in self.marks):
            raise BenchmarkError(f"the marks {begin} and {end} must be there once each, in this order")
        return inside.strip()

    def write(self, text: str, body: str) -> str:
        """The document with `body` between the marks."""
        self.read(text)
        begin, end = self.marks
        before, _, rest = text.partition(begin)
        return f"{before}{begin}\n\n{body}\n\n{end}{rest.partition(end)[2]}"


def cpu_name() -> str:
    """What the CPU calls itself."""
    return read_machine().cpu


def cores() -> int:
    """Cores this process may use."""
    return read_machine().cores
