"""What is published, made and tried out: `make dist`, into build/dist.

The wheel and the source, checked; a folder that brings its own Python, and a Debian package of it;
for that folder, which packages are in it (CycloneDX) and under what licences. What is shipped comes
from a fresh environment with the locked versions of what Dropline needs and no more. In the end
the wheel, installed as a tool by uv, and the folder each send a file and open the window.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from pathlib import Path
from typing import NoReturn
from zipfile import ZipFile

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "tools" / "packaging"
RESOURCES = ROOT / "resources" / "dropline_resources"
DIST = ROOT / "build" / "dist"
#: Where it is made: the programs, what is shipped, PyInstaller's own work.
WORK = ROOT / "build" / "dist-work"
#: Seconds that a program may take to start or to send one file.
PATIENCE = 60.0
#: Licences of what lies among the resources as others made it.
COPIED = ("icons/lucide.txt", "web/vendor/tus-js-client.txt")
#: Parts of libraries that Dropline has no use for.
EXCLUDED = ("tkinter", "PySide6.QtQml", "PySide6.QtQuick", "IPython", "matplotlib")


def main() -> None:
    """All of it, from nothing."""
    if shutil.which("uv") is None:
        stop("make dist needs uv on PATH: pip install uv")
    for folder in (DIST, WORK):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    say("the programs that this needs")
    tools = environment("tools", "--group", f"{ROOT / 'pyproject.toml'}:dist")
    wheel = build(tools)
    say("what is shipped, in an environment of its own")
    shipped = environment(
        "shipped", f"dropline[facts] @ {wheel.as_uri()}", "pyinstaller",
        "--constraint", str(ROOT / "requirements.lock"),
    )  # fmt: skip
    folder = bundle(shipped)
    tell_contents(tools, folder)
    debian(folder, version(wheel))
    say("trying them out")
    try_out(installed(wheel))
    try_out(folder / "dropline")
    say(f"done: {DIST}")


def environment(name: str, *what: str) -> Path:
    """A fresh virtual environment; its folder of programs."""
    place = WORK / name
    run("uv", "venv", "--quiet", "--python", sys.executable, str(place))
    python = place / "bin" / "python"
    run("uv", "pip", "install", "--quiet", "--python", str(python), *what)
    return python.parent


def build(tools: Path) -> Path:
    """The wheel, and the source, both checked."""
    say("wheel and source")
    run(str(tools / "python"), "-m", "hatchling", "build", "--directory", str(DIST))
    [wheel], [source] = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run(str(tools / "twine"), "check", "--strict", str(wheel), str(source))
    # Three packages stand at the top, on purpose.
    run(str(tools / "check-wheel-contents"), "--ignore", "W009", str(wheel))
    return wheel


def version(wheel: Path) -> str:
    """What the wheel says of itself."""
    with ZipFile(wheel) as archive:
        [name] = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        return str(message_from_bytes(archive.read(name))["Version"])


def bundle(shipped: Path) -> Path:
    """The folder that brings its own Python."""
    say("the bundle")
    collected = ("dropline", "dropline_desktop", "dropline_resources", "alembic", "segno")
    run(
        str(shipped / "pyinstaller"), "--noconfirm", "--log-level", "ERROR", "--name", "dropline",
        "--onedir", "--windowed", "--distpath", str(DIST), "--workpath", str(WORK / "pyinstaller"),
        "--specpath", str(WORK), "--collect-data", "pyqtgraph",
        *(word for package in collected for word in ("--collect-all", package)),
        *(word for name in ("dropline", "keyring") for word in ("--copy-metadata", name)),
        *(word for name in EXCLUDED for word in ("--exclude-module", name)),
        str(PACKAGING / "start.py"),
    )  # fmt: skip
    return DIST / "dropline"


def tell_contents(tools: Path, folder: Path) -> None:
    """Which packages are in the bundle, and their licences, beside the program."""
    python = WORK / "shipped" / "bin" / "python"
    run("uv", "pip", "uninstall", "--quiet", "--python", str(python), "pyinstaller",
        "pyinstaller-hooks-contrib", "altgraph")  # fmt: skip
    run(
        str(tools / "cyclonedx-py"), "environment", "--output-reproducible",
        "--pyproject", str(ROOT / "pyproject.toml"),
        "--output-file", str(folder / "sbom.cdx.json"), str(python),
    )  # fmt: skip
    run(
        str(tools / "pip-licenses"), f"--python={python}", "--format=plain-vertical",
        "--with-license-file", "--no-license-path", "--with-urls", "--with-system",
        f"--output-file={folder / 'LICENCES.txt'}",
    )  # fmt: skip
    with (folder / "LICENCES.txt").open("a", encoding="utf-8") as licences:
        for path in COPIED:
            licences.write(f"\n{Path(path).stem}\n{(RESOURCES / path).read_text('utf-8')}")
    shutil.copy(folder / "sbom.cdx.json", DIST)
    shutil.copy(folder / "LICENCES.txt", DIST)


def debian(folder: Path, number: str) -> None:
    """A Debian package of the bundle, for the desktop's menus too."""
    say("the Debian package")
    root = WORK / "debian"
    share = root / "usr" / "share"
    shutil.copytree(folder, root / "opt" / "dropline", symlinks=True)
    for place, source in (
        ("applications", PACKAGING / "dropline.desktop"),
        ("metainfo", PACKAGING / "dropline.metainfo.xml"),
        ("icons/hicolor/scalable/apps", RESOURCES / "icons" / "dropline.svg"),
    ):
        (share / place).mkdir(parents=True)
        shutil.copy(source, share / place)
    (share / "doc" / "dropline").mkdir(parents=True)
    shutil.copy(ROOT / "LICENSE", share / "doc" / "dropline" / "copyright")
    (root / "usr" / "bin").mkdir()
    (root / "usr" / "bin" / "dropline").symlink_to("/opt/dropline/dropline")
    architecture = told("dpkg", "--print-architecture")
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file()) // 1024
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        f"Package: dropline\nVersion: {number}\nArchitecture: {architecture}\n"
        f"Maintainer: the Dropline developers <nobody@localhost>\nInstalled-Size: {size}\n"
        "Depends: libegl1, libgl1, libxcb-cursor0, libxkbcommon-x11-0, libdbus-1-3, "
        "libfontconfig1\nSection: net\nPriority: optional\n"
        "Description: Drop files in, watch the line, tune it\n"
        " Files that are dropped on the window are sent by workers whose number you\n"
        " set while live charts show what that does.\n"
    )
    run("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root),
        str(DIST / f"dropline_{number}_{architecture}.deb"))  # fmt: skip


def installed(wheel: Path) -> Path:
    """The program, installed from the wheel as users do."""
    places = {
        "UV_TOOL_DIR": str(WORK / "uv-tools"),
        "UV_TOOL_BIN_DIR": str(WORK / "uv-bin"),
    }
    run("uv", "tool", "install", "--quiet", "--python", sys.executable, str(wheel), more=places)
    return WORK / "uv-bin" / "dropline"


def try_out(program: Path) -> None:
    """Say the version, send a file, and open the window; else stop with what went wrong."""
    home = WORK / f"home-{len(list(WORK.glob('home-*')))}"
    home.mkdir()
    env = {"DROPLINE_HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}
    print(f"{program}: {told(str(program), '--version')}", flush=True)
    file = home / "a file.txt"
    file.write_text("what is sent\n")
    began = time.monotonic()
    window = subprocess.Popen([program], env={**os.environ, **env})
    try:
        while not (home / "run.json").exists():
            if window.poll() is not None or time.monotonic() - began > PATIENCE:
                stop(f"{program} opened no window")
            time.sleep(0.05)
        print(f"  window and receiver after {time.monotonic() - began:.1f} s", flush=True)
        receiver = json.loads((home / "run.json").read_text())["receiver"]
        run(str(program), "send", str(file), "--to", receiver,
            more={**env, "DROPLINE_HOME": f"{home}-sender"})  # fmt: skip
    finally:
        window.terminate()
        window.wait(PATIENCE)


def say(what: str) -> None:
    """What is done now."""
    print(f"dist: {what}", flush=True)


def stop(why: str) -> NoReturn:
    """End with a sentence."""
    sys.exit(f"dist: {why}")


def run(*command: str, more: Mapping[str, str] | None = None) -> None:
    """Run a program here; its failure is ours."""
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **(more or {})}, check=False)
    if done.returncode:
        stop(f"{Path(command[0]).name} failed with {done.returncode}: {' '.join(command)}")


def told(*command: str) -> str:
    """What a program prints."""
    words: Sequence[str] = command
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        stop(f"{' '.join(command)} failed with {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
