"""The options that say where files go and how to get in there.

Passwords and tokens come from the environment, the keyring or the terminal, never from the command
line, which other users of the machine can read.
"""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from dataclasses import replace
from urllib.parse import urlsplit

from dropline.cli import CommandError
from dropline.targets import Access, Target, credentials, open_target
from dropline.targets.open import WAYS, way_of

PASSWORD = "DROPLINE_PASSWORD"
TOKEN = "DROPLINE_TOKEN"
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--via", choices=WAYS, help="how the target takes files")
    parser.add_argument("--field", default="file", metavar="NAME", help="form field (%(default)s)")
    parser.add_argument(
        "--form", action="append", default=[], metavar="NAME=VALUE", help="another form field"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="header to send"
    )
    parser.add_argument(
        "--user",
        metavar="NAME",
        help=f"user, or access key of S3; the password comes from {PASSWORD}, the keyring or the "
        f"terminal, a token from {TOKEN} or the keyring",
    )
    parser.add_argument("--client-cert", metavar="FILE", help="our certificate, PEM")
    parser.add_argument("--client-key", metavar="FILE", help="its key, PEM")
    parser.add_argument("--ca", metavar="FILE", help="authorities to trust, PEM")
    parser.add_argument("--proxy", metavar="URL", help="proxy; by default the environment's")


def open_for(options: argparse.Namespace, url: str, installation: str) -> Target:
    """The target that the options name. Raises ValueError for wrong ones, CommandError."""

    def opened(access: Access) -> Target:
        return open_target(
            url,
            installation=installation,
            via=options.via,
            access=access,
            field=options.field,
            fields=dict(_pair(text, "=", "--form") for text in options.form),
        )

    access = Access(
        headers=tuple(_pair(text, ":", "--header") for text in options.header),
        client_cert=options.client_cert,
        client_key=options.client_key,
        ca_file=options.ca,
        proxy=options.proxy,
    )
    target = opened(access)  # what is wrong shows before anybody is asked for a password
    if options.user is not None:
        Access(user=options.user)
        password = _password(target.url, options.user)
        return opened(replace(access, user=options.user, password=password))
    token = _token(target.url, way_of(url, options.via)[0])
    return opened(replace(access, token=token)) if token else target


def _pair(text: str, separator: str, option: str) -> tuple[str, str]:
    name, found, value = text.partition(separator)
    if not found or not name.strip():
        raise ValueError(f"{option} “{name}” has no value: use {option} 'NAME{separator}VALUE'")
    return (name.strip(), value.strip()) if separator == ":" else (name, value)


def _password(url: str, user: str) -> str:
    if (given := os.environ.get(PASSWORD)) is not None:
        return given
    try:
        kept = credentials.get(url, user)
        trouble = f"no password of {user} at {url} is kept in the keyring"
    except credentials.KeyringError as error:
        kept, trouble = None, str(error)
    if kept is not None:
        return kept
    if not sys.stdin.isatty():
        raise CommandError(f"{trouble}: set {PASSWORD}, or call it on a terminal to be asked")
    password = getpass.getpass(f"Password of {user} at {url}: ")
    print("Keep it in the keyring? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() in {"y", "yes"}:
        try:
            credentials.put(url, user, password)
        except credentials.KeyringError as error:
            print(f"Not kept: {error}", file=sys.stderr)
    return password


def _token(url: str, way: str) -> str | None:
    """The token to send, if there is one: nobody is asked, for most targets need none."""
    if way == "s3":
        return None
    if given := os.environ.get(TOKEN):
        return given
    host = urlsplit(url.removeprefix(f"{way}+")).hostname
    if way == "receiver" and host in _LOOPBACK:
        return None  # a receiver of this machine takes none, and keyrings are slow to wake
    try:
        return credentials.get(url)
    except credentials.KeyringError:
        return None
