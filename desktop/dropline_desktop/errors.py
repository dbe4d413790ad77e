"""Errors that nobody expected: logged, shown to the user, and never the end of the line."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QObject, Signal

_log = logging.getLogger(__name__)


class ErrorReporter(QObject):
    """While installed, gets every exception that leaves a slot or a thread."""

    #: A sentence, and the traceback to copy.
    reported = Signal(str, str)

    def install(self) -> None:
        """Take over from Python's own hooks."""
        self._before = sys.excepthook, threading.excepthook
        sys.excepthook = self.report
        threading.excepthook = self._report_thread

    def uninstall(self) -> None:
        """Give the hooks back."""
        sys.excepthook, threading.excepthook = self._before

    def report(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Log the exception and tell the window; callable from any thread."""
        if issubclass(kind, KeyboardInterrupt | SystemExit):
            return
        details = "".join(traceback.format_exception(kind, error, trace))
        _log.error("unexpected: %s", details)
        text = self.tr(
            "Something in Dropline failed unexpectedly ({}). Uploads go on; please report it with "
            "the details."
        )
        what = f"{kind.__name__}: {error}" if error else kind.__name__
        self.reported.emit(text.format(what), details)

    def _report_thread(self, failure: threading.ExceptHookArgs) -> None:
        self.report(failure.exc_type, failure.exc_value, failure.exc_traceback)
