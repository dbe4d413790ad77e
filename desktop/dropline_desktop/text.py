"""Text made ready to be shown: names and reasons from outside, and figures in sentences."""

from __future__ import annotations

import re
import unicodedata

_FIGURE = re.compile(r"(?<=\d) (?=\S{1,3}(?:[\s.,;:)–]|$))|(?<=\b[ρLτλμX]) (?=\d)")
#: The joiners that emoji and several scripts need inside a word.
_JOINERS = "\u200c\u200d"


def printable(text: str) -> str:
    r"""Text in which nothing is invisible or steers the display.

    A control character becomes its picture ("␊"), a byte of a name that is not UTF-8 `\xNN`, any
    other unprintable character `\uNNNN`; a name can thus not break a line or turn text round.
    """
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def unbroken(text: str) -> str:
    """A sentence in which no line ends between a figure and its unit or sign ("53 s", "L 3.4")."""
    return _FIGURE.sub("\N{NO-BREAK SPACE}", text)


def _shown(char: str) -> str:
    code = ord(char)
    if char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs":
        return char
    if code < 0x20:
        return chr(0x2400 + code)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"
