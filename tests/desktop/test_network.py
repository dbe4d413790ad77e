"""The network: a change is told once, whatever the system says in between."""

from __future__ import annotations

from dropline.events import Event, NetworkDown, NetworkUp
from dropline_desktop.network import Network, Reachability


def test_changes_are_told_once(qapp):
    told: list[Event] = []
    network = Network(told.append)
    for reachability in (
        Reachability.Online,
        Reachability.Unknown,
        Reachability.Disconnected,
        Reachability.Unknown,
        Reachability.Disconnected,
        Reachability.Local,
        Reachability.Online,
    ):
        network.tell(reachability)
    assert [type(event) for event in told] == [NetworkDown, NetworkUp]
