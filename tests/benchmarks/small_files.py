"""Files a second for many small files: Dropline, curl and a script, all to the same receiver."""

from __future__ import annotations

from functools import partial

from grounds import Grounds
from report import ROUNDS, Section, Table, alternate, middle, ratio, spread, told
from senders import Run, Sender, curl, python, run

#: Seconds that all rounds may take together.
BUDGET = 220.0
CPU = ("sender’s CPU, µs a file", "receiver’s")
PEER = "curl --parallel-max 50"

SENDERS: dict[str, Sender] = {
    "Dropline, 1 worker": python("dropline", 1),
    "Dropline, 4 workers": python("dropline", 4),
    "Dropline, 16 workers": python("dropline", 16),
    PEER: curl("--parallel", "--parallel-max", "50"),
    "curl --parallel-max 16": curl("--parallel", "--parallel-max", "16"),
    "script, 16 threads": python("script", 16),
}


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """10,000 files of 4 KiB, 500 when quick."""
    count = 500 if quick else 10_000
    folders = grounds.small_files(count)
    runs: dict[str, list[Run]] = {name: [] for name in SENDERS}

    def files_a_second(name: str) -> float:
        runs[name].append(run(grounds, SENDERS[name], folders))
        return count / runs[name][-1].seconds

    contenders = {name: partial(files_a_second, name) for name in SENDERS}
    figures = alternate(contenders, 1 if quick else ROUNDS, BUDGET)
    table = Table(["sender", "files/s", "least to greatest", "× curl 50", "× script", *CPU])
    script = figures["script, 16 threads"]
    for name, rates in figures.items():
        against = ratio(rates, figures[PEER]), ratio(rates, script)
        cpu = [
            middle([getattr(run, side).cpu / count * 1e6 for run in runs[name]])
            for side in ("sender", "receiver")
        ]
        table.rows.append([name, middle(rates), spread(rates), *against, *cpu])
    return Section(
        f"{count:,} files of 4 KiB",
        f"{told(script)}, each to a fresh `dropline serve` (every file and row "
        "synced to disk before it answers, the same for all), all checked afterwards by number, "
        "name and SHA-256. Dropline: its line without a window, from the drop, with the walk, its "
        "events, its meter and a comparison of every answered SHA-256. curl: one invocation, one "
        "transfer a file from a configuration file written beforehand. Script: `requests`, 16 "
        "threads with a session each, `files={'file': …}`. The last two trust the status code. "
        "The start of interpreters is not measured.",
        [table],
    )
