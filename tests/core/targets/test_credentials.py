"""Passwords in the keyring: kept, found, forgotten, and what is told when there is none."""

from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from dropline.targets import credentials


class Memory(KeyringBackend):
    """A keyring in memory."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        assert username, "some backends take no empty name"
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.kept[service, username]


class Locked(Memory):
    """A keyring that its owner doesn't open."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("hidden")


class Broken(Memory):
    """A keyring whose service fails."""

    def get_password(self, service: str, username: str) -> str | None:
        raise OSError("hidden")


@pytest.fixture
def memory() -> Iterator[Memory]:
    before, mine = keyring.get_keyring(), Memory()
    keyring.set_keyring(mine)
    yield mine
    keyring.set_keyring(before)


def test_a_secret_is_kept_by_target_and_user(memory: Memory) -> None:
    url = "webdav+https://h/dav"
    credentials.put(url, "ada", "one")
    credentials.put(f"{url}/", "bob", "two")
    credentials.put(url, "", "token")
    assert [credentials.get(url, user) for user in ("ada", "bob", "")] == ["one", "two", "token"]
    assert credentials.get(url, "eve") is None
    assert credentials.get("webdav+https://h/other", "ada") is None
    for user in ("ada", "eve"):
        credentials.delete(url, user)
    assert [credentials.get(url, user) for user in ("ada", "bob", "")] == [None, "two", "token"]


@pytest.mark.parametrize(
    ("backend", "sentence"),
    [
        (NoKeyring, "this system has no keyring to keep passwords in: start one"),
        (Locked, "the keyring is locked: unlock it"),
        (Broken, r"the keyring cannot be used \(OSError\): check its settings"),
    ],
)
def test_a_keyring_that_cannot_be_used_is_told(
    memory: Memory, backend: type[KeyringBackend], sentence: str
) -> None:
    keyring.set_keyring(backend())
    with pytest.raises(credentials.KeyringError, match=sentence) as caught:
        credentials.get("http://h", "ada")
    assert "hidden" not in str(caught.value)
    with pytest.raises(credentials.KeyringError, match=sentence):
        credentials.delete("http://h", "ada")
    if backend is NoKeyring:
        with pytest.raises(credentials.KeyringError, match=sentence):
            credentials.put("http://h", "ada", "x")
