"""Passwords and tokens in the keyring of the operating system, and nowhere else.

One secret for each target, by its URL, and user; a token has the user "".
"""

from __future__ import annotations

from types import ModuleType

#: The name in the keyring of what has no user: backends may not take an empty one.
_TOKEN = "(token)"


class KeyringError(Exception):
    """The keyring cannot be used; the text is a sentence with the remedy."""


def get(url: str, user: str = "") -> str | None:
    """The secret of a user at a target; None when none is kept. Raises KeyringError."""
    keyring = _keyring()
    try:
        secret: str | None = keyring.get_password(_service(url), user or _TOKEN)
    except Exception as error:
        raise _unusable(error) from error
    return secret


def put(url: str, user: str, secret: str) -> None:
    """Keep the secret of a user at a target. Raises KeyringError."""
    keyring = _keyring()
    try:
        keyring.set_password(_service(url), user or _TOKEN, secret)
    except Exception as error:
        raise _unusable(error) from error


def delete(url: str, user: str = "") -> None:
    """Forget the secret of a user at a target; one that is not kept is no error.

    Raises KeyringError.
    """
    keyring = _keyring()
    try:
        if keyring.get_password(_service(url), user or _TOKEN) is not None:
            keyring.delete_password(_service(url), user or _TOKEN)
    except Exception as error:
        raise _unusable(error) from error


def _keyring() -> ModuleType:
    import keyring  # takes a tenth of a second: only when it is used

    return keyring


def _service(url: str) -> str:
    return f"dropline {url.rstrip('/')}"


def _unusable(error: Exception) -> KeyringError:
    from keyring.errors import KeyringLocked, NoKeyringError

    if isinstance(error, NoKeyringError):
        return KeyringError(
            "this system has no keyring to keep passwords in: start one (GNOME Keyring, KWallet), "
            "or give the password by DROPLINE_PASSWORD or the token by DROPLINE_TOKEN"
        )
    if isinstance(error, KeyringLocked):
        return KeyringError("the keyring is locked: unlock it, then try again")
    return KeyringError(f"the keyring cannot be used ({type(error).__name__}): check its settings")
