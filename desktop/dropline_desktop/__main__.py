"""The `dropline` command: the window, or one of the commands that need none.

Qt is imported only where a window opens, so that the other commands start as fast as they can.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from dropline import __version__
from dropline.cli import COMMANDS, USAGE_ERROR, parse
from dropline.cli import main as run_command
from dropline.home import Home

_EXAMPLE = """example:
  dropline ~/photos        open the window and send the folder

commands, each with --help:
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments; return its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments and arguments[0] in COMMANDS:
        if arguments[0] == "attach" and has_display():
            from dropline.cli.attach import wants_window

            options = parse(arguments)
            if wants_window(options):
                from dropline_desktop.fleet import run_fleet

                return run_fleet(options)
        return run_command(arguments)
    paths = _parser().parse_args(arguments).paths
    missing = [path for path in paths if not os.path.lexists(path)]
    if missing:
        what = "file, folder or command" if missing[0] == paths[0] else "file or folder"
        print(f"dropline: “{missing[0]}” is no {what}: see dropline --help", file=sys.stderr)
        return USAGE_ERROR
    paths = [os.path.abspath(path) for path in paths]
    if not has_display():
        if paths:
            print("dropline: there is no display: use dropline send PATH…", file=sys.stderr)
            return USAGE_ERROR
        from dropline_desktop.demo import run_demo

        return run_demo()
    if _hand_over(paths):
        return 0
    from dropline_desktop.app import run

    return run(paths)


def has_display() -> bool:
    """Whether a window can open here."""
    if sys.platform in {"win32", "darwin"} or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _hand_over(paths: Sequence[str]) -> bool:
    """Give the paths to the window that runs already, which comes to the front; False if none."""
    home = Home.default()
    if home.read_run() is None:  # the usual case, in which nothing more is imported
        return False
    import requests

    from dropline.control import Running

    running = Running.find(home)
    if running is None:
        return False
    try:
        running.drop(paths)
    except requests.RequestException:
        return False  # a sender without a window, or one that is just closing
    return True


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS)) + 2
    commands = "\n".join(f"  {name:<{width}}{text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="dropline",
        description="Drop files in, watch the line, tune it.",
        epilog=_EXAMPLE + commands,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="file or folder to send")
    parser.add_argument("--version", action="version", version=f"Dropline {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
