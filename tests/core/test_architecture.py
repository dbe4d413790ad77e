"""The walls of the house: core without Qt, a wheel that holds everything, no registry named."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("core/dropline", "desktop/dropline_desktop", "resources/dropline_resources")

# Qt and the window can't be had behind it. What import-linter can't see, an import by a name made
# at run time, stops here.
WALL = """
import importlib, pkgutil, sys

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"PySide6", "shiboken6", "pyqtgraph", "dropline_desktop"}:
            raise ImportError(f"core imports {name}")

sys.meta_path.insert(0, Wall())
"""
IMPORT_CORE = """
import dropline

def fail(name):
    raise

names = [module.name for module in pkgutil.walk_packages(dropline.__path__, "dropline.", fail)]
for name in names:
    importlib.import_module(name)
print(*names)
"""


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def files(need_program: Callable[[str, str], str]) -> list[str]:
    """What a commit of this tree would hold: paths below its root."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout of the repository")
    git = need_program("git", "git")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def test_every_module_of_core_imports_without_qt() -> None:
    done = run_python(WALL + IMPORT_CORE)
    assert done.returncode == 0, done.stderr
    assert {"dropline.bus", "dropline.events"} <= set(done.stdout.split())


def test_the_wall_refuses_qt() -> None:
    done = run_python(WALL + "importlib.import_module('PySide6.QtCore')")
    assert "core imports PySide6" in done.stderr


def test_the_wheel_holds_every_file_of_the_three_packages(files: list[str], tmp_path: Path) -> None:
    (wheel,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    held = set(zipfile.ZipFile(wheel).namelist())
    ours = {
        Path(name).relative_to(Path(package).parent).as_posix()
        for package in PACKAGES
        for name in files
        if name.startswith(f"{package}/")
    }
    assert "dropline/py.typed" in ours
    assert ours <= held
    tops = {name.partition("/")[0] for name in held}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        Path(package).name for package in PACKAGES
    }


def test_no_file_names_a_package_registry(files: list[str]) -> None:
    # Joined here, so that this file does not name them either.
    hosts = [
        b".".join(parts)
        for parts in [
            (b"pypi", b"org"),
            (b"pythonhosted", b"org"),
            (b"npmjs", b"org"),
            (b"npmjs", b"com"),
            (b"debian", b"org"),
        ]
    ]
    naming = [
        name for name in files if any(host in (ROOT / name).read_bytes().lower() for host in hosts)
    ]
    assert naming == []


def test_the_desktop_file_and_metainfo_are_sound() -> None:
    packaging = ROOT / "tools" / "packaging"
    entry = configparser.ConfigParser(interpolation=None)
    entry.optionxform = str  # type: ignore[assignment,method-assign]
    entry.read(packaging / "dropline.desktop", encoding="utf-8")
    assert entry["Desktop Entry"]["Exec"] == "dropline %F"
    assert (ROOT / "resources/dropline_resources/icons/dropline.svg").is_file()
    told = ElementTree.parse(packaging / "dropline.metainfo.xml").getroot()
    assert told.findtext("launchable") == "dropline.desktop"
    assert told.findtext("project_license") == "MIT"


def test_a_wheel_unpacked_alone_sends_a_file(tmp_path: Path) -> None:
    """The libraries are those of this environment, Dropline comes from the wheel only."""
    wheel = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    (tmp_path / "file").write_text("content")
    script = f"""
import sys
sys.path[:0] = [{str(tmp_path / "site")!r}]
import dropline
from dropline_desktop.__main__ import main
assert dropline.__file__.startswith({str(tmp_path)!r}), dropline.__file__
from dropline.receiver import Receiver
from pathlib import Path
receiver = Receiver(Path({str(tmp_path / "data")!r}), port=0)
receiver.start()
try:
    sys.exit(main(["send", {str(tmp_path / "file")!r}, "--to", receiver.url]))
finally:
    receiver.stop()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "DROPLINE_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 file sent and verified" in done.stdout + done.stderr
