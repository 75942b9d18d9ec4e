"""The page, served: frames of a tub on request, over HTTP on this machine.

`application` is a WSGI application without state of its own; waitress runs it with a few threads. Waitress takes a
whole answer off the thread that made it and sends it as fast as the client takes it, so that a slow link stalls nobody.

| address | answer |
| --- | --- |
| `/` | the page |
| `/frames/N` | frame N: its name, and each column's picture, as JSON |
| `/frames/N/maps/C/P` | the maps of layer number P of column C: float32, little-endian, (maps, rows, columns) |
| `/statistics` | how far the statistics are, as JSON |
| `/statistics/C` | those of column C so far, as JSON |

Everything else is refused: other methods, other paths, numbers that are none or too large, and requests for another
host than this one, which a page elsewhere could make by pointing its own name at 127.0.0.1 (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from fastact.errors import FastactError, MissingExtraError
from fastact.page.columns import Column, picture_of, planes_of
from fastact.page.html import as_json
from fastact.page.telling import Telling

KEPT = 4
"""Frames whose maps are kept, since a page asks for them layer by layer."""

_FRAME = re.compile(r"/frames/([0-9]{1,9})")
_MAPS = re.compile(r"/frames/([0-9]{1,9})/maps/([0-9]{1,2})/([0-9]{1,6})")
_STATISTICS = re.compile(r"/statistics(?:/([0-9]{1,2}))?")

_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
_POLICY = "frame-ancestors 'none'; object-src 'none'"
"""What the page's own policy, in its head, cannot say."""

_STATUS = {200: "200 OK", 404: "404 Not Found", 405: "405 Method Not Allowed", 421: "421 Misdirected Request",
           422: "422 Unprocessable Content"}  # fmt: skip

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Mapping[str, Any], StartResponse], Iterable[bytes]]


class Frames(Protocol):
    """What is served: so many frames, each with a name and its columns."""

    @property
    def count(self) -> int:
        """How many frames there are."""

    def name(self, number: int) -> str:
        """What a frame is called."""

    def columns(self, number: int) -> Sequence[Column]:
        """A frame's columns with their maps; raises FastactError where it cannot be read."""


@dataclass
class Kept:
    """The latest frames' columns; a frame that several threads ask for is computed once."""

    frames: Frames
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _columns: OrderedDict[int, Sequence[Column]] = field(default_factory=OrderedDict)

    def columns(self, number: int) -> Sequence[Column]:
        """A frame's columns."""
        with self._lock:
            if number not in self._columns:
                self._columns[number] = self.frames.columns(number)
                if len(self._columns) > KEPT:
                    self._columns.popitem(last=False)
            self._columns.move_to_end(number)
            return self._columns[number]


@dataclass(frozen=True)
class _Answer:
    status: int
    kind: str
    body: bytes


def application(
    page: str, frames: Frames, allowed: Callable[[str], bool], telling: Telling | None = None
) -> Application:
    """The WSGI application; `allowed` says whether a request's Host is this server, `telling` has its statistics."""
    kept, body = Kept(frames), page.encode("utf-8")

    def answer(environ: Mapping[str, Any]) -> _Answer:
        if not allowed(environ.get("HTTP_HOST", "")):
            return _refused(421, "this server is asked by another name than its own")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return _refused(405, "this server is only read from")
        path = environ.get("PATH_INFO", "")
        if path == "/":
            return _Answer(200, "text/html; charset=utf-8", body)
        try:
            found = _statistics(path, telling) if telling else None
            return found or _frame(path, kept, telling) or _refused(404, "there is no such page, frame or layer")
        except FastactError as error:
            return _refused(422, str(error))

    def respond(environ: Mapping[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        given = answer(environ)
        headers = [("Content-Type", given.kind), ("Content-Length", str(len(given.body))), *_HEADERS]
        start_response(_STATUS[given.status], [*headers, ("Content-Security-Policy", _POLICY)])
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [given.body]

    return respond


def _refused(status: int, sentence: str) -> _Answer:
    return _Answer(status, "text/plain; charset=utf-8", sentence.encode("utf-8"))


def _statistics(path: str, telling: Telling) -> _Answer | None:
    """What lies at a path below /statistics; None for nothing."""
    found = _STATISTICS.fullmatch(path)
    if found is None:
        return None
    body = as_json(telling.state()).encode("utf-8") if found[1] is None else telling.edition(int(found[1]))
    return None if body is None else _Answer(200, "application/json", body)


def _frame(path: str, kept: Kept, telling: Telling | None) -> _Answer | None:
    """What lies at a path below /frames; None for nothing."""
    found = _FRAME.fullmatch(path) or _MAPS.fullmatch(path)
    if found is None or int(found[1]) >= kept.frames.count:
        return None
    number, *place = (int(part) for part in found.groups())
    if telling is not None:
        telling.disturb()
    columns = kept.columns(number)
    if not place:
        told = {"name": kept.frames.name(number), "columns": [c.fed and picture_of(c.fed) for c in columns]}
        return _Answer(200, "application/json", as_json(told).encode("utf-8"))
    if place[0] >= len(columns) or place[1] >= len(columns[place[0]].model.nodes):
        return None
    column = columns[place[0]]
    maps = column.maps.get(column.model.nodes[place[1]].name)
    if maps is None:
        return None
    little = planes_of(maps).astype(np.dtype("<f4"), copy=False)
    return _Answer(200, "application/octet-stream", little.tobytes())


def allowed_hosts(host: str) -> Callable[[str], bool]:
    """Whether a Host header names this server: by an address, as localhost, by the name it was given or its machine's.

    An address cannot be rebound: only a name can be pointed elsewhere.
    """
    names = {"localhost", host.lower(), socket.gethostname().lower(), f"{socket.gethostname().lower()}.local"}

    def allowed(header: str) -> bool:
        name = re.sub(r":[0-9]{1,5}$", "", header).lower()
        if name in names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True

    return allowed


def server_library() -> Any:
    """waitress, which serves; raises MissingExtraError where it is not installed."""
    try:
        import waitress
    except ImportError as error:
        raise MissingExtraError("`fastact view --serve`", "waitress", "view") from error
    return waitress


def server(run: Application, host: str, port: int) -> Any:
    """A server that listens, but does not answer until its `run()` is called; OSError where the address is taken.

    A client has 30 seconds of silence, requests have no body to speak of, and 64 clients are served at once. What is
    read from a client at a time is short, so that it holds few requests: waitress answers all of them before it looks
    whether the client takes the answers, and above its watermark keeps a thread waiting for that.
    """
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of each request that waits for a thread
    return server_library().create_server(
        run, host=host, port=port, threads=4, connection_limit=64, channel_timeout=30, cleanup_interval=5,
        max_request_header_size=16_384, max_request_body_size=1024, ident=None, clear_untrusted_proxy_headers=True,
        recv_bytes=256, outbuf_high_watermark=2**31,
    )  # fmt: skip
