"""Events, and values of which there is one or more for every file: built fast, never changed.

A dataclass that is frozen at run time assigns each field by a call, and takes four times as long to
build; these were a twelfth of what the receiver did for a small file. So whether somebody changes
one is left to the type checker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(kind: type[T]) -> type[T]:
    """A dataclass with slots whose fields are set when it is built, and never after."""
    return dataclass(slots=True, unsafe_hash=True)(kind)
