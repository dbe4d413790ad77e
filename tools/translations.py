"""Brings the translations up to date with the code, and checks that they are whole.

    make translations                        after a string was added, changed or deleted
    python tools/translations.py --check     what `make check` does: says what is missing

`lupdate` finds the strings (in calls of `tr`, `translate` and `QT_TRANSLATE_NOOP`) and adds those
that are new to the sources, `*.ts`, unfinished; there they are translated, by hand or with
`pyside6-linguist`. What the tuner says are templates of core; what else core says is found by
`spoken.py` and listed in `core.txt`, by which the window knows it again. `lrelease` compiles the
sources. Both tools come with PySide6-Essentials. The compiled `*.qm` are in the repository, so that
whatever installs the project has them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from spoken import sentences

from dropline.tuning.words import TEMPLATES

ROOT = Path(__file__).resolve().parent.parent
#: Reports are core's own, and get the function that translates from who asks for them.
CODE = (ROOT / "desktop" / "dropline_desktop", ROOT / "core" / "dropline" / "report")
FOLDER = ROOT / "resources" / "dropline_resources" / "translations"
#: The sources, and what more `lupdate` is told for each: English needs its plurals only.
SOURCES = {
    "dropline_en.ts": ("-target-language", "en", "-pluralonly"),
    "dropline_zh_CN.ts": ("-target-language", "zh_CN"),
}
#: The templates of what core says, a line each.
SPOKEN = "core.txt"
_PLACES = re.compile(r"\{[^}]*\}|%L?n|%\d+|</?\w+>")
_MNEMONIC = re.compile(r"&(\w)")


def main() -> int:
    """Write, or with `--check` only look; 1 when something is missing or false."""
    problems: list[str] = []
    if "--check" in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            for name in SOURCES:
                shutil.copy(FOLDER / name, folder)
            bring_up_to_date(folder)
            for name in [
                SPOKEN,
                *SOURCES,
                *(Path(name).with_suffix(".qm").name for name in SOURCES),
            ]:
                kept = FOLDER / name
                if not kept.exists() or kept.read_bytes() != (folder / name).read_bytes():
                    problems.append(f"{name} is not up to date: make translations")
    else:
        bring_up_to_date(FOLDER)
    for name in SOURCES:
        problems += [f"{name}: {problem}" for problem in problems_of(FOLDER / name)]
    print("\n".join(problems) or "translations: whole")
    return 1 if problems else 0


def bring_up_to_date(folder: Path) -> None:
    """Add to the sources in a folder what is new, drop what is gone, and compile them."""
    code = [str(path.relative_to(ROOT)) for room in CODE for path in sorted(room.rglob("*.py"))]
    spoken = sentences()
    (folder / SPOKEN).write_text("".join(f"{text}\n" for text in spoken), "utf-8", newline="\n")
    how = ["-silent", "-no-obsolete", "-locations", "none", "-source-language", "en"]
    with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as of_core:
        of_core.writelines(f"QT_TRANSLATE_NOOP('Tuning', {text!r})\n" for text in TEMPLATES)
        of_core.writelines(f"QT_TRANSLATE_NOOP('Core', {text!r})\n" for text in spoken)
        of_core.flush()
        for name, options in SOURCES.items():
            source = folder / name
            run("lupdate", *code, of_core.name, *how, *options, "-ts", str(source))
            run("lrelease", "-silent", str(source))


def run(tool: str, *arguments: str) -> None:
    """Run one of Qt's tools from the environment that this Python is of."""
    subprocess.run([Path(sys.executable).with_name(f"pyside6-{tool}"), *arguments],
                   cwd=ROOT, check=True)  # fmt: skip


def problems_of(source: Path) -> Iterator[str]:
    """What is missing, left over or false in a source."""
    for context in ET.parse(source).getroot().iter("context"):
        for message in context.iter("message"):
            text = message.findtext("source") or ""
            translation = message.find("translation")
            assert translation is not None
            forms = [form.text or "" for form in translation.iter("numerusform")]
            where = f"{context.findtext('name')}: “{text}”"
            if translation.get("type") is not None:
                yield f"{where} is {translation.get('type')}"
            for form in forms or [translation.text or ""]:
                if problem := problem_with(text, form, plural=bool(forms)):
                    yield f"{where} → “{form}”: {problem}"


def problem_with(text: str, translation: str, *, plural: bool) -> str:
    """What is wrong with a translation; "" when nothing is."""
    if not translation.strip():
        return "is empty"
    places, wanted = (sorted(_PLACES.findall(each)) for each in (translation, text))
    if plural:  # a form for one thing may do without the number
        places, wanted = ([p for p in each if p != "%Ln"] for each in (places, wanted))
    if places != wanted:
        return f"has {places}, not {wanted}"
    if _mnemonics(translation) != _mnemonics(text):
        return f"has the mnemonic {_mnemonics(translation)}, not {_mnemonics(text)}"
    if text.endswith("…") != translation.endswith("…"):
        return "differs in the “…” at its end"
    return ""


def _mnemonics(text: str) -> list[str]:
    return [letter.upper() for letter in _MNEMONIC.findall(text)]


if __name__ == "__main__":
    sys.exit(main())
