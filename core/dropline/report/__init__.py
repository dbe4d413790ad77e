"""What a line did, for people to read and to keep: one page, and pictures of the curves."""

from dropline.report.page import Run, page
from dropline.report.picture import Curve, picture

__all__ = ["Curve", "Run", "page", "picture"]
