"""What the system tells of changes below a folder, by watchdog, kept until it is asked for.

Only what is worth a look is kept: the paths of files and, for each, whether the last thing that
happened to it was that its writer was done with it. Notices may be lost (a full queue, a network
folder, a folder that is linked): who relies on them looks through the folder now and then.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from dropline.intake.walk import inside


class Notices(FileSystemEventHandler):
    """The changes below one folder."""

    def __init__(self, folder: str, wake: Callable[[], object]) -> None:
        """Listen from now on. `wake` is called, in another thread, when there is something to take.

        Raises OSError when the system does not tell, for a limit of its own, say.
        """
        self._folder = folder
        self._wake = wake
        self._lock = threading.Lock()
        self._files: dict[str, bool] = {}
        self._folders = False
        # watchdog may meet a new subfolder twice, by its own walk and by a notice. It says that it
        # goes on with the second, which is the same; nobody needs to read that.
        warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)
        self._observer = Observer()
        try:
            self._observer.schedule(
                self,
                folder,
                recursive=True,
                event_filter=[
                    DirCreatedEvent,
                    DirDeletedEvent,
                    DirMovedEvent,
                    FileAttribEvent,
                    FileClosedEvent,
                    FileCreatedEvent,
                    FileModifiedEvent,
                    FileMovedEvent,
                ],
            )
            self._observer.start()
        except BaseException:
            self._observer.stop()  # a part of it runs already
            raise

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Keep what happened; called by watchdog."""
        path = os.fsdecode(event.dest_path or event.src_path)
        with self._lock:
            # The system may call the folder by another name, that of its real place.
            if event.is_directory or not inside(path, self._folder):
                self._folders = True
            else:
                self._files[path] = isinstance(event, FileClosedEvent | FileMovedEvent)
        self._wake()

    def take(self) -> tuple[dict[str, bool], bool]:
        """What came since the last time.

        The files that something happened to, each with whether its writer was done with it, and
        whether folders came, went or were renamed.
        """
        with self._lock:
            taken = self._files, self._folders
            self._files, self._folders = {}, False
        return taken

    def close(self) -> None:
        """Listen no more."""
        self._observer.stop()
        self._observer.join()
