"""The guide: it builds, what it shows exists, and its examples do what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtWidgets import QApplication

from dropline.cli import COMMANDS, parser_of
from dropline_desktop.actions import commands, plain
from dropline_desktop.theme import Mode, Theme

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
READMES = (ROOT / "README.md", ROOT / "README.zh-CN.md")
PAGES = sorted(DOCS.rglob("*.md"))
#: Options of other programs that the pages mention.
OTHERS = {"--parallel", "--version", "--help", "--all"}
MOST_LINES = 30
MENUS = ("File, ", "Transfers, ", "View, ", "Help, ")


def blocks(page: Path, language: str = "") -> list[str]:
    """The fenced blocks of a page that are of this language."""
    found = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", page.read_text("utf-8"), re.M | re.S)
    return [text for name, text in found if name == language]


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Each command of ours that a page or README shows in a block, and where."""
    for page in (*PAGES, *READMES):
        for block in blocks(page):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words[:1] == ["dropline"] and words[1:2] and words[1] in COMMANDS:
                    yield f"{page.name}: {line.strip()}", words[1:]


def options_of(name: str) -> set[str]:
    """All options of a command."""
    return {option for action in parser_of(name)._actions for option in action.option_strings}


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="Sphinx is missing: make test installs it")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going"]
    places = ["-d", tmp_path / "trees", DOCS, tmp_path / "guide"]
    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "guide" / "reference" / "commands.html").read_text("utf-8")
    assert all(f"dropline {name}" in page for name in COMMANDS)
    assert "% generated" not in page


@pytest.mark.parametrize(("where", "words"), [pytest.param(*each) for each in command_lines()])
def test_command_lines_are_understood(where: str, words: list[str]) -> None:
    parser_of(words[0]).parse_args(words[1:])  # exits with a sentence when not


def test_there_are_command_lines_of_every_command() -> None:
    shown = {words[0] for _, words in command_lines()}
    assert shown >= COMMANDS.keys() - {"status"}, "the guide leaves some out"


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.name)
def test_options_exist(page: Path) -> None:
    known = OTHERS.union(*map(options_of, COMMANDS))
    inline = re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
    for text in inline:
        name = text.split()[1] if text.startswith("dropline ") and " " in text else ""
        allowed = options_of(name) | OTHERS if name in COMMANDS else known
        if text.startswith(("dropline ", "--")):
            options = set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", text))
            assert options <= allowed, text


@pytest.mark.parametrize("page", [*PAGES, READMES[0]], ids=lambda page: page.name)
def test_menu_entries_exist(page: Path) -> None:
    entries = {f"{plain(each.menu.title)}, {plain(each.text)}" for each in commands()}
    text = " ".join(page.read_text("utf-8").split())
    shown = set(re.findall(r"\*((?:File|Transfers|View|Help), [^*]+)\*", text))
    assert shown <= entries, sorted(shown - entries)


@pytest.mark.parametrize(
    "page", [DOCS / "tutorial.md", *(DOCS / "how-to").glob("*.md")], ids=lambda page: page.name
)
def test_words_of_the_window_exist(page: Path) -> None:
    (sources,) = (ROOT / "resources/dropline_resources/translations").glob("*zh_CN.ts")
    words = {plain(each.text or "") for each in ElementTree.parse(sources).iter("source")}
    text = " ".join(page.read_text("utf-8").split())
    for shown in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", text):
        said = shown.partition(", ")[2] if shown.startswith(MENUS) else shown
        assert any(said.rstrip("…") in word for word in words), shown


@pytest.mark.parametrize("page", [*PAGES, *READMES], ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for path in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8")):
        assert "://" in path or (page.parent / path).is_file(), path


# ---------------------------------------------------------------------- the developers' pages


def example(name: str) -> list[str]:
    """The code of a developers' page; what is to be added is at most 30 lines."""
    code = blocks(DOCS / "develop" / f"{name}.md", "python")
    assert len(code) == 2
    assert len([line for line in code[0].splitlines() if line]) <= MOST_LINES
    return code


def run_in(folder: Path, code: list[str]) -> str:
    """What the blocks print, run one after the other in a folder."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        cwd=folder,
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_add_a_target(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_bytes(b"Dear reader\n" * 1000)
    run_in(tmp_path, example("target"))
    copy = tmp_path / "copies" / "letter.txt"
    assert copy.read_bytes() == (tmp_path / "letter.txt").read_bytes()


def test_add_a_chart(qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"theme": Theme(qapp, Mode.LIGHT)}
    for code in example("chart"):
        exec(code, names)
    strip = names["strip"]
    assert (tmp_path / "retries.png").stat().st_size > 0
    assert [readout.quantity.key for readout in strip.readouts] == ["retried"]  # type: ignore[attr-defined]


def test_add_an_event_source(tmp_path: Path) -> None:
    printed = run_in(tmp_path, example("source"))
    # 2 jobs in 4 s; 2.5 s and 3 s in the line, 5.5 / 4 present on average
    assert [float(each) for each in printed.split()] == pytest.approx([0.5, 1.375, 2.75])
    command = [sys.executable, "-m", "dropline_desktop", "measure", "printer.jsonl"]
    window = ["--start", "0", "--end", "5", "--json"]
    done = subprocess.run([*command, *window], cwd=tmp_path, capture_output=True, check=True)
    assert b'"finished": 2' in done.stdout
