"""The base installation does without the extras' libraries, and says how to get them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dropline.extras import MissingExtraError
from dropline.fleet.amqp import AmqpQueue
from dropline.fleet.handle import make_app
from dropline.fleet.kafka import KafkaGroup
from dropline.messaging.kafka import KafkaBus
from dropline.messaging.rabbitmq import RabbitBus

#: dropline.fleet.pool is Celery's to import: it is a pool that its worker loads by name.
WITHOUT_EXTRAS = """
import importlib, pkgutil, sys

EXTRAS = {"celery", "kombu", "amqp", "redis", "confluent_kafka", "boto3", "botocore", "psycopg",
          "PIL"}

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Wall())
import dropline

names = [module.name for module in pkgutil.walk_packages(dropline.__path__, "dropline.")]
for name in names:
    if name != "dropline.fleet.pool" and ".migrations." not in name:
        importlib.import_module(name)
print(*names)
"""


def test_every_module_imports_without_the_extras() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"dropline.fleet.celery", "dropline.messaging.kafka"} <= set(done.stdout.split())


def rabbit_bus(mailbox: Path) -> object:
    return RabbitBus("amqp://h//", source="s", group="g", mailbox=mailbox)


def kafka_bus(mailbox: Path) -> object:
    return KafkaBus("h:1", source="s", group="g", mailbox=mailbox)


@pytest.mark.parametrize(
    ("make", "module", "extra"),
    [
        (rabbit_bus, "kombu", "amqp"),
        (kafka_bus, "confluent_kafka", "kafka"),
        (lambda _: AmqpQueue("amqp://h//", "q"), "kombu", "amqp"),
        (lambda _: KafkaGroup("h:1", "g", "t"), "confluent_kafka", "kafka"),
        (lambda _: make_app("amqp://h//", "q"), "celery", "celery"),
    ],
)
def test_a_missing_extra_is_named_with_the_command(
    make: Callable[[Path], object],
    module: str,
    extra: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as caught:
        make(tmp_path / "mailbox")
    assert str(caught.value).endswith(
        f"needs {module}: install it by pip install 'dropline[{extra}]'"
    )
