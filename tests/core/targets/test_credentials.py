"""Passwords in the keyring: kept, found, forgotten, and what is told when there is none."""

from __future__ import annotations

from typing import Any

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring
from keyring.errors import KeyringLocked

from dropline.targets import credentials


class Unusable(KeyringBackend):
    """A keyring that fails at whatever it is asked."""

    priority = 1.0

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def get_password(self, service: str, username: str) -> str | None:
        raise self._error

    def set_password(self, service: str, username: str, password: str) -> None:
        raise self._error


def test_a_secret_is_kept_by_target_and_user(memory: Any) -> None:
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
        (NoKeyring(), "this system has no keyring to keep passwords in: start one"),
        (Unusable(KeyringLocked("hidden")), "the keyring is locked: unlock it"),
        (Unusable(OSError("hidden")), r"keyring cannot be used \(OSError\): check its settings"),
    ],
)
def test_a_keyring_that_cannot_be_used_is_told(
    memory: Any, backend: KeyringBackend, sentence: str
) -> None:
    keyring.set_keyring(backend)
    with pytest.raises(credentials.KeyringError, match=sentence) as caught:
        credentials.get("http://h", "ada")
    assert "hidden" not in str(caught.value)
    with pytest.raises(credentials.KeyringError, match=sentence):
        credentials.put("http://h", "ada", "x")
    with pytest.raises(credentials.KeyringError, match=sentence):
        credentials.delete("http://h", "ada")
