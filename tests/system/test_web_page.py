"""The receiver's web page in a real browser: drag in, reload, go on, download, delete."""

from __future__ import annotations

import hashlib
import os
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import (
    APIResponse,
    Browser,
    BrowserContext,
    Page,
    Request,
    Route,
    expect,
    sync_playwright,
)

from dropline.handlers import Handler, PermanentError, StoredFile
from dropline.receiver import Receiver
from dropline.receiver import problems as receiver_problems
from dropline.receiver.problems import Kind

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "build" / "node" / "node_modules" / "axe-core" / "axe.min.js"
MIB = 1024 * 1024
Need = Callable[[str, str], str]


@pytest.fixture(scope="module")
def browser(need_program: Need) -> Iterator[Browser]:
    chromium = need_program("chromium", "chromium")
    with sync_playwright() as playwright:
        expect.set_options(timeout=30_000)
        # --no-sandbox: as root, in containers too
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(tmp_path / "received", port=0)
    made.start()
    yield made
    made.stop()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, receiver: Receiver) -> Iterator[Open]:
    """`open_page(**options)`: the page in a browser of its own, which may not complain."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_it(url: str = receiver.url, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: said.type == "error" and complaints.append(said.text))
        page.on("request", lambda asked: check_own(asked.url, url))
        page.goto(url)
        expect(page.locator("#connection")).to_have_attribute("data-text", "live")
        return page

    def check_own(asked: str, url: str) -> None:
        if not asked.startswith((url.partition("?")[0], "blob:")):
            complaints.append(f"the page asked for {asked}")

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


def drag(page: Page, *paths: Path) -> None:
    """Drag files or folders from outside into the browser and let them go."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [os.fspath(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": data})
    devtools.detach()


def stored(receiver: Receiver) -> dict[str, dict[str, Any]]:
    """What the receiver lists, by name."""
    files = requests.get(f"{receiver.url}/files", params={"limit": 1000}).json()["files"]
    return {file["name"]: file for file in files}


def test_a_folder_keeps_its_shape_and_its_empty_folders(
    receiver: Receiver, open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    folder = tmp_path / "Reise"
    contents = {f"Bilder/{n:03}.txt": b"%d" % n for n in range(120)}  # readEntries gives 100
    contents |= {"leer.bin": b"", "名/é.txt": b"x" * 5000}
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "nothing" / "in it").mkdir(parents=True)
    single = tmp_path / "single.txt"
    single.write_bytes(b"1")
    drag(page, folder, single)
    expected = {f"Reise/{name}": content for name, content in contents.items()}
    expected |= {"Reise/nothing/in it/": b"", "single.txt": b"1"}
    expect(page.locator("#list tr")).to_have_count(len(expected), timeout=60_000)
    expect(page.get_by_role("link", name="single.txt")).to_be_visible()
    expect(page.locator("#sending")).to_be_hidden()
    files = stored(receiver)
    assert {name: file["sha256"] for name, file in files.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in expected.items()
    }
    assert files["Reise/nothing/in it/"]["type"] == "application/x-directory"


def test_a_reload_in_the_middle_resumes(
    receiver: Receiver, open_page: Open, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(random.Random(1).randbytes(MIB) * 200)
    page = open_page()
    devtools = page.context.new_cdp_session(page)  # a network that leaves time to reload
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1}
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", slow | {"uploadThroughput": 40 * MIB})
    drag(page, big)
    expect(page.locator("#transfers .active")).to_contain_text(re.compile("[2-9][0-9]%"))
    offsets: list[int] = []

    def note(asked: Request) -> None:
        if asked.method == "PATCH":
            offsets.append(int(asked.headers["upload-offset"]))

    page.on("request", note)
    page.reload()
    expect(page.get_by_role("link", name="big.bin")).to_be_visible(timeout=60_000)
    expect(page.locator("#sending")).to_be_hidden()
    assert offsets[0] > 200 * MIB // 10  # what is there is not sent again
    assert stored(receiver)["big.bin"]["sha256"] == hashlib.sha256(big.read_bytes()).hexdigest()
    page.reload()
    expect(page.get_by_role("link", name="big.bin")).to_be_visible()
    expect(page.locator("#sending")).to_be_hidden()  # it is forgotten


def test_pause_resume_and_cancel(receiver: Receiver, open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    page.get_by_role("heading", name="Send files").wait_for()
    page.locator("#pause").evaluate("button => button.click()")  # before there is anything
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(name.encode())
    drag(page, tmp_path / "a.txt", tmp_path / "b.txt")
    expect(page.locator("#transfers .waiting")).to_have_count(2)
    expect(page.locator("#transfers .waiting").first).to_contain_text("paused")
    page.get_by_role("button", name="Cancel a.txt").click()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("link", name="b.txt")).to_be_visible()
    assert list(stored(receiver)) == ["b.txt"]


def test_a_file_that_the_browser_could_not_keep_goes_on_when_it_is_chosen_again(
    receiver: Receiver, open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    source = tmp_path / "long.bin"
    source.write_bytes(b"x" * 1000)
    page.locator("#pause").evaluate("button => button.click()")
    drag(page, source)
    expect(page.locator("#transfers .waiting")).to_be_visible()
    page.evaluate(
        """() => new Promise(done => {
             const opening = indexedDB.open("dropline");
             opening.onsuccess = () => {
               const change = opening.result.transaction("uploads", "readwrite");
               const store = change.objectStore("uploads");
               store.getAll().onsuccess = ({target}) => {
                 for (const {file, ...kept} of target.result) store.put(kept);
               };
               change.oncomplete = done;
             };
           })"""
    )
    page.reload()
    expect(page.locator("#transfers .lost")).to_contain_text("choose or drop this file again")
    drag(page, source)
    expect(page.get_by_role("link", name="long.bin")).to_be_visible()
    expect(page.locator("#sending")).to_be_hidden()


def test_what_others_store_is_told_and_can_be_had_and_deleted(
    receiver: Receiver, open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    expect(page.get_by_text("Nothing yet.")).to_be_visible()
    name = 'a/<b>&"quote".txt'
    requests.put(f"{receiver.url}/files/by-name/{requests.utils.quote(name)}", data=b"content")
    expect(page.get_by_role("status")).to_have_text(f"{name} is stored")
    link = page.get_by_role("link", name=name)
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes() == b"content"
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("button", name="Keep it").click()
    expect(link).to_be_visible()
    page.get_by_role("button", name=f"Delete {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(link).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text(f"{name} is deleted")
    assert stored(receiver) == {}


def test_search_and_pages(receiver: Receiver, open_page: Open) -> None:
    files = [("file", (f"{n:03}.txt", b"x")) for n in range(120)]
    requests.post(f"{receiver.url}/upload", files=files).raise_for_status()
    page = open_page()
    rows = page.locator("#list tr")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("119.txt")
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(100)
    page.get_by_role("searchbox").fill("01")
    expect(rows).to_have_count(12)  # 001, 010 to 019, 101
    requests.put(f"{receiver.url}/files/by-name/other", data=b"x")
    requests.put(f"{receiver.url}/files/by-name/new01", data=b"x")
    expect(rows).to_have_count(13)


def test_what_happens_while_the_list_is_read_is_not_undone_by_an_older_answer(
    receiver: Receiver, open_page: Open
) -> None:
    def put(name: str) -> None:
        requests.put(f"{receiver.url}/files/by-name/{name}", data=b"x").raise_for_status()

    for name in ("gone.txt", "old.txt"):
        put(name)
    page = open_page()
    old, new, gone = (page.get_by_role("link", name=f"{n}.txt") for n in ("old", "new", "gone"))
    expect(old).to_be_visible()
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/files?*", lambda route: held.append((route, route.fetch())))
    page.get_by_role("searchbox").fill(".txt")
    while not held:
        page.wait_for_timeout(10)  # it is in this thread that the route is taken
    put("new.txt")
    expect(new).to_be_visible()
    requests.delete(f"{receiver.url}/files/{stored(receiver)['gone.txt']['file_id']}")
    expect(gone).to_have_count(0)
    ((route, answer),) = held
    with page.expect_response("**/files?*"):
        route.fulfill(response=answer)
    put("last.txt")
    expect(page.locator("#list tr").first).to_contain_text("last.txt")
    rows = [re.compile(f"{name}.txt") for name in ("last", "new", "old")]
    expect(page.locator("#list tr")).to_have_text(rows)


def test_a_refusal_is_told_and_can_be_tried_again(
    browser: Browser, tmp_path: Path, open_page: Open
) -> None:
    receiver = Receiver(tmp_path / "small", port=0, max_size=10)
    receiver.start()
    try:
        page = browser.new_context().new_page()
        page.goto(receiver.url)
        big = tmp_path / "big.txt"
        big.write_bytes(b"x" * 11)
        page.locator("#files").set_input_files(big)
        expect(page.locator("#transfers .failed")).to_contain_text("larger than the 10 bytes")
        expect(page.get_by_role("status")).to_contain_text("big.txt")
        page.locator("#language").click()
        expect(page.locator("#transfers .failed")).to_contain_text("超过接收端允许的大小")
        page.locator("#language").click()
        expect(page.get_by_role("button", name="Try big.txt again")).to_be_visible()
        page.get_by_role("button", name="Cancel big.txt").click()
        expect(page.locator("#sending")).to_be_hidden()
        page.context.close()
    finally:
        receiver.stop()


def test_with_a_token_the_address_opens_everything(
    browser: Browser, tmp_path: Path, open_page: Open
) -> None:
    receiver = Receiver(tmp_path / "guarded", port=0, token="s3cret")
    receiver.start()
    try:
        page = open_page(f"{receiver.url}/?token=s3cret")
        assert page.url == f"{receiver.url}/"  # it is not left in the address
        source = tmp_path / "a.txt"
        source.write_bytes(b"abc")
        drag(page, source)
        link = page.get_by_role("link", name="a.txt")
        with page.expect_download() as download:
            link.click()
        assert Path(download.value.path()).read_bytes() == b"abc"
        page.close()
    finally:
        receiver.stop()


def test_dead_letters_are_shown_and_tried_again(open_page: Open, tmp_path: Path) -> None:
    broken = [True]

    def picky(file: StoredFile) -> None:
        if broken[0]:
            raise PermanentError("not today")

    receiver = Receiver(tmp_path / "handled", port=0, handlers=[Handler("picky", picky)])
    receiver.start()
    try:
        page = open_page(receiver.url)
        requests.put(f"{receiver.url}/files/by-name/a.txt", data=b"x")
        letters = page.get_by_role("region", name="Dead letters")
        expect(letters).to_contain_text("a.txt")
        expect(letters).to_contain_text("picky: not today")
        expect(page.get_by_role("region", name="The line")).to_contain_text("Handling")
        broken[0] = False
        page.get_by_role("button", name="Try all again").click()
        expect(letters).to_be_hidden()
        page.close()
    finally:
        receiver.stop()


def test_it_works_by_keyboard(receiver: Receiver, open_page: Open) -> None:
    requests.put(f"{receiver.url}/files/by-name/a.txt", data=b"x")
    page = open_page()
    expect(page.get_by_role("link", name="a.txt")).to_be_visible()
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert seen[:5] == ["skip", "language", "files", "folder", "search"]
    page.get_by_role("button", name="Delete a.txt").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("link", name="a.txt")).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_axe_finds_nothing_serious(
    receiver: Receiver, open_page: Open, tmp_path: Path, colours: str, locale: str
) -> None:
    if not AXE.exists() and os.environ.get("CI") != "true":
        pytest.skip("axe-core is not in build/node: python3 tools/bootstrap.py test")
    requests.put(f"{receiver.url}/files/by-name/a.txt", data=b"x")
    # `bypass_csp` lets axe in; what the page itself may load is tested by the others
    page = open_page(color_scheme=colours, locale=locale, bypass_csp=True)
    assert page.evaluate("document.documentElement.lang")[:2] == locale[:2]
    page.evaluate("document.querySelectorAll('main [hidden]').forEach(e => { e.hidden = false; })")
    page.add_script_tag(content=AXE.read_text("utf-8"))
    found = page.evaluate("axe.run().then(({violations}) => violations)")
    assert [(each["id"], each["nodes"]) for each in found] == []


@pytest.mark.parametrize("locale", ["en", "zh"])
def test_words_are_there_in_both_languages(locale: str) -> None:
    words = (ROOT / "resources/dropline_resources/web/words.js").read_text("utf-8")
    tables = {
        language: dict(re.findall(r'^    (\w+): "(.*)",$', table, re.M))
        for language, table in re.findall(r"^  (en|zh): {(.*?)^  },", words, re.M | re.S)
    }
    mine, other = tables[locale], tables["zh" if locale == "en" else "en"]
    assert mine.keys() == other.keys()
    for key, sentence in mine.items():
        assert set(re.findall(r"{\w+}", sentence)) == set(re.findall(r"{\w+}", other[key])), key
    said = re.search(r"^const PROBLEMS = {(.*?)^};", words, re.M | re.S)
    assert said
    kinds = {each.name for each in vars(receiver_problems).values() if isinstance(each, Kind)}
    assert set(re.findall(r'^  "([\w-]+)": ', said[1], re.M)) == kinds
    html = (ROOT / "resources/dropline_resources/web/index.html").read_text("utf-8")
    assert set(re.findall(r'data-text="(\w+)"', html)) <= mine.keys()
