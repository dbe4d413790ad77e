"""The guide, by Sphinx and MyST: `make guide` builds it into build/guide.

What the code says already is not written again: a line `% generated: NAME` in a page is replaced by
what `generated.py` makes of the code.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parent))

from generated import filled
from sphinx.application import Sphinx

from dropline import __version__

project = "Dropline"
release = __version__
html_title = "Dropline"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_show_copyright = False
html_copy_source = False
highlight_language = "none"


def setup(app: Sphinx) -> None:
    """Fill in what is made from the code."""
    app.connect("source-read", lambda _app, _page, source: source.insert(0, filled(source.pop())))
