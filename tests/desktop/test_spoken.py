"""What core says, in the language of the window."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QCoreApplication

from dropline_desktop.language import Language, Translation
from dropline_desktop.spoken import Template, spoken

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
    assert spoken("“Permission denied” is no folder: put the folder back.").startswith(
        "“Permission denied”"
    )


@pytest.mark.parametrize("text", ["", "?", "Teapots are short.", "x" * 20_000, "没有"])
def test_what_core_did_not_say_stays(text: str) -> None:
    assert spoken(text) == text
