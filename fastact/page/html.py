"""The page as one file: template, style, scripts and maps in one text that needs no network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import zip_longest
from typing import Any

from fastact import __version__
from fastact.errors import InputError, MissingExtraError
from fastact.page.alignment import aligned
from fastact.page.colours import colour_maps
from fastact.page.columns import Column, Data, described, planes_of
from fastact.page.packing import EXACT, Packed, pack_within
from fastact.page.statistics import Told, in_words

SCRIPTS = (
    "basics.js", "address.js", "packed.js", "colours.js", "settings.js", "reading.js", "statistics.js", "bars.js",
    "grid.js", "stage.js", "network.js", "live.js", "telling.js", "page.js",
)  # fmt: skip
"""The page's scripts; each may import from those before it."""

MOST_MAPS = 4_000_000
"""Bytes of packed maps in a page, before they are said in base64, beyond which values get fewer bits than 32."""

MOST_PAGE = 150_000_000
"""Characters of a page that a browser still opens without trouble."""

_IMPORT = re.compile(r"^import\s[^;]*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|class|const|let)", re.MULTILINE)


@dataclass(frozen=True)
class Live:
    """A page that is served.

    Attributes:
        count: how many frames there are to choose from.
        start: which one it opens with.
        told: whether there will be statistics.
    """

    count: int
    start: int
    told: bool = False


def template_library() -> Any:
    """jinja2, which fills the page; raises MissingExtraError where it is not installed."""
    try:
        import jinja2
    except ImportError as error:
        raise MissingExtraError("`fastact view`", "jinja2", "view") from error
    return jinja2


def page(
    columns: Sequence[Column],
    *,
    title: str,
    colormap: str | None = None,
    live: Live | None = None,
    told: Sequence[Told | None] = (),
) -> str:
    """The page with one column, or with several side by side.

    Args:
        columns: models with their maps; where the page is `live`, maps are asked for later and are not in it.
        title: what the page is called.
        colormap: the one shown first; any name of cmap's catalogue.
        live: for a page that is served.
        told: what many frames say of the filters, for each column.

    Raises:
        InputError: an unknown colour map, or more maps than a browser could open.
        MissingExtraError: jinja2 is not installed.
    """
    jinja2 = template_library()
    packed = [{} for _ in columns] if live else _packed(columns)
    described_columns = [described(c, p) for c, p in zip(columns, packed, strict=True)]
    for each, known in zip_longest(described_columns, told):
        size = each["input"] and each["input"]["addresses"] and (each["input"]["height"], each["input"]["width"])
        each["statistics"] = known and known.as_data(size or None)
    rows = _rows(columns, described_columns)
    data = {
        "columns": described_columns,
        "rows": [row["places"] for row in rows],
        "colours": colour_maps(colormap),
        "live": None if live is None else {"count": live.count, "start": live.start, "told": live.told},
    }
    script = scripts()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fastact.page"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    text: str = environment.get_template("page.html.j2").render(
        title=title,
        columns=columns,
        described=described_columns,
        rows=rows,
        sentences=[*_sentences(columns, packed, live), *dict.fromkeys(in_words(k.statistics) for k in told if k)],
        data=jinja2.utils.markupsafe.Markup(as_json(data)),
        blocks=[
            (f"maps-{number}-{place}", base64.b64encode(p[name].data).decode("ascii"))
            for number, (column, p) in enumerate(zip(columns, packed, strict=True))
            for place, name in enumerate(n.name for n in column.model.nodes)
            if name in p
        ],
        style=jinja2.utils.markupsafe.Markup(_static("page.css")),
        script=jinja2.utils.markupsafe.Markup(script),
        policy=policy(script, live=live is not None),
        live=live,
        version=__version__,
    )
    if len(text) > MOST_PAGE:
        raise InputError(
            f"the page would have {len(text) / 1e6:,.0f} MB, more than a browser opens with ease: choose fewer layers "
            "with --layers, or a smaller --size"
        )
    return text


def policy(script: str, *, live: bool) -> str:
    """What the page may do: run this one script, show pictures it holds, and, where it is served, ask its server."""
    known = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    asks = "'self'" if live else "'none'"
    return (
        f"default-src 'none'; script-src 'sha256-{known}'; style-src 'unsafe-inline'; img-src data:; "
        f"connect-src {asks}; base-uri 'none'; form-action 'none'"
    )


def as_json(data: object) -> str:
    """JSON that may stand inside a script element: no < is left that could end it."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache(maxsize=1)
def scripts() -> str:
    """All scripts as one module: each without its imports, which come before it, its exports as plain names."""
    parts = [_EXPORT.sub("", _IMPORT.sub("", _static(name))) for name in SCRIPTS]
    return "\n" + "\n".join(parts)


def _static(name: str) -> str:
    return (resources.files("fastact.page") / "static" / name).read_text(encoding="utf-8")


def _packed(columns: Sequence[Column]) -> list[Mapping[str, Packed]]:
    """The maps of every column, packed into one budget."""
    places = [(number, name) for number, column in enumerate(columns) for name in column.maps]
    packed = pack_within((planes_of(columns[number].maps[name]) for number, name in places), MOST_MAPS)
    found: list[dict[str, Packed]] = [{} for _ in columns]
    for (number, name), each in zip(places, packed, strict=True):
        found[number][name] = each
    return list(found)


def _rows(columns: Sequence[Column], described_columns: Sequence[Data]) -> list[Data]:
    """What the template shows: each row's title, and its layers in the columns that have one."""
    places = [{layer["name"]: n for n, layer in enumerate(d["layers"])} for d in described_columns]
    rows = []
    for names in aligned([column.model for column in columns]):
        numbers = [None if name is None else places[c][name] for c, name in enumerate(names)]
        layers = [None if n is None else described_columns[c]["layers"][n] for c, n in enumerate(numbers)]
        known = [layer for layer in layers if layer is not None]
        rows.append({
            "title": known[0]["name"],
            "kind": known[0]["kind"],
            "places": numbers,
            "layers": layers,
            "first": known[0],
            "lane": layers[0]["lane"] if layers[0] else None,
            "mapped": any(layer["maps"] for layer in known),
        })  # fmt: skip
    return rows


def _sentences(columns: Sequence[Column], packed: Sequence[Mapping[str, Packed]], live: Live | None) -> list[str]:
    """What is to be said of the page as a whole."""
    said = []
    for column in columns:
        missing = [n for n in column.model.nodes if n.reason is not None]
        at, the = (f"{column.label}: ", "the") if len(columns) > 1 else ("", "The")
        if missing:
            said.append(f"{at}{len(missing)} of {len(column.model.nodes)} layers are not computed.")
        said += [f"{at}{the} picture was {note}." for note in (column.fed.notes if column.fed else ())]
    fewer = {p.bits for each in packed for p in each.values()} - {EXACT}
    if live or (not fewer and any(packed)):
        said.append("Values are exact: float32, as the network computes them.")
    elif fewer:
        said.append(
            f"To keep the page small, large layers hold values in {min(fewer)} bits: the nearest of "
            f"{2 ** min(fewer):,} steps between a map's ends. Such values are shown with ≈."
        )
    if not any(column.maps for column in columns):
        said.append("No picture was given, so there are no maps: add --image FILE or --tub DIR.")
    return said
