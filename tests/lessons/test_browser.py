"""The lessons in JupyterLab in a real browser, as a student meets them: run, moved, answered wrong, answered right.

One server and one headless Chromium serve the whole file. Everything waits on what the page shows, never on a clock.
"""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest
from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import expect, sync_playwright

from course_lib.start import environment, lab
from tests.support.course import LESSONS, ROOT, notebook, process_env
from tests.support.processes import PATIENCE, wait_for
from tests.support.system_packages import needs_system

READABLE = 4.5  # contrast of a text with its background, of 21
WAIT = 600_000  # milliseconds at most, for a machine under a load of ten: what is waited for comes, or the page says why not
LAPTOP = {"width": 1366, "height": 768}
OUTPUT = ".jp-OutputArea-output"
FAILED = ", ".join(f'{OUTPUT}[data-mime-type="application/vnd.jupyter.{kind}"]' for kind in ("error", "stderr"))
RUN_ENDED = """([failed, count]) => {
    const cells = [...document.querySelectorAll(".jp-CodeCell")];
    const bad = document.querySelector(failed) || document.querySelector(".jp-Dialog");
    const idle = document.querySelector('.jp-Notebook-ExecutionIndicator[data-status="idle"]');
    // a folded cell's prompt is empty; the cells run in order, and the last one is not folded
    const numbered = cell => /^(\\[\\d+\\]:)?$/.test(cell.querySelector(".jp-InputPrompt").textContent.trim());
    const done = cells.length == count && cells.every(numbered);
    return !!bad || (idle && done);
}"""
# The picture's own pixels, so that nothing else on the page counts; null while one picture replaces another.
PIXELS = """img => {
    if (!img || !img.complete || !img.naturalWidth) return null;
    const canvas = document.createElement("canvas");
    canvas.width = img.naturalWidth; canvas.height = img.naturalHeight;
    const pen = canvas.getContext("2d");
    pen.drawImage(img, 0, 0);
    const words = new Uint32Array(pen.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    let sum = 2166136261;
    for (const word of words) sum = Math.imul(sum ^ word, 16777619) >>> 0;
    return [canvas.width, canvas.height, sum].join();
}"""


# --- the server and the browser -----------------------------------------------------------------------------


class Server:
    """A JupyterLab in a student's checkout."""

    def __init__(self, url, token, root):
        self.url, self.token, self.root, self.work = url, token, root, root / "work"

    def copy(self, lesson):
        """The student's copy of a lesson, as it was before anyone opened it, but for the length of its experiments.

        Their results are judged where the notebook runs whole (test_lessons); here four steps show that all is in place.
        """
        path = Path(lesson, f"{lesson}.ipynb")
        text = (self.root / "lessons" / path).read_text(encoding="utf-8")
        (self.work / path).write_text(re.sub(r"cpu=\((\d+), \d+\)", r"cpu=(\1, 4)", text), encoding="utf-8")
        return self.work / path

    def api(self, path, method="GET"):
        request = urllib.request.Request(f"{self.url}api/{path}?token={self.token}", method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or "null")

    def end_kernels(self):
        """A notebook's kernel outlives its page: the next page is to have the memory."""
        for session in self.api("sessions"):
            self.api(f"sessions/{session['id']}", "DELETE")


def students_command(root):
    """The command that `lab` would become, after it has made the student's copies under root/work."""
    command = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environment, "run", lambda python, arguments, **_: command.extend([python, *arguments]))
        lab.main(["--no-browser", "--port=0"], lambda: sys.executable, root=root)
    return command


def home_of_nobody(folder):
    """An environment in which nothing of whoever runs the tests leaks in, with the settings that set-up writes."""
    config = folder / ".jupyter"
    for name, values in environment.QUIET_LAB.items():
        plugin, part = name.split(":")
        path = config / "lab" / "user-settings" / plugin / f"{part}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    kept = {k: v for k, v in process_env().items() if not k.startswith(("JUPYTER", "IPYTHON", "XDG_"))}
    return kept | {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    root, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "lessons", root / "lessons")
    with open(home / "lab.log", "w") as log:
        process = subprocess.Popen(students_command(root), cwd=root, env=home_of_nobody(home), stdout=log, stderr=log)
    try:
        about = home / "runtime" / f"jpserver-{process.pid}.json"  # what the server writes about itself once it listens

        def listens():
            assert process.poll() is None, (home / "lab.log").read_text()
            with contextlib.suppress(OSError, ValueError):
                said = json.loads(about.read_text())
                with urllib.request.urlopen(f"{said['url']}api/status?token={said['token']}", timeout=PATIENCE):
                    return said

        found = wait_for(listens, lambda: (home / "lab.log").read_text())
        yield Server(found["url"], found["token"], root)
    finally:
        kernels = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        process.wait(PATIENCE)
        left = psutil.wait_procs(kernels, timeout=PATIENCE)[1]
        for kernel in left:
            kernel.kill()
        assert not left, "kernels outlived their server"


@pytest.fixture(scope="module")
def browser():
    chromium = needs_system("chromium", "chromium", "chromium-browser", "google-chrome")
    with sync_playwright() as play:
        switches = ["--no-sandbox", "--disable-gpu", "--no-proxy-server"]
        browser = play.chromium.launch(executable_path=chromium, args=switches, timeout=WAIT)
        expect.set_options(timeout=WAIT)
        yield browser
        browser.close()


# --- a notebook on the page ---------------------------------------------------------------------------------


class Notebook:
    """A notebook open in JupyterLab; its cells are found by their ids in the file."""

    def __init__(self, page, path):
        self.page, self.path = page, path
        self.cells = nbformat.read(path, as_version=4).cells

    def cell(self, cell_id):
        return self.page.locator(".jp-Notebook .jp-Cell").nth([c.id for c in self.cells].index(cell_id))

    def code(self, pattern=""):
        """The code cells of the file in which the pattern is found."""
        return [c for c in self.cells if c.cell_type == "code" and re.search(pattern, c.source, re.M)]

    def menu(self, name, *path):
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{name}$")).click()
        for item in path:
            entry = self.page.locator(".lm-Menu-item", has=self.page.get_by_text(item, exact=True))
            entry.click() if item == path[-1] else entry.hover()

    def run_all(self):
        """Run all cells through the menu, and wait until each has run and the kernel rests, or something failed."""
        self.menu("Run", "Run All Cells")
        last = self.page.locator(".jp-CodeCell .jp-InputPrompt").last
        expect(last).to_have_text(re.compile(r"\[[*\d]+\]:"), timeout=WAIT)  # it waits for its turn, or has run
        self.page.wait_for_function(RUN_ENDED, arg=[FAILED, len(self.code())], timeout=WAIT, polling=200)
        for trouble in (".jp-Dialog", FAILED):
            assert not self.page.locator(trouble).count(), self.page.locator(trouble).first.text_content()

    def run(self, cell_id):
        """Run one cell with the keyboard; returns its place on the page once it has run."""
        cell = self.cell(cell_id)
        prompt = cell.locator(".jp-InputPrompt")
        if cell.locator(".jp-Placeholder-content").count():  # a folded cell: a click opens it
            cell.locator(".jp-Placeholder-content").click()
        cell.locator(".cm-content").click()
        before = re.escape(prompt.text_content())
        self.page.keyboard.press("Control+Enter")
        expect(prompt).to_have_text(re.compile(rf"^(?!{before})\[\d+\]:"), timeout=WAIT)
        return cell

    def write(self, cell_id, source):
        """Replace what a cell holds, as by pasting."""
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    def add_below(self, cell_id):
        """Add a cell below another one, with the keyboard, and start writing in it; returns its id here."""
        self.cell(cell_id).locator(".cm-content").click()
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("b")
        new = nbformat.v4.new_code_cell()
        self.cells.insert([c.id for c in self.cells].index(cell_id) + 1, new)
        self.cell(new.id).locator(".cm-content").click()
        return new.id


@contextlib.contextmanager
def opened(browser, server, path, tmp_path):
    """A notebook opened in a new window, with its kernel ready; no error may reach the page's console meanwhile."""
    server.end_kernels()
    context = browser.new_context(viewport=LAPTOP)
    context.set_default_timeout(WAIT)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(f"uncaught: {error}"))
    page.on("console", lambda said: errors.append(f"{said.text} ({said.location})") if said.type == "error" else None)
    try:
        page.goto(f"{server.url}lab/tree/{path.relative_to(server.work).as_posix()}?reset&token={server.token}")
        page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=WAIT)
        # before the kernel has a name, the page calls it idle, and drops what it is told to run
        expect(page.locator(".jp-Toolbar-kernelName")).to_have_text(re.compile("Python 3"), timeout=WAIT)
        page.wait_for_selector('.jp-Notebook-ExecutionIndicator[data-status="idle"]', timeout=WAIT)
        yield Notebook(page, path)
        assert not errors, "\n".join(errors)
    except BaseException as error:
        shot = tmp_path / "page.png"
        with contextlib.suppress(Exception):
            page.screenshot(path=shot)
        error.add_note(f"The page as it was: {shot}\nErrors in its console: {errors or 'none'}")
        raise
    finally:
        context.close()


# --- a lesson runs whole ------------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_runs_whole_and_its_widgets_move_their_pictures(lesson, browser, server, tmp_path):
    with opened(browser, server, server.copy(lesson), tmp_path) as book:
        book.run_all()
        for cell in book.code():
            if cell.metadata.get("nbgrader", {}).get("grade"):
                expect(book.cell(cell.id).locator(".verdict")).to_contain_text("Not attempted")
        drawing = book.code(r"^(plot|widgets)\.")
        assert len(drawing) >= 3
        for cell in drawing:
            pictures = book.cell(cell.id).locator(f"{OUTPUT} img")
            sizes = pictures.evaluate_all("all => all.map(i => [i.naturalWidth, i.naturalHeight])")
            assert sizes and all(min(size) >= 100 for size in sizes), (cell.source, sizes)
        assert not (cut := book.page.evaluate(CUT_OFF)), f"wider than a laptop's page: {cut}"
        moves = move_every_control(book)
        assert moves and all(moves.values()), moves


def test_a_folded_cell_shows_its_title_and_picture_and_opens(browser, server, tmp_path):
    with opened(browser, server, server.copy("00_start_here"), tmp_path) as book:
        book.run_all()
        setup, folded = (c for c in book.code() if c.metadata.get("jupyter", {}).get("source_hidden"))
        assert setup.id == "setup"
        place, code = book.cell(folded.id), folded.source.splitlines()[-1]
        expect(place.locator(f"{OUTPUT} img")).to_be_visible()
        expect(place.get_by_text(folded.source.splitlines()[0])).to_be_visible()
        expect(place.locator(".jp-InputArea")).to_have_count(0)
        place.locator(".jp-Placeholder-content").click()
        expect(place.locator(".cm-content")).to_contain_text(code)


# What stands out of the notebook's right edge by more than a margin.
CUT_OFF = """() => {
    const edge = document.querySelector(".jp-Notebook .jp-OutputArea").getBoundingClientRect().right + 1;
    const shown = "img, .verdict, .widget-hslider, .widget-dropdown, .widget-checkbox";
    return [...document.querySelectorAll(`.jp-OutputArea-output :is(${shown})`)]
        .filter(e => e.getBoundingClientRect().right > edge).map(e => e.outerHTML.slice(0, 200));
}"""


# --- its widgets --------------------------------------------------------------------------------------------


def move_every_control(book, wait=WAIT):
    """Move each slider by a step, each menu by a line, turn each switch: {(the widget's cell, the control's label): did
    the picture change within `wait` ms?}."""
    changed = {}
    for cell in book.code(r"^widgets\."):
        place = book.cell(cell.id)
        picture = place.locator("img.widget-image")
        for control in place.locator(".widget-hslider, .widget-dropdown, .widget-checkbox").all():
            before = picture.evaluate(PIXELS)
            assert before, "the widget has no picture"
            nudge(control)
            try:
                book.page.wait_for_function(
                    f"([img, before]) => (now => now && now != before)(({PIXELS})(img))",
                    arg=[picture.element_handle(), before],
                    timeout=wait,
                )
                change = True
            except Late:
                change = False
            changed[cell.source.splitlines()[-1], control.locator("label").first.inner_text()] = change
    return changed


def nudge(control):
    """Move a slider by a step, a menu by a line, or turn a switch."""
    kind = control.get_attribute("class")
    if "checkbox" in kind:
        control.locator("input").click()
    elif "dropdown" in kind:
        menu = control.locator("select")
        count, chosen = menu.evaluate("m => [m.options.length, m.selectedIndex]")
        menu.select_option(index=(chosen + 1) % count)
    else:
        handle, room = control.locator(".noUi-handle"), control.locator(".noUi-target").bounding_box()["width"]
        assert room >= 80, f"only {room:.0f} px for a mouse to drag in: {control.inner_text()}"
        value = handle.get_attribute("aria-valuenow")
        handle.press("ArrowLeft" if value == handle.get_attribute("aria-valuemax") else "ArrowRight")
        expect(handle).not_to_have_attribute("aria-valuenow", value)


@pytest.mark.parametrize("lesson", ["02_encoder_decoder"])  # all widgets share one callback
def test_without_the_callback_no_picture_moves(lesson, browser, server, tmp_path):
    """The test above sees the callback at work: with nothing but a word to the page in its place, it would fail."""
    without = nbformat.v4.new_code_cell(
        """
import course_lib.widgets

def told(self, change):
    self.line.value = f"told: {change.new}"

course_lib.widgets.Live._update = told
""".strip()
    )
    released = notebook("lessons", lesson)
    kept = [c for c in released.cells if c.id == "setup" or re.search(r"^widgets\.", c.source, re.M)]
    released.cells = [without, *kept]
    path = server.work / lesson / "without.ipynb"
    nbformat.write(released, path)
    with opened(browser, server, path, tmp_path) as book:
        book.run_all()
        pictures = book.page.locator("img.widget-image")
        before = [picture.evaluate(PIXELS) for picture in pictures.all()]
        moves = move_every_control(book, wait=1000)
        assert moves and not any(moves.values()), moves
        # and that was no slow kernel: it was told of each move, and still nothing has changed
        lines = book.page.locator(f"{OUTPUT} .widget-html-content")
        expect(lines).to_have_text([re.compile("^told: ")] * len(before), timeout=WAIT)
        assert [picture.evaluate(PIXELS) for picture in pictures.all()] == before and all(before)


# --- an exercise --------------------------------------------------------------------------------------------


def test_a_wrong_answer_a_hint_and_a_right_one(browser, server, tmp_path):
    from course_lib.checks.lesson_02 import check

    with opened(browser, server, server.copy("02_encoder_decoder"), tmp_path) as book:
        book.run("setup")
        book.write("conv-out-size", "def conv_out_size(n, k, s=1, p=0, d=1):\n    return (n + 2 * p - k) // s + 1")
        book.run("conv-out-size")
        verdict = book.run("check-conv-out-size").locator(".verdict")
        expect(verdict).to_contain_text("Not yet · conv_out_size · 1.5 of 2 points")
        expect(verdict).to_contain_text("This forgets the dilation: the taps stand d pixels apart.")
        assert_readable(book, "JupyterLab Light")
        assert_readable(book, "JupyterLab Dark")

        mine = book.add_below("check-conv-out-size")
        book.page.keyboard.type("check.")
        offered = book.page.locator(".jp-Completer-item .jp-Completer-match")

        def offers():  # JupyterLab drops what the kernel offers after more than a second
            book.page.keyboard.press("Tab")
            with contextlib.suppress(Late):
                offered.first.wait_for(timeout=3000)
                return True

        wait_for(offers, "the kernel offers no names")
        expect(offered).to_have_text(dir(check))
        book.page.keyboard.type("conv_o")
        expect(offered).to_have_text(["conv_out_size"])
        book.page.keyboard.press("Enter")
        book.page.keyboard.insert_text(".hint()")
        expect(book.run(mine).locator(".hint")).to_contain_text("Hint 1 of 3. Draw a row of 7 pixels")
        expect(book.run(mine).locator(".hint")).to_contain_text("Hint 2 of 3.")

        right = "def conv_out_size(n, k, s=1, p=0, d=1):\n    return (n + 2 * p - d * (k - 1) - 1) // s + 1"
        book.write("conv-out-size", right)
        book.run("conv-out-size")
        verdict = book.run("check-conv-out-size").locator(".verdict")
        expect(verdict).to_contain_text("Passed · conv_out_size · 2 of 2 points")
        assert_readable(book, "JupyterLab Dark")
        assert_readable(book, "JupyterLab Light")
        book.page.keyboard.press("ControlOrMeta+s")
        book.page.wait_for_selector(".jp-mod-dirty", state="detached")
        saved = {c.id: c for c in nbformat.read(book.path, as_version=4).cells}
        assert "d * (k - 1)" in saved["conv-out-size"].source


# --- handing in ---------------------------------------------------------------------------------------------


def test_the_last_cell_writes_the_file_to_hand_in_and_its_link_gives_it(browser, server, tmp_path):
    with opened(browser, server, server.copy("00_start_here"), tmp_path) as book:
        book.run("setup")
        answer = "def blend(image, colours, opacity):\n    return image + opacity * (colours - image)"
        book.write("blend", answer)
        book.page.keyboard.press("ControlOrMeta+s")
        book.page.wait_for_selector(".jp-mod-dirty", state="detached")
        output = book.run("hand-in").locator(OUTPUT)
        expect(output).to_contain_text("hand_in/00_start_here.ipynb is written, as you saved it at ")
        expect(output).to_contain_text("Answered: 1 of 7.")
        with book.page.expect_download(timeout=WAIT) as download:
            output.get_by_text("Download 00_start_here.ipynb").click()
        assert download.value.suggested_filename == "00_start_here.ipynb"
        given = Path(download.value.path()).read_bytes()
        assert given == (book.path.parent / "hand_in" / "00_start_here.ipynb").read_bytes()
        assert next(c.source for c in nbformat.reads(given.decode(), as_version=4).cells if c.id == "blend") == answer


def assert_readable(book, theme):
    """Every verdict and hint on the page stands out from its background in this theme."""
    book.menu("Settings", "Theme", theme)
    expect(book.page.locator("body")).to_have_attribute("data-jp-theme-name", theme, timeout=WAIT)
    boxes = book.page.locator(".verdict, .hint").all()
    assert boxes and all(box.evaluate(CONTRAST) >= READABLE for box in boxes), [box.evaluate(CONTRAST) for box in boxes]


# The least contrast (1 to 21) between a text within an element and what lies behind it, as WCAG 2 reckons it.
CONTRAST = """box => {
    const parse = colour => (colour.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    const light = colour => parse(colour).slice(0, 3).map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = e => { while (e && parse(getComputedStyle(e).backgroundColor)[3] === 0) e = e.parentElement;
                          return e ? getComputedStyle(e).backgroundColor : "rgb(255, 255, 255)"; };
    const says = e => [...e.childNodes].some(n => n.nodeType == 3 && /\\S/.test(n.data));
    const texts = [box, ...box.querySelectorAll("*")].filter(says);
    return Math.min(...texts.map(e => [light(getComputedStyle(e).color), light(behind(e))].sort((a, b) => b - a))
        .map(([high, low]) => (high + 0.05) / (low + 0.05)));
}"""
