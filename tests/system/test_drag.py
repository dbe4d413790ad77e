"""Another program drags real files onto the window, by the mouse, through the X server."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

from .conftest import until

ODD_NAMES = [
    b"with spaces.txt",
    b"#%?&.txt",
    "中文文件.txt".encode(),
    "emoji 🎉.txt".encode(),
    b"-leading dash.txt",
    b"n" * 251 + b".txt",
    ("文" * 85).encode(),
    b"two\nlines.txt",
    b"quote\"s and 'more'.txt",
    b"back\\slash.txt",
    b"not utf-8 \xff\xfe.txt",
    b"empty.txt",
]


def make_folder(folder: Path, count: int) -> dict[str, str]:
    """Fill a folder, nested, with `count` files of odd and plain names; name → SHA-256."""
    root = os.fsencode(folder)
    names = [*ODD_NAMES, *(b"sub %d/file %d.bin" % (i % 7, i) for i in range(count))][:count]
    digests: dict[str, str] = {}
    for number, name in enumerate(names):
        data = b"" if name == b"empty.txt" else b"%d\n" % number * (number % 50 + 1)
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        text = name.decode("utf-8", "backslashreplace")
        digests[f"{folder.name}/{text}"] = sha256(data).hexdigest()
    os.mkdir(os.path.join(root, b"nothing in it"))
    digests[f"{folder.name}/nothing in it/"] = sha256(b"").hexdigest()
    return digests


def test_a_folder_of_500_files_dragged_from_another_program_arrives_whole(
    start, drag, lasting_folder
) -> None:
    folder = lasting_folder / "holiday 2026"
    expected = make_folder(folder, 500)
    program = start()
    assert drag(program.window, [folder]) == "CopyAction"
    stored = program.wait_stored(len(expected))
    assert {file["name"]: file["sha256"] for file in stored} == expected
    assert len(stored) == len(expected)  # nothing twice
    assert program.status()["failed"] == 0


def test_what_the_source_deletes_after_the_drop_arrives_all_the_same(start, drag, tmp_path) -> None:
    folder = tmp_path / "unpacked"
    expected = make_folder(folder, 100)
    program = start()
    assert drag(program.window, ["--then-delete", folder]) == "CopyAction"
    until(lambda: not folder.exists(), 20, "the source to delete the folder")
    stored = program.wait_stored(len(expected))
    assert {file["name"]: file["sha256"] for file in stored} == expected


def test_many_files_at_once_and_what_cannot_be_sent(start, drag, lasting_folder) -> None:
    make_folder(lasting_folder / "files", 50)
    shutil.rmtree(lasting_folder / "files" / "nothing in it")
    os.mkfifo(lasting_folder / "files" / "pipe")
    (lasting_folder / "files" / "broken link").symlink_to("nowhere")
    # A path of its own each, but for the name that no URL of Qt's can carry.
    paths = [path for path in (lasting_folder / "files").iterdir() if path.name.isprintable()]
    files = sum(path.is_file() for path in paths)
    folders = [path for path in paths if path.is_dir()]
    nested = sum(len(list(folder.iterdir())) for folder in folders)
    program = start()
    assert drag(program.window, paths) == "CopyAction"
    stored = program.wait_stored(files + nested)
    assert len(stored) == files + nested
    assert not [file for file in stored if file["name"] in {"pipe", "broken link"}]


def test_text_is_not_taken(start, drag) -> None:
    program = start()
    assert drag(program.window, ["--text", "no file at all"]) == "IgnoreAction"
    assert program.stored() == []
