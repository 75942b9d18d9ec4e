"""A report as Markdown."""

from __future__ import annotations

import re

from fastact.bench import words
from fastact.bench.result import Report
from fastact.bench.tables import Table, tables


def markdown(report: Report) -> str:
    """The whole report, without pictures."""
    parts = [f"# {escaped(report.subject.name)}: what a larger input costs", *map(escaped, words.headline(report))]
    noted = words.notes(report)
    if noted:
        parts += ["## To bear in mind", "\n".join(f"- {escaped(note)}" for note in noted)]
    for table in tables(report):
        parts += [f"## {table.title}", as_markdown(table), *filter(None, [escaped(table.note)])]
    parts += [
        words.reading(report),
        "## Machine",
        as_markdown(Table("", ("", ""), tuple(words.facts(report)), names=2)),
    ]
    return "\n\n".join(parts) + "\n"


def as_markdown(table: Table) -> str:
    """A table; text that Markdown would take for its own is escaped."""
    rule = ["---"] * table.names + ["--:"] * (len(table.head) - table.names)
    rows = (rule, *([escaped(cell) for cell in row] for row in table.rows))
    return "\n".join("| " + " | ".join(row) + " |" for row in (list(table.head), *rows))


def escaped(text: str) -> str:
    """Text from a file in which nothing is markup, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join("".join(c if c.isprintable() else " " for c in text).split()))
