"""The built-in handlers: what a file is, by its content, and a call to somebody's server."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import BinaryIO

from dropline.handlers import Handler, PermanentError, StoredFile

#: Bytes at the beginning that decide whether a file is text.
_HEAD = 64 * 1024
#: The longer side of a thumbnail, and the most pixels of a picture that is opened for one.
SIDE, MAX_PIXELS = 256, 50_000_000
#: What may come from anywhere is opened by these readers alone.
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
#: Seconds that a webhook may take to connect, and to answer.
_TIMEOUT = (5.0, 30.0)


def facts_handler() -> Handler:
    """Notes each file's type by its content, a text's lines, a picture's size and thumbnail.

    Raises ModuleNotFoundError without Pillow.
    """
    import PIL.Image  # noqa: F401 - here, so that its absence is known at the start

    return Handler("dropline:facts", find_facts)


def find_facts(file: StoredFile) -> None:
    """See `facts_handler`."""
    with file.open() as content:
        head = content.read(_HEAD)
        content.seek(0)
        if _is_text(head):
            file.note(_text(content))
        else:
            file.note(*_picture(content))


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8 without the characters that only other files have."""
    text = head.decode("utf-8", "ignore")
    lost = len(head) - len(text.encode())  # a letter that the end of the head cuts has 3 bytes
    return lost <= (3 if len(head) == _HEAD else 0) and not any(
        c < " " and c not in "\t\n\r\f\x1b" for c in text
    )


def _text(content: BinaryIO) -> Mapping[str, object]:
    lines = sum(block.count(b"\n") for block in iter(lambda: content.read(1 << 20), b""))
    return {"type": "text/plain", "charset": "utf-8", "line_ends": lines}


def _picture(content: BinaryIO) -> tuple[Mapping[str, object], bytes | None]:
    from PIL import Image, ImageOps

    try:
        with Image.open(content, formats=_FORMATS) as image:
            kind = Image.MIME.get(image.format or "", "application/octet-stream")
            facts = {"type": kind, "width": image.width, "height": image.height}
            if image.width * image.height > MAX_PIXELS:
                return facts, None
            image.draft("RGB", (SIDE, SIDE))
            small = ImageOps.exif_transpose(image)
            small.thumbnail((SIDE, SIDE))
            kept = io.BytesIO()
            small.convert("RGBA").save(kept, "PNG")
            return facts, kept.getvalue()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return {"type": "application/octet-stream"}, None


def webhook(url: str) -> Handler:
    """Posts each stored file as a CloudEvent in JSON to `url`."""
    return Handler(f"dropline:webhook {url}", _caller(url))


def _caller(url: str) -> Callable[[StoredFile], None]:
    def call(file: StoredFile) -> None:
        import requests

        data = {
            name: getattr(file, name)
            for name in ("file_id", "name", "size", "sha256", "media_type", "stored_at")
        }
        event = {
            "specversion": "1.0",
            "id": file.file_id,
            "type": "dropline.file.stored",
            "source": "urn:dropline:receiver",
            "subject": file.file_id,
            "time": file.stored_at,
            "datacontenttype": "application/json",
            "data": data,
        }
        headers = {"Content-Type": "application/cloudevents+json"}
        answer = requests.post(
            url, json.dumps(event), headers=headers, timeout=_TIMEOUT, allow_redirects=False
        )
        if answer.ok and answer.status_code < 300:
            return
        said = f"{url} answered {answer.status_code} {answer.reason}"
        if answer.status_code >= 500 or answer.status_code in (408, 425, 429):
            raise ConnectionError(said)
        raise PermanentError(f"{said}. Check the address, then replay.")

    return call
