"""`fastact view --serve`: frames on request in a real browser, nonsense refused, slow clients in nobody's way."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import browser
import numpy as np
import pytest
from browser import opened
from page_browser import comes_to_say
from page_server import get, serving
from python_threads import PATIENCE, together
from tubs import write_tub

import fastact
from fastact import samples
from fastact.frames import read_picture
from fastact.page.serve import allowed_hosts
from fastact.tub import Tub

pytest.importorskip("waitress", reason="waitress is not installed")

running = browser.running  # a fixture: ruff takes an imported one for unused


SILENCE = 20
"""Seconds in which the server certainly does not give a silent client up, as it does after 30; it answers in one."""


@pytest.fixture(scope="module")
def tub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tub(tmp_path_factory.mktemp("serve") / "tub", deleted=(2,))


@pytest.fixture(scope="module")
def address(tub: Path) -> Iterator[str]:
    with serving("-m", samples.pilot(), "--tub", tub, "--size", "640x360") as found:
        yield found


def raw(address: str, request: bytes) -> bytes:
    """The answer to bytes that no library would send."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


def maps_of(tub: Path, number: int) -> dict[str, np.ndarray]:
    model = fastact.load(samples.pilot()).at_size((360, 640))
    frame = read_picture([r.image for r in Tub.open(tub)][number], (360, 640, 3)).frame
    return {name: np.array(array) for name, array in fastact.Extractor(model)(frame).items()}


def test_frames_and_maps_are_those_of_the_tub(address: str, tub: Path) -> None:
    status, body, headers = get(f"{address}/frames/3")
    told = json.loads(body)
    assert status == 200
    assert told["name"].startswith("4 of 6: 4_cam")  # record 2 is deleted
    assert (told["columns"][0]["width"], told["columns"][0]["height"]) == (640, 360)
    assert len(told["columns"][0]["addresses"]) == 1
    status, body, headers = get(f"{address}/frames/3/maps/0/1")
    expected = maps_of(tub, 3)["Conv2D_First_layer"]
    np.testing.assert_array_equal(np.frombuffer(body, "<f4"), np.moveaxis(expected, -1, 0).ravel())
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in headers


NONSENSE = (
    "/frames", "/frames/", "/frames/-1", "/frames/6", "/frames/999999999", "/frames/99999999999999999999999",
    "/frames/1e1", "/frames/0x1", "/frames/1/", "/frames/%31%0a", "/frames/%D9%A3", "/frames/1%00", "/frames/1/maps",
    "/frames/1/maps/0",
    "/frames/1/maps/1/1", "/frames/1/maps/0/0", "/frames/1/maps/0/16", "/frames/1/maps/0/999999", "/frames/1/maps/0/-1",
    "/frames/0-5", "/../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/index.html",
    "/statistics/", "/statistics/1", "/statistics/-0", "/statistics/0/", "/statistics/999", "/statistics/0x0",
    "/static/page.js", "/favicon.ico", "/" + "a" * 8000,
)  # fmt: skip


@pytest.mark.parametrize("path", NONSENSE, ids=lambda p: p[:40])
def test_nonsense_is_refused(address: str, path: str) -> None:
    host = address.removeprefix("http://")
    answer = raw(address, f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert answer.endswith(b"there is no such page, frame or layer")


@pytest.mark.parametrize(
    "request_line",
    [b"POST / HTTP/1.1", b"PUT /frames/1 HTTP/1.1", b"DELETE / HTTP/1.1", b"OPTIONS / HTTP/1.1", b"TRACE / HTTP/1.1"],
)
def test_it_is_only_read_from(address: str, request_line: bytes) -> None:
    host = address.removeprefix("http://").encode()
    answer = raw(address, request_line + b"\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzzzzz\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\r\n" * 10 + b"nothing\r\n\r\n",
    ],
    ids=["TLS", "long", "chunked", "header", "nothing"],
)
def test_what_is_no_request_ends(address: str, garbage: bytes) -> None:
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        try:
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except OSError:  # the server may close before all was sent
            pass
    assert get(f"{address}/frames/0")[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8892", "127.0.0.1.evil.example", "localhost.evil.example", "", "127.0.0.1@evil",
     "[::1"],
)  # fmt: skip
def test_other_hosts_are_refused(address: str, host: str) -> None:
    answer = raw(address, f"GET /frames/0 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 Misdirected Request\r\n")
    assert b"name" in answer.partition(b"\r\n\r\n")[2]


def test_hosts_that_are_this_server() -> None:
    allowed = allowed_hosts("car.local")
    for host in ("localhost", "LOCALHOST:8892", "127.0.0.1:1", "[::1]:8892", "192.168.1.7:8892", "car.local:8892"):
        assert allowed(host), host
    for host in ("0x7f000001", "example.com", "car.local.example.com", "", ":8892", "car.local:abc"):
        assert not allowed(host), host


def test_slow_clients_are_in_nobody_s_way(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    slow = []
    for n in range(40):
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        # Half of them never end their request, half never read an answer of 2.7 MB.
        end = b"\r\n\r\n" if n % 2 else b""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(b"GET /frames/1/maps/0/1 HTTP/1.1\r\nHost: 127.0.0.1" + end)
        slow.append(connection)
    try:
        time.sleep(1)
        started = time.perf_counter()
        assert get(f"{address}/frames/1/maps/0/3")[0] == 200
        assert get(f"{address}/")[0] == 200
        assert time.perf_counter() - started < SILENCE
    finally:
        for connection in slow:
            connection.close()


def test_clients_that_ask_much_and_read_nothing_are_in_nobody_s_way(address: str) -> None:
    host, port = address.removeprefix("http://").split(":")
    request = b"GET /frames/1/maps/0/1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    greedy = []
    for _ in range(6):  # more than there are threads
        connection = socket.create_connection((host, int(port)), timeout=PATIENCE)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request * 140)  # for 380 MB of answers
        greedy.append(connection)
    try:
        time.sleep(2)
        started = time.perf_counter()
        assert get(f"{address}/frames/2")[0] == 200
        assert time.perf_counter() - started < SILENCE
    finally:
        for connection in greedy:
            connection.close()


def test_many_ask_at_once(address: str, tub: Path) -> None:
    expected = {n: np.moveaxis(maps_of(tub, n)["Conv2D_Third_layer"], -1, 0).ravel() for n in range(6)}

    def ask(number: int) -> None:
        body = get(f"{address}/frames/{number}/maps/0/5")[1]
        assert np.array_equal(np.frombuffer(body, "<f4"), expected[number])

    together(partial(ask, n % 6) for n in range(30))


def test_a_picture_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    tub = write_tub(tmp_path / "tub")
    with serving("-m", samples.pilot(), "--tub", tub) as address:
        broken = next(iter(list(Tub.open(tub))[3:])).image
        broken.write_bytes(b"no picture")
        status, body, _ = get(f"{address}/frames/3")
        assert status == 422
        assert b"is not a picture fastact can read" in body
        assert get(f"{address}/frames/4")[0] == 200


def test_a_port_that_is_taken_is_said(address: str, tub: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastact", "view", "-m", str(samples.pilot()), "--tub", str(tub), "--serve", "--no-open",
         "--port", address.rpartition(":")[2]],
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1:" in done.stderr
    assert "address already in use" in done.stderr


def test_a_browser_scrubs_through_the_tub(running: Any, address: str, tub: Path) -> None:
    with opened(running, viewport={"width": 1400, "height": 1000}) as watched:
        page = watched.page
        page.goto(address)
        page.wait_for_selector('#layer-1 [data-plane="7"] canvas')
        for number, act in ((4, lambda: page.fill("#frame", "4")), (5, lambda: page.keyboard.press("."))):
            act()
            page.locator("h1").click()
            page.locator("#frame-name", has_text=f"{number + 1} of 6").wait_for()
            array = maps_of(tub, number)["Conv2D_First_layer"]
            for row, cell, plane in ((3, 5, 7), (170, 310, 2)):
                canvas = page.locator(f'#layer-1 [data-plane="{plane}"] canvas')
                comes_to_say(watched, canvas, array[..., plane], row, cell)
        assert watched.errors == []
        assert watched.requests_elsewhere(address) == []
