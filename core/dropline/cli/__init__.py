"""The commands that need no window. Each is a module with `configure` and `run`."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any, NoReturn

#: The modules behind the commands; imported when used, so that each starts as fast as it can.
COMMANDS = {
    "serve": "run the receiver alone",
    "send": "send files without a window",
    "load": "put a line under a load, and see theory meet measurement",
    "status": "show the figures of the running window or sender",
    "measure": "compute the figures of a recorded log",
    "report": "write a report of a recorded log or of the history",
    "whatif": "replay a recorded log with other workers",
    "attach": "watch the workers of others: a Celery fleet",
    "worker": "handle stored files as one of many workers",
    "model": "compute what a queueing formula predicts",
}

USAGE_ERROR = 2
#: Objects that are made until Python looks among the young for garbage, 700 by default.
GARBAGE_AFTER = 10_000


class CommandError(Exception):
    """A command cannot go on: the text is one line with the remedy; `status` is the exit status."""

    def __init__(self, reason: str, status: int = 1) -> None:
        super().__init__(reason)
        self.status = status


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The options of the command `argv[0]`, which must be one of `COMMANDS`."""
    name, *rest = argv
    return parser_of(name).parse_args(rest)


def main(argv: Sequence[str]) -> int:
    """Run the command `argv[0]`; return its exit status. `argv[0]` must be one of `COMMANDS`."""
    name, *rest = argv
    debug = "--debug" in rest
    _write_any_text()
    _log_to_stderr(tracebacks=debug)
    collect_seldom()
    try:
        module = importlib.import_module(f"dropline.cli.{name}")
        status: int = module.run(parser_of(name).parse_args(rest))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - said in one line, shown whole with --debug
        if debug:
            traceback.print_exc()
        known = isinstance(error, CommandError | ValueError | OSError)
        what = str(error) if known else f"{error!r} (use --debug to see where)"
        print(f"dropline {name}: {' '.join(what.split())}", file=sys.stderr)
        return error.status if isinstance(error, CommandError) else 1
    return status


def collect_seldom() -> None:
    """Look for garbage less often: what waits in a line is none, and to look through it over and
    over is a tenth of a sender's work for small files."""
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE_ERROR, f"{self.prog}: {message}: see {self.prog} --help\n")


def parser_of(name: str) -> argparse.ArgumentParser:
    """The parser of a command, which must be one of `COMMANDS`."""
    module: Any = importlib.import_module(f"dropline.cli.{name}")
    parser = _Parser(
        prog=f"dropline {name}",
        description=module.__doc__,
        epilog=module.EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    return parser


def _write_any_text() -> None:
    """Let λ and every file name be printed, whatever the terminal's encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _Brief(logging.Formatter):
    def formatException(self, *_: object) -> str:
        return ""


def _log_to_stderr(*, tracebacks: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter() if tracebacks else _Brief())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
