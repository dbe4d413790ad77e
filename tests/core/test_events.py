"""Events and messages: every event class survives the JSON form of CloudEvents 1.0."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.bus import MemoryBus
from dropline.events import (
    Event,
    FileFailed,
    FileQueued,
    FileRefused,
    FilesDropped,
    Message,
    event_types,
)
from dropline.station import Reading  # an event class that another package defines

#: Names hold anything, also the surrogates that stand for bytes that are not UTF-8.
TEXTS = st.text(
    st.characters(codec="utf-8") | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF)
)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    bytes: st.binary(),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may have."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields = {field.name: values(hints[field.name]) for field in dataclasses.fields(kind)}
        return st.builds(kind, **fields)
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=3).map(tuple)
    if get_args(kind):
        return st.one_of(values(arm) for arm in get_args(kind))
    return VALUES[kind]


def events() -> st.SearchStrategy[Event]:
    kinds = sorted(event_types().values(), key=lambda kind: kind.type)
    return st.sampled_from(kinds).flatmap(values)


def message(event: Event, time: datetime = datetime(2025, 1, 2, 3, 4, 5, 6, UTC)) -> Message:
    return Message("run-1", event.type, "dropline/test", event.subject, time, event)


def test_every_event_class_is_known_by_its_type() -> None:
    types = event_types()
    assert types["dropline.file.queued"] is FileQueued
    assert types["dropline.station.measured"] is Reading
    assert all(kind.type == name for name, kind in types.items())
    assert all(name.startswith("dropline.") for name in types)


@given(event=events(), time=st.datetimes(timezones=st.just(UTC)))
def test_every_event_survives_json(event: Event, time: datetime) -> None:
    sent = message(event, time)
    wire = json.dumps(sent.to_cloudevent(), allow_nan=False)
    received = Message.from_cloudevent(json.loads(wire))
    assert received == sent
    assert type(received.data) is type(event)


@given(event=events())
def test_the_json_form_has_the_attributes_of_cloudevents(event: Event) -> None:
    value = message(event).to_cloudevent()
    assert value["specversion"] == "1.0"
    assert value["type"] == event.type
    assert value["datacontenttype"] == "application/json"
    assert value["time"] == "2025-01-02T03:04:05.000006Z"
    assert all(value[name] for name in ("id", "source", "type"))
    assert value.get("subject", "x"), "where there is no subject, CloudEvents wants none"
    assert value["data"].keys() == {field.name for field in dataclasses.fields(event)}


def test_the_subject_is_what_the_event_is_about() -> None:
    assert FileQueued(7, "/a/b", "b", 3).subject == "7"
    assert FileRefused("/a/b", "drop-1", "No.").subject == "/a/b"
    assert FilesDropped("drop-1", ("/a",)).subject == "drop-1"


def test_a_time_in_another_zone_is_the_same_instant_in_utc() -> None:
    time = datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=8)))
    value = message(FileQueued(1, "/a", "a", 0), time).to_cloudevent()
    assert value["time"] == "2025-01-01T19:04:05Z"
    assert Message.from_cloudevent(value).time == time


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "dropline.no.such"}, "dropline.no.such"),
        ({"type": ["x"]}, "type"),
        ({"id": 5}, "id"),
        ({"source": None}, "source"),
        ({"subject": 5}, "subject"),
        ({"time": "yesterday"}, "yesterday"),
        ({"time": "2025-01-01T00:00:00"}, "offset"),
        ({"time": 5}, "time"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
        ({"data": {"job": 1, "attempt": 1}}, "reason"),
        ({"data": {"job": "1", "attempt": 1, "reason": "No."}}, "job"),
        ({"data": {"job": True, "attempt": 1, "reason": "No."}}, "job"),
        ({"data": {"job": 1, "attempt": 1, "reason": ["No."]}}, "reason"),
        ({"data": {"job": 1, "attempt": 1, "reason": "No.", "colour": "red"}}, "colour"),
    ],
)
def test_what_is_no_event_is_refused_by_name(change: dict[str, Any], reason: str) -> None:
    value = message(FileFailed(1, 2, "No.")).to_cloudevent() | change
    with pytest.raises(ValueError, match=reason):
        Message.from_cloudevent(value)


@pytest.mark.parametrize("name", ["specversion", "id", "type", "source", "time", "data"])
def test_what_is_missing_is_named(name: str) -> None:
    value = message(FileFailed(1, 2, "No.")).to_cloudevent()
    del value[name]
    with pytest.raises(ValueError, match=name):
        Message.from_cloudevent(value)


def test_a_wrong_path_in_a_tuple_is_refused() -> None:
    value = message(FilesDropped("drop-1", ("/a", "/b"))).to_cloudevent()
    value["data"]["paths"] = ["/a", 5]
    with pytest.raises(ValueError, match="paths"):
        Message.from_cloudevent(value)
    value["data"]["paths"] = "/a"
    with pytest.raises(ValueError, match="paths"):
        Message.from_cloudevent(value)


def test_envelopes_of_a_bus_have_ids_of_their_own() -> None:
    bus = MemoryBus("dropline/test")
    messages: list[Message] = []
    bus.subscribe("", messages.append)
    for _ in range(3):
        bus.publish(FileFailed(1, 2, "No."))
    bus.close()
    assert len({message.id for message in messages}) == 3
    assert {message.source for message in messages} == {"dropline/test"}
    assert all(message.time.tzinfo is UTC for message in messages)
