"""Hashing piece by piece gives what hashing at once gives."""

from __future__ import annotations

import hashlib

import pytest

from dropline import hashing


@pytest.mark.parametrize("size", [0, 1, 2047, 2048, 4096, 16 * 1024, 16 * 1024 + 1])
def test_all_bytes_are_hashed(size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    digest = hashlib.sha256(b"before")
    hashing.add(data, digest)
    assert digest.digest() == hashlib.sha256(b"before" + data).digest()
