"""Many numbers in little memory."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from dropline.compact import compact


@given(st.lists(st.integers(0, 30)))
def test_they_are_the_same_numbers(numbers: list[int]) -> None:
    assert list(compact(numbers)) == sorted(set(numbers))


def test_what_follows_each_other_takes_nothing_each() -> None:
    assert sys.getsizeof(compact(range(5, 1005))) < 100
    assert sys.getsizeof(compact([*range(5, 1005), 2000])) < 9000
