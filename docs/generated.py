"""The parts of the guide that are made from the code, as Markdown."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import fields

#: Columns of the commands' help, whatever terminal builds the guide.
COLUMNS = "88"


def filled(page: str) -> str:
    """A page with its lines `% generated: NAME` replaced. Raises KeyError for an unknown name."""
    return re.sub(r"^% generated: (\w+)$", lambda found: PARTS[found[1]](), page, flags=re.M)


def commands() -> str:
    """What each command says with --help."""
    from dropline.cli import COMMANDS, parser_of

    os.environ.update(COLUMNS=COLUMNS, NO_COLOR="1")
    return "\n".join(
        f"## dropline {name}\n\nTo {does}.\n\n```text\n{parser_of(name).format_help()}```\n"
        for name, does in COMMANDS.items()
    )


def figures() -> str:
    """Every figure that the window shows, as its tooltip defines it."""
    from dropline_desktop import quantities

    shown = [each for each in vars(quantities).values() if isinstance(each, quantities.Quantity)]
    return "\n\n".join(
        f"**{each.symbol} {each.name()}**".replace("** ", "**")
        + f" (`{each.key}`)\n: {each.definition()}"
        + (f" *{each.english_article}*" if each.english_article else "")
        for each in shown
    )


def status() -> str:
    """The keys of a station in `dropline status --json`."""
    from dropline.meter import Figures

    keys = ", ".join(f"`{field.name}`" for field in fields(Figures))
    return f"The figures of the window: {keys}."


def files_on_disk() -> str:
    """What lies in the data folder."""
    from pathlib import Path

    from dropline.home import Home

    home = Home(Path("DATA"))
    named = ((name, each) for name, each in vars(Home).items() if isinstance(each, property))
    rows = (
        f"| `{os.path.relpath(getattr(home, name), home.root)}` | {each.__doc__} |"
        for name, each in named
    )
    return "\n".join(("| in the data folder | is |", "|---|---|", *rows))


def settings() -> str:
    """What the window remembers."""
    from dropline_desktop.settings import Settings

    named = ((name, each) for name, each in vars(Settings).items() if isinstance(each, property))
    rows = (f"| `{name}` | {each.__doc__} |" for name, each in named)
    return "\n".join(("| in `settings.ini` | is |", "|---|---|", *rows))


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "figures": figures,
    "status": status,
    "files": files_on_disk,
    "settings": settings,
}
