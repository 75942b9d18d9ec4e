"""`fastact view --serve` running beside a test, and what it answers."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator

from python_threads import PATIENCE


@contextlib.contextmanager
def serving(*options: object) -> Iterator[str]:
    """The address where a server listens, without the slash at the end; it has to end well on Ctrl-C."""
    command = [sys.executable, "-m", "fastact", "view", *map(str, options), "--serve", "--no-open", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stdout.readline().strip()
        assert said.startswith("http://127.0.0.1:"), process.stderr.read()
        try:
            yield said.rstrip("/")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
            assert "Traceback" not in process.stderr.read()
        finally:
            process.kill()


def get(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, body and headers of an answer, whatever its status."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)
