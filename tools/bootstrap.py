"""Prepare this checkout for a make target: `python3 tools/bootstrap.py TARGET`.

Three steps, each left out when the target has no use for it: `.venv` with what requirements.lock
pins (to run the program, requirements-run.lock) and the project itself, editable; the system
libraries that Qt needs, and a font with Chinese letters; the programs that only tests call. As root
on Debian or Ubuntu what is missing is installed, elsewhere the command that does it is printed.
Where nothing changed it is done at once. Standard library only, Python 3.11 on.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
RUN_LOCK = ROOT / "requirements-run.lock"  # of it, what the program itself needs
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "bootstrap.json"

# Which parts of Qt the window loads. Qt can do without the second group where there is no X.
QT_FILES = [
    *(f"lib/libQt6{name}.so.6" for name in ("Core", "Gui", "Widgets", "DBus", "Network", "Svg")),
    *(f"lib/libQt6{name}.so.6" for name in ("OpenGL", "OpenGLWidgets", "PrintSupport", "Test")),
    "plugins/platforms/libqoffscreen.so",
]
QT_X11_FILES = [
    "lib/libQt6XcbQpa.so.6",
    "plugins/platforms/libqxcb.so",
    "plugins/xcbglintegrations/libqxcb-egl-integration.so",
    "plugins/xcbglintegrations/libqxcb-glx-integration.so",
]

# Debian's package of every library that those files name (objdump -p, NEEDED) and a minimal system
# may lack. apt itself finds libglib2.0-0t64 and the like by these names.
DEBIAN_PACKAGES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libX11.so.6": "libx11-6",
    "libbrotlicommon.so.1": "libbrotli1",
    "libbrotlidec.so.1": "libbrotli1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libfreetype.so.6": "libfreetype6",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libstdc++.so.6": "libstdc++6",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxcb.so.1": "libxcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
}
CHINESE_FONT = "fonts-noto-cjk"
TEST_PROGRAMS = {
    "Xvfb": "xvfb",
    "chromium": "chromium",
    "curl": "curl",
    "dbus-run-session": "dbus",
    "git": "git",
    "ip": "iproute2",
    "nginx": "nginx",
    "node": "nodejs",
    "npm": "npm",
    "openbox": "openbox",
    "pg_ctlcluster": "postgresql",
    "rabbitmq-server": "rabbitmq-server",
    "rclone": "rclone",
    "redis-server": "redis-server",
    "xdotool": "xdotool",
    "xprop": "x11-utils",
}
# A module of nginx that one of its tests needs, and Debian's package of it.
NGINX_DAV = (Path("/usr/lib/nginx/modules/ngx_http_dav_ext_module.so"), "libnginx-mod-http-dav-ext")
# What tests run by node, installed into build/node.
NODE = ROOT / "build" / "node"
NODE_PACKAGES = {
    "@tus/server": "2.4.5",
    "@tus/file-store": "2.1.1",
    "axe-core": "4.14.1",
    "tus-js-client": "4.3.1",
}


def main(target: str) -> None:
    if target == "lock":
        lock()
        return
    state = fingerprint()
    if stamped("packages") != state and (target != "run" or stamped("program") != state):
        make_venv()
        install_packages(RUN_LOCK if target == "run" else LOCK)
        stamp("program" if target == "run" else "packages", state)
    if target in {"check", "translations"}:
        return
    if stamped("libraries") != state and prepare_libraries():
        stamp("libraries", state)
    if target.startswith("test"):
        prepare_test_programs()


# ---------------------------------------------------------------------- what was done before


def fingerprint() -> str:
    """The state of all that decides what `.venv` holds."""
    files = [LOCK, RUN_LOCK, ROOT / "pyproject.toml", Path(__file__)]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def stamps() -> dict[str, str]:
    """What earlier runs noted in `.venv`; nothing when it was made elsewhere and moved here."""
    try:
        noted = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return noted if noted.get("root") == str(ROOT) else {}


def stamped(step: str) -> str | None:
    return stamps().get(step)


def stamp(step: str, state: str) -> None:
    STAMP.write_text(json.dumps({**stamps(), "root": str(ROOT), step: state}, indent=1) + "\n")


# ---------------------------------------------------------------------- the virtual environment


def make_venv() -> None:
    """Make `.venv` with uv, or else with venv, unless one is there that works."""
    uv = shutil.which("uv")
    needs = "import sys" if uv else "import pip"
    moved = STAMP.exists() and not stamps()
    if not moved and PYTHON.exists() and succeeds([PYTHON, "-c", needs]):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    # Not sys.executable: that one is gone with the old .venv when it was active.
    python = getattr(sys, "_base_executable", sys.executable)
    if uv:
        must([uv, "venv", "--quiet", "--python", python, VENV], "making .venv with uv")
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if not install(f"{python} can't make virtual environments", debian=[package]):
            stop("without that, or uv on PATH, .venv can't be made.")
    must([python, "-m", "venv", VENV], "making .venv")


def install_packages(locked: Path) -> None:
    """Install what is pinned there, hashes checked, then the project, editable.

    The build back end is among the pinned packages, so the second step needs no isolation.
    """
    uv = shutil.which("uv")
    installer: list[str | Path] = [PYTHON, "-m", "pip", "install", "-qq"]  # errors only
    if uv:
        installer = [uv, "pip", "install", "--quiet", "--python", PYTHON]
    say(f"installing the locked packages into .venv with {'uv' if uv else 'pip'}")
    must([*installer, "--require-hashes", "-r", locked], f"installing {locked.name}")
    project = ["--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    must([*installer, *project], "installing Dropline itself")


def lock() -> None:
    """Write both locks anew from pyproject.toml, moving no pin that need not move."""
    uv = shutil.which("uv") or stop("make lock needs uv on PATH: pip install uv")
    command = [uv, "pip", "compile", "--quiet", "pyproject.toml", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes"]
    command += ["--custom-compile-command", "make lock"]
    groups = ["--group", "dev", "--group", "docs", "--group", "bench"]
    must([*command, *groups, "--output-file", LOCK, *sys.argv[2:]], "resolving")
    groups = ["--group", "build", "--constraint", str(LOCK)]
    must([*command, *groups, "--output-file", RUN_LOCK], "resolving for the program alone")


# ---------------------------------------------------------------------- system libraries, programs


def prepare_libraries() -> bool:
    """Have Qt's system libraries and a Chinese font; False when a library is still missing."""
    qt = next(VENV.glob("lib/python*/site-packages/PySide6/Qt"), None)
    if qt is None or not sys.platform.startswith("linux") or shutil.which("ldd") is None:
        return True  # on other systems Qt's packages bring all they need
    files = [qt / name for name in [*QT_FILES, *QT_X11_FILES]]
    if missing := missing_libraries(files):
        width = "()(64bit)" if sys.maxsize > 2**32 else ""
        install(
            f"Qt needs libraries that are not here ({', '.join(missing)})",
            debian=[DEBIAN_PACKAGES[name] for name in missing if name in DEBIAN_PACKAGES],
            provided=[name + width for name in missing],
        )
    if missing := missing_libraries(qt / name for name in QT_FILES):
        stop(f"Qt can't start without {', '.join(missing)}.")
    if not has_chinese_font():
        install("no font here has Chinese letters", debian=[CHINESE_FONT])
    return not missing_libraries(files)


def missing_libraries(files: Iterable[Path]) -> list[str]:
    """Names of the shared libraries that these files need and the loader does not find."""
    listed = run(["ldd", *(file for file in files if file.exists())]).stdout
    missing = {line.split()[0] for line in listed.splitlines() if line.endswith("=> not found")}
    return sorted(name for name in missing if not name.startswith("libQt6"))


def has_chinese_font() -> bool:
    """Whether Qt finds a font for simplified Chinese, so that such file names can be read."""
    probe = (
        "from PySide6.QtGui import QFontDatabase as F, QGuiApplication; app = QGuiApplication([]); "
        "print(len(F.families(F.WritingSystem.SimplifiedChinese)))"
    )
    answer = run([PYTHON, "-c", probe], env={**os.environ, "QT_QPA_PLATFORM": "offscreen"})
    return answer.stdout.strip() != "0"


def prepare_test_programs() -> None:
    """Have the programs that tests call; a test whose program is missing skips by itself."""
    if missing := [name for name in TEST_PROGRAMS if find(name) is None]:
        install(
            f"some tests need {', '.join(missing)}",
            debian=[TEST_PROGRAMS[name] for name in missing],
            provided=[f"/usr/bin/{name}" for name in missing],
        )
    module, package = NGINX_DAV
    if find("nginx") and not module.exists():
        install(f"some tests need nginx's {module.stem}", debian=[package])
    prepare_node_packages()


def find(program: str) -> str | None:
    """Where a program is; some are where only root looks."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def prepare_node_packages() -> None:
    """Have the packages that tests run by node; without npm those tests skip by themselves."""
    npm = shutil.which("npm")
    missing = [
        f"{name}@{version}"
        for name, version in NODE_PACKAGES.items()
        if node_version(name) != version
    ]
    if npm is None or not missing:
        return
    NODE.mkdir(parents=True, exist_ok=True)
    say(f"some tests need {' '.join(missing)}; installing into {NODE.relative_to(ROOT)}")
    quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    wanted = [f"{name}@{version}" for name, version in NODE_PACKAGES.items()]
    done = run([npm, "install", "--prefix", NODE, *quiet, *wanted])
    if done.returncode != 0:
        say(f"npm could not install them:\n{done.stderr.strip()}")


def node_version(package: str) -> str | None:
    """The version of an installed package of node's; None when it is not there."""
    try:
        told = json.loads((NODE / "node_modules" / package / "package.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return str(told.get("version"))


def install(reason: str, *, debian: Iterable[str], provided: Sequence[str] = ()) -> bool:
    """Install system packages as root on Debian or Ubuntu, elsewhere say how; True when done.

    `provided` names the same by what they hold, which is how dnf and zypper find packages too.
    """
    packages = sorted(set(debian))
    finder = next((name for name in ("dnf", "zypper") if shutil.which(name)), None)
    if shutil.which("apt-get"):
        if os.geteuid() == 0:
            return apt_install(reason, packages)
        say(f"{reason}. Run:\n    sudo apt-get install {shlex.join(packages)}")
    elif finder and provided:
        say(f"{reason}. Run:\n    sudo {finder} install {shlex.join(provided)}")
    else:
        say(f"{reason}: install what Debian calls {' '.join(packages)}")
    return False


def apt_install(reason: str, packages: Sequence[str]) -> bool:
    say(f"{reason}; installing {' '.join(packages)}")
    apt_update()
    done = apt_get("install", "--yes", "--no-install-recommends", *packages)
    if done.returncode != 0:
        say(f"apt-get could not install them:\n{done.stderr.strip()}")
    return done.returncode == 0


@cache
def apt_update() -> None:
    """Fetch apt's lists, once; where that fails, the lists that are there may do."""
    apt_get("update")


def apt_get(*arguments: str) -> subprocess.CompletedProcess[str]:
    options = ["--quiet=2", "--option", "DPkg::Lock::Timeout=300"]  # another apt may be at work
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return run(["apt-get", *options, *arguments], env=environment)


# ---------------------------------------------------------------------- small helpers


def run(
    command: Sequence[str | Path], *, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command without input and keep what it prints."""
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def succeeds(command: Sequence[str | Path]) -> bool:
    try:
        return run(command).returncode == 0
    except OSError:  # a link to an interpreter that is gone
        return False


def must(command: Sequence[str | Path], doing: str) -> None:
    """Run a command in the open, or stop when it fails."""
    code = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        stop(f"{doing} failed (exit {code}); the lines above say why.")


def say(sentence: str) -> None:
    print(f"dropline: {sentence}", file=sys.stderr, flush=True)


def stop(sentence: str) -> NoReturn:
    raise SystemExit(f"dropline: {sentence}")


if __name__ == "__main__":
    main(sys.argv[1])
