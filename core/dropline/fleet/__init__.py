"""Lines of others under our instruments: Celery fleets, queues of AMQP, topics of Kafka.

Broker clients are imported when a fleet is made, by name: each comes with an extra.
"""

from dropline.fleet.celery import CeleryFleet, Snapshot
from dropline.fleet.doubts import Mark
from dropline.fleet.members import Member
from dropline.fleet.quality import APPROXIMATE, EXACT, Doubt, qualities
from dropline.fleet.remote import FleetError
from dropline.fleet.sampler import FleetNoted, FleetSampler
from dropline.fleet.tasks import Place

__all__ = [
    "APPROXIMATE",
    "EXACT",
    "CeleryFleet",
    "Doubt",
    "FleetError",
    "FleetNoted",
    "FleetSampler",
    "Mark",
    "Member",
    "Place",
    "Snapshot",
    "qualities",
]
