"""The command `fastact`, which is `python -m fastact`, too."""

from __future__ import annotations

import gc
import os

__all__ = ["program"]


def program() -> None:
    """Runs the command; Ctrl-C outside of its own work, as while it is being imported, ends it as well as within."""
    gc.set_threshold(50_000)  # what is made at first stays: looking for cycles in it every 700 objects takes 10 ms
    try:
        from fastact.cli import program as run

        run()
    except KeyboardInterrupt:
        try:
            os.write(2, b"fastact: interrupted\n")
        finally:
            os._exit(130)


if __name__ == "__main__":
    program()
