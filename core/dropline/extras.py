"""Libraries that come with an extra: imported by name, when used."""

import importlib
from types import ModuleType


class MissingExtraError(ValueError):
    """A library isn't installed; the sentence says by what command it is."""


def load(module: str, extra: str, what: str) -> ModuleType:
    """Import `module` for `what`; raises MissingExtraError where its extra isn't installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{what} needs {module}: install it by pip install 'dropline[{extra}]'"
        ) from error
