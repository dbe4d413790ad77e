"""Where files are sent to, behind one protocol."""

from dropline.events import Proof
from dropline.targets.access import Access
from dropline.targets.multipart import MultipartTarget
from dropline.targets.open import open_target
from dropline.targets.receiver import ReceiverTarget
from dropline.targets.s3 import S3Target
from dropline.targets.target import Receipt, Target, Upload
from dropline.targets.tus import TusTarget
from dropline.targets.webdav import WebDavTarget

__all__ = [
    "Access",
    "MultipartTarget",
    "Proof",
    "Receipt",
    "ReceiverTarget",
    "S3Target",
    "Target",
    "TusTarget",
    "Upload",
    "WebDavTarget",
    "open_target",
]
