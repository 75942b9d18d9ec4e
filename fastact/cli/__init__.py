"""The command `fastact`.

Results go to stdout, talk to stderr. Exit status: 0 done; 1 `verify` found a difference beyond the tolerance; 2 bad
input or usage, with one line that says what is wrong; 3 an error in fastact itself; 130 interrupted.
"""

from __future__ import annotations

import atexit
import errno
import gc
import importlib
import logging
import os
import sys
import traceback

import click

from fastact import __version__
from fastact.errors import FastactError

__all__ = ["main", "program"]

_COMMANDS = {
    "bench": "Measure what a model costs at several sizes, and write a report.",
    "demo": "Run the main job on the samples that come with fastact.",
    "doctor": "Show CPU and GPU, which compiled kernels are used, and why.",
    "extract": "Compute the feature maps of pictures and save them.",
    "info": "Show a model's layers: shapes, parameters, costs, receptive fields.",
    "movie": "Make a film of a tub, as the network sees it.",
    "saliency": "Show which pixels matter to a network.",
    "stats": "Show what a tub says about a model's filters: dead ones, duplicates, what excites them.",
    "verify": "Compare every layer's map with TensorFlow's.",
    "view": "Open a page that shows what every filter sees.",
}
"""Each command with its one line of help; its code is imported when it is used."""

_EXAMPLES = """
\b
Examples:
  fastact demo
  fastact info pilot.h5 --input 640x360
  fastact extract --model pilot.h5 --image frame.jpg
  fastact extract --model pilot.h5 --image a.jpg --image b.jpg --layers 'conv*' --save png,npz --out maps
  fastact view --model pilot.h5 --image frame.jpg
  fastact movie --tub data --model pilot.h5 --out lap.mp4
  fastact saliency --model pilot.h5 --image frame.jpg --method gradient
  fastact bench pilot.h5 --sizes 160x120,640x360
  fastact stats --model pilot.h5 --tub data
  fastact verify pilot.h5 --image frame.jpg

\b
Exit status: 0 done; 1 verify found a difference beyond the tolerance; 2 bad input or usage;
3 an error in fastact itself; 130 interrupted.
"""


class _Commands(click.Group):
    """Imports a command only when it is called, so that --help and errors come at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"fastact.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fastact")
def _fastact() -> None:
    """See what a convolutional network sees: the feature maps of a Keras model, without Keras or TensorFlow."""


def program() -> None:
    """What the command `fastact` runs: :func:`main`, and the end of the process.

    It ends without taking apart every module and object one by one, which takes longer than to compute a frame.
    """
    try:
        main()
    except SystemExit as end:
        atexit._run_exitfuncs()  # has no public name
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))


def main() -> None:
    """Runs the command line and exits with the status that the module's docstring lists."""
    _open_streams()
    # NumPy's library of matrices starts threads when it is loaded, which spin for 50 ms and have nothing to do here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    log, handler = logging.getLogger("fastact"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("fastact: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    status = _status()
    gc.freeze()  # all goes with the process: to look for cycles in all of it first takes longer than a frame
    sys.exit(status)


def _open_streams() -> None:
    """Leads a standard stream that is closed to nowhere, so that what is written there is lost without harm, and no
    file that is opened later gets its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):  # in this order each gets its own number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8", errors="backslashreplace"))  # noqa: SIM115, PTH123


def _status() -> int:
    try:
        result = _fastact.main(standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except FastactError as error:
        click.echo(f"fastact: {error}", err=True)
        return 2
    except click.ClickException as error:
        error.show()
        return 2
    except (KeyboardInterrupt, click.Abort):
        click.echo("fastact: interrupted", err=True)
        return 130
    except (BrokenPipeError, SystemExit):  # whoever read the output has gone; the second is click's way to say so
        _write_no_more()
        return 0
    except MemoryError:
        click.echo("fastact: not enough memory: choose fewer layers or a smaller input", err=True)
        return 2
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # files of results have an error of their own
            _write_no_more()
            click.echo(
                "fastact: cannot write to stdout: the disk is full: free some space, or lead stdout elsewhere", err=True
            )
            return 2
        traceback.print_exc()
        click.echo("fastact: this is an error in fastact itself; please report it with the lines above", err=True)
        return 3


def _write_no_more() -> None:
    """Leads stdout nowhere; Python would complain once more when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
