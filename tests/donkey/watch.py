"""A viewer of donkeycar's video stream, such as a browser is: multipart JPEG over HTTP."""

from __future__ import annotations

import http.client
import io
import time
from dataclasses import dataclass, field

from PIL import Image


@dataclass
class Watched:
    """What arrived: how many pictures, how many of them different ones, and their sizes."""

    pictures: int = 0
    different: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    last: bytes = b""


def watch(port: int, seconds: float, least: float = 0, patience: float = 120.0) -> Watched:
    """Looks at the stream for some seconds, and until more than `least` pictures were different, once the server is
    there; ends when the server does."""
    found = Watched()
    connection = _connected(port, patience)
    response = connection.getresponse()
    assert response.status == 200
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end or found.different <= least:
            picture = _next(response)
            found.pictures += 1
            if picture != found.last:
                image = Image.open(io.BytesIO(picture))
                image.load()
                assert image.format == "JPEG"
                found.different += 1
                found.sizes.add(image.size)
                found.last = picture
    except (EOFError, ConnectionError, http.client.HTTPException, TimeoutError):
        pass  # the car has stopped
    finally:
        connection.close()
    return found


def _connected(port: int, patience: float) -> http.client.HTTPConnection:
    end = time.monotonic() + patience
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", "/video")
            return connection
        except ConnectionError:
            connection.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _next(response: http.client.HTTPResponse) -> bytes:
    """The next picture of the stream."""
    length = None
    while length is None:
        line = response.readline()
        if not line:
            raise EOFError
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    response.readline()
    return response.read(length)
