"""The benchmarks: `make bench`, or `make bench ARGS="--quick --only files"`.

Prints Markdown to standard output, and what it is busy with to standard error. Nothing passes or
fails here: figures are for people to compare, on a machine that they know.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path

from grounds import Grounds
from report import machine, progress

#: Name of a benchmark and its module, which has `bench(grounds, quick=…) -> Section`.
BENCHMARKS = {
    "files": "small_files",
    "large": "large_file",
    "peers": "peers",
    "bus": "buses",
    "buses": "carriers",
    "kills": "kills",
    "monitor": "monitors",
    "flower": "flowers",
    "meter": "meters",
    "accuracy": "accuracy",
    "lanes": "lanes",
    "window": "window",
    "charts": "charts",
    "servers": "wsgi_servers",
    "receiver": "receiving",
    "million": "million",
    "start": "starts",
    "soak": "soak",
}
GROUNDS = Path(__file__).resolve().parents[2] / "build" / "bench"


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="may be repeated")
    parser.add_argument("--quick", action="store_true", help="small numbers, each within a minute")
    parser.add_argument(
        "--grounds", type=Path, default=GROUNDS, help="where files are kept (%(default)s)"
    )
    options = parser.parse_args()
    grounds = Grounds(options.grounds)
    print("# Dropline's benchmarks\n")
    if options.quick:
        print("**Quick: small numbers and one run each, good for a first look only.**\n")
    print(machine(grounds.root), flush=True)
    for name in options.only or BENCHMARKS:
        progress(name)
        module = importlib.import_module(BENCHMARKS[name])
        began = time.monotonic()
        section = module.bench(grounds, quick=options.quick)
        print(f"\n{section.to_markdown(time.monotonic() - began)}", flush=True)


if __name__ == "__main__":
    main()
