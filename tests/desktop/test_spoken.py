"""What core says, in the language of the window."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication

from dropline.targets.failures import refusal
from dropline_desktop.app import Application
from dropline_desktop.language import Language, Translation
from dropline_desktop.settings import Settings
from dropline_desktop.settings.profile import Profile
from dropline_desktop.spoken import Template, spoken
from dropline_desktop.transfers.model import Column
from dropline_desktop.transfers.rows import State
from dropline_desktop.transfers.search import Search

from .test_app import drop

TEMPLATES = (
    files("dropline_resources").joinpath("translations", "core.txt").read_text().splitlines()
)
PLACE = re.compile(r"%(\d+)")
#: Names as they come: with places of their own, quotes, Chinese, line ends, and nothing.
ODD = st.text(st.sampled_from("%12{}'\"「」数据\n\t\\.*+?[é🙂"), max_size=8)


@pytest.fixture(autouse=True)
def chinese(translation: Translation) -> None:
    translation.speak(Language.CHINESE)


@pytest.mark.parametrize("language", [Language.ENGLISH, Language.CHINESE])
def test_each_template_keeps_what_is_filled_in(
    translation: Translation, language: Language
) -> None:
    translation.speak(language)

    @given(st.sampled_from(TEMPLATES), st.lists(ODD, min_size=9, max_size=9))
    def keeps(template: str, values: list[str]) -> None:
        def fill(text: str) -> str:
            return PLACE.sub(lambda place: values[int(place[1]) - 1], text)

        said = fill(template)
        found = Template(template).filled_in(said)
        assert found is not None
        own = QCoreApplication.translate("Core", template)
        assert (own == template) == (language is Language.ENGLISH)
        if found == tuple(values[: len(found)]):  # else a value reads as what is fixed
            assert spoken(said) == fill(own)

    keeps()


@pytest.mark.parametrize("template", TEMPLATES)
def test_no_template_is_taken_for_another(template: str) -> None:
    said = PLACE.sub(lambda place: f"值{place[1]}", template)
    own = QCoreApplication.translate("Core", template)
    assert spoken(said) == PLACE.sub(lambda place: f"值{place[1]}", own)


@given(st.lists(st.text("ab", max_size=2), min_size=1, max_size=5), st.text("ab", max_size=9))
def test_places_take_as_little_as_they_can(fixed: list[str], text: str) -> None:
    template = "".join(f"{part}%{place}" for place, part in enumerate(fixed[:-1], 1)) + fixed[-1]
    found = re.fullmatch("(.*?)".join(fixed), text)
    assert Template(template).filled_in(text) == (found.groups() if found else None)


def test_sentences_in_sentences_are_translated() -> None:
    said = (
        "http://h:1 answered 507: The receiver's disk is full, so %1 was not stored. Free some "
        "space there and send it again. Gave up after 3 attempts."
    )
    assert spoken(said) == (
        "http://h:1 答复 507：接收端的磁盘已满，因此 %1 未能存储。请在那里释放一些空间，"
        "然后再次发送。尝试 3 次后放弃。"
    )
    said = "“/Permission denied” cannot be read (Input/output error): check its disk, then retry."
    assert spoken(said) == "“/Permission denied”无法读取（输入/输出错误）：请检查其磁盘，然后重试。"
    assert spoken("3 tasks had come before the watch began") == "3 个任务在观察开始之前就已到达"
    assert spoken("“Permission denied” is no folder: put the folder back.").startswith(
        "“Permission denied”"
    )


@pytest.mark.parametrize("status", [301, *range(400, 418), 429, *range(500, 508)])
def test_no_answer_of_a_server_is_told_in_english(status: int) -> None:
    headers = {"Location": "http://h/x"} if status == 301 else {}
    said = spoken(str(refusal("http://h", status, "", headers, b"{}")))
    assert not re.search("[A-Za-z]{3}", re.sub(r"http://[\w:@./]+|HTTPS_PROXY", "", said))


@pytest.mark.parametrize("text", ["", "?", "Teapots are short.", "x" * 20_000, "没有"])
def test_what_core_did_not_say_stays(text: str) -> None:
    assert spoken(text) == text


class Rough(BaseHTTPRequestHandler):
    """A folder of WebDAV whose disk is full for some files, and which mixes up all others."""

    def do_MKCOL(self) -> None:
        self._answer(405)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(507 if "full" in self.path else 201)

    def do_HEAD(self) -> None:
        self._answer(200, ("Content-Length", "1"), ("Repr-Digest", f"sha-256=:{'A' * 43}=:"))

    def _answer(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers or [("Content-Length", "0")]:
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def rough() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rough)
    serving = threading.Thread(target=server.serve_forever, name="rough")
    serving.start()
    yield server
    server.shutdown()
    server.server_close()
    serving.join()


def test_real_failures_are_told_in_chinese_and_at_once_in_english(
    translation: Translation,
    rough: ThreadingHTTPServer,
    application: Callable[[], Application],
    wait: Callable[[Callable[[], object]], None],
    dropline_home: Path,
    tmp_path: Path,
) -> None:
    translation.close()  # the application has one of its own
    url = f"http://127.0.0.1:{rough.server_port}"
    settings = Settings(dropline_home)
    settings.profiles = [Profile("rough", f"webdav+{url}/files")]
    settings.profile, settings.language = "rough", Language.CHINESE
    settings.save()
    app = application()
    app.start()
    model, rows = app.window.transfers.model, app.window.transfers.model.rows
    names = ("full", "mixed", "led astray")
    full, mixed, astray = (tmp_path / name for name in names)
    full.write_text("x")
    mixed.write_text("x")
    astray.symlink_to(tmp_path / "nothing")

    def results() -> dict[str, str]:
        return {rows.name(row): model.text(row, Column.RESULT) for row in range(len(rows))}

    drop(app.window, full, mixed, astray)
    wait(lambda: rows.counts[State.FAILED] == 1 and len(rows.reasons) == 3)
    own = results()
    assert own["full"] == (
        f"{url}/files/full 答复 507（Insufficient Storage）：其磁盘已满：请在那里释放一些空间，"
        "然后重试。"
    )
    assert own["mixed"].startswith(f"{url}/files/mixed 存有的字节与发送的不同：摘要不一致。")
    assert own[str(astray)] == "是指向不存在之物的链接：请将其放回，或不必理会。"
    wait(lambda: "存有的字节与发送的不同" in app.window.status.target.text())
    app.window.show_notice("The disk is full")
    (notice,) = app.window.notices.notices
    assert notice.accessibleName() == "磁盘已满"
    for text, found in (
        ("磁盘已满", ["full"]),
        ("507 (insufficient", ["full"]),
        ("链接", [str(astray)]),
    ):
        search = Search(rows, frozenset(), text)
        search.advance(60.0)
        assert [rows.name(row) for row in np.flatnonzero(search.fits(slice(0, 3)))] == found
    app.window.choose_language(Language.ENGLISH)
    wait(lambda: notice.accessibleName() == "The disk is full")
    assert results()["full"].endswith("its disk is full: free some space there, then retry.")
    app.window.choose_language(Language.CHINESE)
    rough.shutdown()
    rough.server_close()
    wait(app.window.status.try_now.isVisible)
    assert app.window.status.target.toolTip().endswith("无法连接或中途断开：服务器是否在运行？")
