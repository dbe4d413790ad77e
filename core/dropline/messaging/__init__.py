"""The event bus across processes and machines: the same interface, carried by a broker.

What it promises, over RabbitMQ and over Kafka:

- An event that was posted is in the outbox on disk until the broker has confirmed it: a broker that
  is down for an hour costs none.
- Each group gets every event at least once, and one of its processes handles it: an event id that
  was handled before is suppressed, and counted. What a handler does should still be the same when
  done twice, for a process may be killed between the two.
- A message is acknowledged (Kafka: its offset committed) when the synchronous handlers have
  returned. Where one raises, or kills its process, it is delivered again, three times, and then put
  among the dead letters (the queue `dropline.dead`, the topic `dropline.events.dead`), and named.
- RabbitMQ delivers again out of order, and forgets what every group has; Kafka keeps the order of
  each source, and can be replayed from an offset.
"""

from dropline.messaging.carried import CarriedBus
from dropline.messaging.kafka import KafkaBus
from dropline.messaging.rabbitmq import RabbitBus

__all__ = ["CarriedBus", "KafkaBus", "RabbitBus"]
