"""What core says, in the language of the window.

Core makes English sentences; some come back from the journal or from another process, so the text
is all there is. `core.txt` lists the templates of which they are made (`tools/spoken.py` finds
them), with %1, %2 … for what is filled in. A text is known again by its template, and the
template's translation, in the context "Core", gets what was filled in.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files

from PySide6.QtCore import QCoreApplication

#: Characters at the beginning or the end of a text by which its templates are looked up.
EDGE = 6
#: A longer text is shown as it is.
LONGEST = 5000
#: Sentences that stand in sentences, one in another.
DEEPEST = 4
_PLACE = re.compile(r"%(\d+)")


class Template:
    """One of core's sentences, with places for what is filled in."""

    def __init__(self, text: str) -> None:
        self.text = text
        #: What is fixed, and the numbers of the places in between: "", "1", " is ", "2", "".
        self._parts = _PLACE.split(text)
        self.fixed = sum(map(len, self._parts[::2]))

    @property
    def edge(self) -> tuple[str, str]:
        """The beginning and the end that a text of this template has; "" where that is open."""
        first, last = self._parts[0], self._parts[-1]
        if len(last) >= EDGE:
            return "", last[-EDGE:]
        return (first[:EDGE], "") if len(first) >= EDGE else ("", "")

    def filled_in(self, text: str) -> tuple[str, ...] | None:
        """What fills the places of this template in a text; None when it is of another.

        Each fixed part is taken where it first comes: a regular expression would go back and try
        others, which takes seconds for a long text that repeats them.
        """
        first, *rest = self._parts[::2]
        if not rest:
            return () if text == first else None
        *inner, last = rest
        at, end = len(first), len(text) - len(last)
        if at > end or not text.startswith(first) or not text.endswith(last):
            return None
        values = []
        for part in inner:
            found = text.find(part, at, end)
            if found < 0:
                return None
            values.append(text[at:found])
            at = found + len(part)
        return (*values, text[at:end])

    def quoted(self, place: int) -> bool:
        """Whether a place is in quotes: what stands there is a name, and no sentence."""
        return self._parts[2 * place].endswith("“")


def spoken(text: str) -> str:
    """A text of core in the language of the window; one that core did not make as it is."""
    return _spoken(text, DEEPEST)


def why(error: Exception) -> str:
    """What went wrong, in the language of the window: the system's words, where they are known."""
    return spoken(getattr(error, "strerror", None) or str(error))


def _spoken(text: str, depth: int) -> str:
    if not depth or (said := _template_of(text)) is None:
        return text
    template, values = said
    own = QCoreApplication.translate("Core", template.text)
    if own == template.text:
        return text
    inner = [
        value if template.quoted(place) else _spoken(value, depth - 1)
        for place, value in enumerate(values)
    ]
    return _PLACE.sub(lambda place: inner[int(place[1]) - 1], own)


@lru_cache(maxsize=4096)
def _template_of(text: str) -> tuple[Template, tuple[str, ...]] | None:
    """The template that fits a text, the one with the most fixed characters, and what fills it."""
    if not text or len(text) > LONGEST:
        return None
    index = _templates()
    edges = {("", text[-EDGE:]), (text[:EDGE], ""), ("", "")}
    fitting = [template for edge in edges for template in index.get(edge, ())]
    for template in sorted(fitting, key=lambda each: -each.fixed):
        if (values := template.filled_in(text)) is not None:
            return template, values
    return None


@cache
def _templates() -> dict[tuple[str, str], list[Template]]:
    """All templates by their edge."""
    listed = files("dropline_resources").joinpath("translations", "core.txt")
    index: dict[tuple[str, str], list[Template]] = {}
    for line in listed.read_text("utf-8").splitlines():
        template = Template(line)
        index.setdefault(template.edge, []).append(template)
    return index
