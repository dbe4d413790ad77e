"""Whether Dropline starts when the user logs in, in each desktop's own way of keeping that.

Linux: a desktop entry in the autostart folder (XDG autostart specification). macOS: a launch agent
(launchd.plist). Windows: a value of the registry's Run key.
"""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from PySide6.QtCore import QSettings

NAME = "dropline"
#: Its values are commands that Windows runs after a log-in.
RUN_KEY = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Run"


class Autostart(Protocol):
    """One desktop's way."""

    def enabled(self) -> bool:
        """Whether it starts by itself."""

    def set(self, on: bool) -> None:
        """Let it, or don't. Raises OSError."""


class FileAutostart:
    """A file that is there, or not."""

    def __init__(self, path: Path, content: bytes) -> None:
        self.path = path
        self.content = content

    def enabled(self) -> bool:
        return self.path.is_file()

    def set(self, on: bool) -> None:
        if on:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(self.content)
        else:
            self.path.unlink(missing_ok=True)


class RegistryAutostart:
    """A value of the Run key, or none."""

    def __init__(self, key: QSettings, command: str) -> None:
        self._key = key
        self._command = command

    def enabled(self) -> bool:
        return self._key.contains(NAME)

    def set(self, on: bool) -> None:
        if on:
            self._key.setValue(NAME, self._command)
        else:
            self._key.remove(NAME)
        self._key.sync()
        if self._key.status() is not QSettings.Status.NoError:
            raise OSError(0, "access denied")


def autostart(platform: str = sys.platform, command: Sequence[str] | None = None) -> Autostart:
    """That of a platform as `sys.platform` names it; `command` starts Dropline."""
    words = tuple(command or own_command())
    if platform == "win32":
        key = QSettings(RUN_KEY, QSettings.Format.NativeFormat)
        return RegistryAutostart(key, " ".join(f'"{word}"' for word in words))
    if platform == "darwin":
        agent = {"Label": NAME, "ProgramArguments": list(words), "RunAtLoad": True}
        path = Path.home() / "Library" / "LaunchAgents" / f"{NAME}.plist"
        return FileAutostart(path, plistlib.dumps(agent))
    config = os.environ.get("XDG_CONFIG_HOME")  # a relative one is not to be heeded
    root = Path(config) if config and os.path.isabs(config) else Path.home() / ".config"
    entry = f"[Desktop Entry]\nType=Application\nName=Dropline\nIcon={NAME}\nExec={_exec(words)}\n"
    return FileAutostart(root / "autostart" / f"{NAME}.desktop", os.fsencode(entry))


def own_command() -> tuple[str, ...]:
    """What starts this program again: the bundle, the installed command, or this interpreter."""
    if getattr(sys, "frozen", False):
        return (sys.executable,)
    beside = shutil.which(NAME, path=str(Path(sys.executable).parent))
    return (beside,) if beside else (sys.executable, "-m", "dropline_desktop")


def _exec(words: Sequence[str]) -> str:
    r"""The words as the Exec key wants them: quoted, then escaped as any string, `%` doubled."""
    quoted = " ".join('"' + re.sub(r'(["`$\\])', r"\\\1", word) + '"' for word in words)
    return quoted.replace("\\", "\\\\").replace("%", "%%").replace("\n", "\\n")
