"""A target under a name: all of it but the secret, which the keyring has."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dropline.station import MIN_RATE

#: What the ways to send are called; no words of any language.
KINDS = {
    "receiver": "Dropline",
    "multipart": "multipart",
    "webdav": "WebDAV",
    "tus": "tus",
    "s3": "S3",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A target that can be chosen by its name."""

    name: str
    #: As for `dropline.targets.open_target`.
    url: str
    user: str = ""
    #: Bytes a second that may be sent to it; None for no limit.
    limit: float | None = None

    @property
    def kind(self) -> str:
        """How files are sent there, in a word; "" for an address that means nothing."""
        from dropline.targets.open import way_of

        try:
            return KINDS[way_of(self.url)[0]]
        except ValueError:
            return ""


def name_for(url: str) -> str:
    """What a target may be called that was not given a name: its host or bucket."""
    try:
        return urlsplit(url).hostname or url
    except ValueError:
        return url


def profile_of(value: Any) -> Profile:
    """The profile that such a dict means as `asdict` makes; raises TypeError or ValueError."""
    profile = Profile(**value)
    if not all(isinstance(each, str) for each in (profile.name, profile.url, profile.user)):
        raise TypeError("name, address and user of a target are texts")
    limited = profile.limit is not None
    if limited and (isinstance(profile.limit, bool) or not MIN_RATE <= profile.limit < math.inf):  # type: ignore[operator]
        raise ValueError("a limit is a rate")
    if not profile.name or not profile.url or _has_password(profile.url):
        raise ValueError("a target has a name, and an address without a password")
    return profile


def profiles_of(values: Any) -> tuple[Profile, ...]:
    """The profiles that such a list means, no two of one name; raises TypeError or ValueError."""
    profiles = tuple(profile_of(value) for value in values)
    if len({profile.name for profile in profiles}) < len(profiles):
        raise ValueError("two targets have the same name")
    return profiles


def named(profiles: Sequence[Profile], name: str) -> Profile | None:
    """The profile of a name; None where there is none."""
    return next((profile for profile in profiles if profile.name == name), None)


def _has_password(url: str) -> bool:
    return urlsplit(url).password is not None
