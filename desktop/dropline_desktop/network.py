"""Tells on the bus when this computer loses its network and when it has one again."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtNetwork import QNetworkInformation

from dropline.events import Event, NetworkDown, NetworkUp

Reachability = QNetworkInformation.Reachability


class Network(QObject):
    """Asks the system, where that can be asked; else it says nothing."""

    def __init__(self, post: Callable[[Event], object], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._post = post
        self._down = False
        self._teller = "nobody"

    def listen(self) -> None:
        """Tell from now on; also at once, where there is no network now."""
        if QNetworkInformation.loadBackendByFeatures(QNetworkInformation.Feature.Reachability):
            system = QNetworkInformation.instance()
            self._teller = system.backendName()
            system.reachabilityChanged.connect(self.tell)
            self.tell(system.reachability())

    def tell(self, reachability: Reachability) -> None:
        """The system says how far the network reaches; a change is told."""
        if reachability is Reachability.Unknown:
            return
        down = reachability is Reachability.Disconnected
        if down != self._down:
            self._down = down
            self._post(NetworkDown(self._teller) if down else NetworkUp(self._teller))
