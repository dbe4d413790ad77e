"""A target that is remembered: by its URL and a user, with the secret in the keyring."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

from dropline.station import Attempt, PermanentError, TransientError
from dropline.targets import credentials
from dropline.targets.access import Access
from dropline.targets.open import open_target, way_of
from dropline.targets.target import Receipt, Target, Upload

#: The name of the file by which a target is tried out, and what it holds.
TRIAL = "dropline-test.txt"
_CONTENT = b"Dropline tried out whether files can be sent here. This one may be deleted.\n"


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where to send to: `url` as for `open_target`, and as whom; a token goes without a user."""

    url: str
    user: str = ""

    def open(self, installation: str, secret: str | None = None) -> Target:
        """The target, with `secret` or the one that is kept. Raises ValueError with a sentence."""
        bare = open_target(self.url, installation=installation)
        if secret is None:
            secret = self._kept(bare.url)
        if self.user:
            access = Access(user=self.user, password=secret or "")
        else:
            access = Access(token=secret or None)
        return open_target(self.url, installation=installation, access=access)

    def keep(self, secret: str) -> None:
        """Keep the password or token in the keyring. Raises ValueError with a sentence."""
        url = open_target(self.url, installation="").url
        try:
            credentials.put(url, self.user, secret)
        except credentials.KeyringError as error:
            raise ValueError(str(error)) from error

    def forget(self) -> None:
        """Take the password or token out of the keyring. Raises ValueError with a sentence."""
        try:
            credentials.delete(open_target(self.url, installation="").url, self.user)
        except credentials.KeyringError as error:
            raise ValueError(str(error)) from error

    def _kept(self, url: str) -> str | None:
        if not self.user and way_of(self.url)[0] == "s3":
            return None
        try:
            return credentials.get(url, self.user)
        except credentials.KeyringError as error:
            if not self.user:
                return None  # most targets need no token, and many machines have no keyring
            raise ValueError(str(error)) from error


def try_out(target: Target) -> Receipt:
    """Send a small file. Raises ValueError with a sentence that says what is wrong."""
    with tempfile.TemporaryDirectory(prefix="dropline-") as folder:
        path = os.path.join(folder, TRIAL)
        with open(path, "wb") as file:
            file.write(_CONTENT)
        status = os.stat(path)
        worker = target.connect()
        try:
            upload = Upload(path, path, TRIAL, status.st_size, status.st_mtime_ns)
            return worker.serve(upload, Attempt(lambda _sent: None))
        except (PermanentError, TransientError) as error:
            raise ValueError(str(error)) from error
        finally:
            worker.close()
