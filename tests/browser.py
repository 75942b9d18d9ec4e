"""A real browser for the pages that fastact writes: Chromium without a window, driven by Playwright.

A page is opened with what would make it a bad page watched: errors on the console, scripts that fail, and requests for
anything but the page itself. Chromium is the system's (Debian's `chromium`), or what ``FASTACT_CHROMIUM`` names.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

PATIENCE = 180_000
"""Milliseconds that the browser may take for what takes it a fraction of a second on a quiet machine."""

NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The path of the browser's program; None where there is none."""
    named = os.environ.get("FASTACT_CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Watched:
    """A page of Playwright's, and what happened on it."""

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def requests_elsewhere(self, *allowed: str) -> list[str]:
        """Requests for addresses that begin with none of `allowed`; data and blobs go nowhere."""
        return [url for url in self.requests if not url.startswith((*allowed, "data:", "blob:", "about:"))]


@pytest.fixture(scope="module")
def running() -> Iterator[Any]:
    """A running Chromium for the modules that name it as their own; tests are skipped where there is none."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = chromium()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    with sync_api.sync_playwright() as playwright:
        # Chromium's own sandbox needs user namespaces, which root and most containers have not.
        started = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        try:
            yield started
        finally:
            started.close()


@contextlib.contextmanager
def opened(running: Any, **context: Any) -> Iterator[Watched]:
    """A fresh page in a context of its own, watched; `context` goes to Playwright's ``new_context``."""
    with contextlib.closing(running.new_context(**context)) as within:
        within.set_default_timeout(PATIENCE)
        watched = Watched(within.new_page())
        watched.page.on("console", lambda said: watched.errors.append(said.text) if said.type == "error" else None)
        watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
        watched.page.on("request", lambda request: watched.requests.append(request.url))
        yield watched
