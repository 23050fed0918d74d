"""The page in a browser, Debian's chromium, with a fake REST server that recognises a few names."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from components.export import output_formats
from components.export.entity import Entity

PAGE = Path(__file__).resolve().parents[2] / "serving" / "page"
TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
LONG = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesellschaft"
NAMES = {
    "Zoë": ("PER", 0.97),
    "Zoe\u0308": ("PER", 0.9),  # the same, spelled with a combining character
    "Ada 👩🏽‍🚀": ("PER", 0.8),
    "Basel": ("LOC", 0.5),
    "נועה כהן": ("PER", 0.99),
    "תל אביב": ("LOC", 0.7),
    LONG: ("ORGANIZATION", 0.6),
    "<script>": ("<i>TAG</i>", 0.9),
}
TEXT = "Zoë 👍🏽 met Zoe\u0308 and Ada 👩🏽‍🚀 in Basel."


def entities_of(text):
    names = sorted(
        (match.start(), match[0]) for name in NAMES for match in re.finditer(re.escape(name), text)
    )
    return tuple(
        Entity(name, *NAMES[name][:1], at, at + len(name), NAMES[name][1]) for at, name in names
    )


class Rest(BaseHTTPRequestHandler):
    """Serves the page's files with the strictest content security policy they support, and the two REST calls."""

    def do_GET(self):
        if self.path == "/v1/models/ner":
            return self.answer(200, {"model_version_status": self.server.versions})
        name = self.path.partition("?")[0].strip("/") or "index.html"
        path = output_formats.STYLESHEET if name == "entities.css" else PAGE / name
        if path.is_file():
            return self.answer(200, path.read_bytes(), TYPES[path.suffix])
        return self.answer(
            404, {"error": f"Servable not found for request: Latest({name.rpartition('/')[2]})"}
        )

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        if self.server.failure:
            return self.answer(*self.server.failure)
        rows = [entities_of(instance["text"]) for instance in asked["instances"]]
        predictions = [
            {
                "count": len(row),
                **{
                    key: [getattr(one, key) for one in row]
                    for key in ("type", "start", "end", "score")
                },
                "surface": [one.text for one in row],
            }
            for row in rows
        ]
        return self.answer(200, {"predictions": predictions})

    def answer(self, status, content, kind="application/json"):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header(
            "Content-Security-Policy",
            f"default-src 'self'; base-uri 'none'; form-action 'none'{self.server.connect}",
        )
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.server.cors:
            self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def serve():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    server.url = f"http://127.0.0.1:{server.server_port}"
    server.versions = [
        {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
        {"version": "6", "state": "END", "status": {"error_code": "OK", "error_message": ""}},
    ]
    server.asked, server.failure, server.cors, server.connect = [], None, False, ""
    threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    ).start()
    return server


def stop(server):
    server.shutdown()
    server.server_close()


@pytest.fixture
def rest():
    server = serve()
    yield server
    stop(server)


@pytest.fixture
def visit(rest, visit):
    """A function that opens pages and closes them before the server stops, because they poll its version."""
    return visit


def find(page, text):
    page.get_by_label("Text", exact=True).fill(text)
    page.get_by_role("button", name="Find entities").click()
    page.locator("#found[aria-busy=false]").wait_for()


def marks(page):
    """The text and type of each mark in the page."""
    return page.eval_on_selector_all(
        "mark",
        "all => all.map(mark => [mark.firstChild.data, mark.querySelector('small').firstChild.data])",
    )


def shown_text(page, selector="#marked"):
    """The text without the labels."""
    return page.eval_on_selector(
        selector,
        "node => { const copy = node.cloneNode(true);"
        " copy.querySelectorAll('small').forEach(small => small.remove()); return copy.textContent; }",
    )


def test_marks_are_at_the_code_point_offsets(visit, rest):
    page = visit(rest.url)
    for text in (
        TEXT,
        "פגשה נועה כהן את Zoë 🇨🇭 בתל אביב, תל אביב!",
        "👩‍👩‍👧‍👦" * 20 + " Zoë\n\tBasel\n\nBasel",
        "𝒳" * 1000 + "Basel",
    ):
        find(page, text)
        assert marks(page) == [[entity.text, entity.type] for entity in entities_of(text)] != []
        assert shown_text(page) == text
        assert rest.asked[-1] == {
            "signature_name": "serving_default",
            "instances": [{"text": text}],
        }


def test_each_line_has_its_own_direction(visit, rest):
    page = visit(rest.url)
    find(page, "Zoë met Basel.\nפגשה נועה כהן את Zoë.")
    first, second, third = (page.locator("mark").nth(n).bounding_box() for n in (0, 2, 3))
    box = page.locator("#marked").bounding_box()
    assert first["x"] - box["x"] < 10  # begins at the left
    assert (
        third["x"] < second["x"] and second["x"] > box["x"] + box["width"] / 2
    )  # begins at the right


def test_texts_and_labels_are_not_executed(visit, rest):
    text = "<script>alert(1)</script><img src=x onerror=alert(2)> &amp; Zoë"
    page = visit(rest.url)
    find(page, text)
    assert shown_text(page) == text
    assert marks(page) == [["<script>", "<i>TAG</i>"], ["Zoë", "PER"]]
    assert page.locator("#marked :is(script, img, i), #rows i, #types i").count() == 0
    assert "<i>TAG</i>" in page.locator("#rows").inner_text()


def test_the_table_has_the_entities_in_order(visit, rest):
    page = visit(rest.url)
    find(page, TEXT)
    rows = page.eval_on_selector_all(
        "#rows tr", "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert rows == [
        ["Zoë", "PER", "97.0%", "0–3"],
        ["Zoe\u0308", "PER", "90.0%", "11–15"],
        ["Ada 👩🏽‍🚀", "PER", "80.0%", "20–28"],
        ["Basel", "LOC", "50.0%", "32–37"],
    ]


def test_the_threshold_hides_and_restores_entities(visit, rest):
    page = visit(rest.url)
    find(page, TEXT)
    page.get_by_label("Lowest score to show").fill("80")
    assert [text for text, _ in marks(page)] == ["Zoë", "Zoe\u0308", "Ada 👩🏽‍🚀"]
    assert page.locator("#rows tr").count() == 3 and shown_text(page) == TEXT
    assert page.locator("#summary").inner_text() == "3 entities, 1 below 80% left out"
    page.get_by_label("Lowest score to show").fill("100")
    assert (
        marks(page) == []
        and "No entities" in page.locator("#rows").inner_text()
        and shown_text(page) == TEXT
    )
    page.get_by_label("Lowest score to show").fill("0")
    assert len(marks(page)) == 4


def test_the_score_shows_on_hover_and_on_focus(visit, rest):
    page = visit(rest.url)
    find(page, TEXT)
    note = "mark => getComputedStyle(mark, '::after').content"
    mark = page.locator("mark").nth(3)
    assert mark.evaluate(note) == "none"
    mark.hover()
    assert mark.evaluate(note) == '"LOC · 50.0%"'
    page.mouse.move(0, 0)
    assert mark.evaluate(note) == "none"
    mark.focus()
    assert mark.evaluate(note) == '"LOC · 50.0%"'


def test_the_page_is_usable_with_the_keyboard(visit, rest):
    page = visit(rest.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "input"
    page.keyboard.type("Zoë saw Basel and Basel")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("mark")
    while page.evaluate("document.activeElement.localName") != "mark":
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.localName") != "body", "no mark was reached"
    focused = "[...document.querySelectorAll('mark')].indexOf(document.activeElement)"
    focused_marks = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End"):
        page.keyboard.press(key)
        focused_marks.append(page.evaluate(focused))
    assert focused_marks == [1, 2, 2, 1, 0, 2]
    page.keyboard.press("Tab")  # one stop for all marks
    assert page.evaluate("document.activeElement.id") == "threshold"
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    assert [text for text, _ in marks(page)] == ["Zoë"]


def test_a_click_selects_an_example(visit, rest):
    page = visit(rest.url)
    buttons = page.locator("#examples button")
    assert buttons.count() >= 8
    page.get_by_role("button", name="עברית").click()
    page.wait_for_selector("mark")
    assert [text for text, _ in marks(page)] == ["נועה כהן", "תל אביב"]
    assert (
        page.get_by_label("Text", exact=True).input_value()
        == rest.asked[-1]["instances"][0]["text"]
    )
    for n in range(buttons.count()):
        buttons.nth(n).click()
        page.locator("#found[aria-busy=false]").wait_for()
    texts = [asked["instances"][0]["text"] for asked in rest.asked[1:]]
    assert len(set(texts)) == buttons.count() and all(texts)


def test_the_version_and_its_state_are_shown_and_updated(visit, rest):
    page = visit(rest.url)
    page.get_by_text("Model ner: version 7 is available").wait_for()
    failed = {"error_code": "UNKNOWN", "error_message": "Op type not registered"}
    rest.versions.append({"version": "8", "state": "END", "status": failed})
    page.get_by_text(
        "version 8 is not served (Op type not registered); version 7 is available"
    ).wait_for()


FAILURES = [
    (
        (400, {"error": "input size does not match"}),
        "refused (400). It said: input size does not match",
    ),
    ((413, {"error": "too large"}), "longer than"),
    ((429, {"error": "full"}), "too many requests"),
    ((503, {"error": "Queue full"}), "too many requests"),
    ((504, {"error": "late"}), "ran out of time"),
    ((200, b"<p>hello", "text/html"), "is not TensorFlow Serving"),
    ((405, {}), "is not TensorFlow Serving"),
    ((500, b""), "refused (500)."),
    ((200, {"predictions": [[0.1, 0.9]]}), "does not answer as tfx-ner's models do"),
    (
        (
            200,
            {"predictions": [{"count": 1, "type": ["X"], "start": [5], "end": [99], "score": [1]}]},
        ),
        "has offsets outside the text",
    ),
    ((400, {"error": "<b>bold</b>"}), "It said: <b>bold</b>"),
]


def test_each_failure_is_shown_as_a_message(visit, rest):
    page = visit(rest.url, expect_complaints=True)
    find(page, TEXT)
    for failure, words in FAILURES:
        rest.failure = failure
        find(page, TEXT)
        assert words in page.get_by_role("alert").inner_text()
        assert (
            marks(page) == [] and "No entities" in page.locator("#rows").inner_text()
        )  # not those of the text before
    rest.failure = None
    find(page, TEXT)
    assert page.locator("#trouble").is_hidden() and len(marks(page)) == 4


def test_an_unreachable_server_and_an_unknown_model_are_shown(visit, rest):
    page = visit(f"{rest.url}/?model=other", expect_complaints=True)
    page.get_by_text("has no model “other”").wait_for()
    stop(rest)
    find(page, TEXT)
    assert "does not answer. Is it running?" in page.get_by_role("alert").inner_text()


def test_a_text_that_is_too_long_is_not_sent(visit, rest):
    page = visit(rest.url)
    find(page, "😀" * 100_001)
    assert (
        "has 100,001 characters; the page takes 100,000" in page.get_by_role("alert").inner_text()
    )
    assert rest.asked == []
    find(page, "😀" * 99_995 + "Basel")
    assert marks(page) == [["Basel", "LOC"]]


def test_another_server_can_be_named_if_it_allows_the_page(visit, rest):
    rest.connect = "; connect-src *"
    other = serve()
    try:
        page = visit(rest.url, expect_complaints=True)
        page.get_by_text("Server", exact=True).click()
        page.get_by_label("Address").fill(other.url.removeprefix("http://") + "/")
        page.get_by_label("Model", exact=True).press("Enter")
        find(page, TEXT)
        assert "--rest_api_enable_cors_support=true" in page.get_by_role("alert").inner_text()
        other.cors = True
        find(page, TEXT)
        assert len(marks(page)) == 4 and page.locator("#trouble").is_hidden()
        assert other.asked and rest.asked == []
    finally:
        stop(other)


# The contrasts by element, with relative luminance as defined by WCAG, and whether the page is dark.
CONTRASTS = """() => {
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map((part) => linear(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const style = (place) => getComputedStyle(document.querySelector(place));
  const ground = style("body").backgroundColor;
  const found = { dark: light(ground) < 0.1 };
  const mark = document.querySelector("mark");
  for (let hue = 0; hue < 360; hue++) {
    mark.style.setProperty("--hue", hue);
    found[hue] = contrast(style("mark").backgroundColor, style("mark").color);
  }
  for (const place of ["body", ".faint", "#length", "#state", "#trouble"]) found[place] = contrast(style(place).color, ground);
  found.button = contrast(style("#go").color, style("#go").backgroundColor);
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(visit, rest, scheme):
    """A contrast of 4.5 to 1 (WCAG 2.2, AA) for every hue that a type can have, and for the page's own colours."""
    page = visit(rest.url, color_scheme=scheme)
    find(page, TEXT)
    contrasts = page.evaluate(CONTRASTS)
    assert contrasts.pop("dark") == (scheme == "dark")
    assert {what: value for what, value in contrasts.items() if value < 4.5} == {}


def test_common_types_have_distinct_colours(visit, rest):
    page = visit(rest.url)
    find(page, TEXT)
    hue = """type => {
      const mark = document.querySelector("mark");
      mark.dataset.type = type;
      return getComputedStyle(mark).getPropertyValue("--hue");
    }"""
    for types in (
        "PERSON ORGANIZATION LOCATION MEDICAL_CODE TIME QUANTITY MONEY PERCENT",
        "corporation creative-work group location person product",
        "PER ORG LOC MISC",
    ):
        hues = sorted(float(page.evaluate(hue, type_)) for type_ in types.split())
        assert min(b - a for a, b in zip(hues, [*hues[1:], hues[0] + 360])) >= 20, (types, hues)


def test_the_page_does_not_scroll_horizontally_on_a_phone(visit, rest):
    width = 320
    page = visit(rest.url, viewport={"width": width, "height": 700}, is_mobile=True, has_touch=True)
    find(page, f"{TEXT} {LONG} {'Zoë' * 60} https://example.org/{'a' * 300}")
    page.get_by_text("Server", exact=True).click()
    page.locator("mark").nth(2).focus()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(
        "document.querySelector('.scroll').scrollWidth <= document.querySelector('.scroll').clientWidth"
    )


def test_every_control_has_an_accessible_name(visit, rest):
    page = visit(rest.url)
    find(page, TEXT)
    unnamed = page.eval_on_selector_all(
        "input, textarea, button, section, [role]",
        "all => all.filter(one => !(one.labels?.length || one.textContent.trim() || one.ariaLabel"
        " || one.getAttribute('aria-labelledby'))).map(one => one.outerHTML).filter(html => !/role=\"(alert|status)\"/.test(html))",
    )
    assert unnamed == []
    assert page.locator("h1").count() == 1 and page.locator("html[lang=en] main").count() == 1
    assert (
        "Basel" in page.locator("mark").nth(3).inner_text()
        and "50.0%" in page.locator("mark").nth(3).text_content()
    )


def test_the_file_of_predict_looks_the_same(visit, rest, tmp_path):
    """The file of `predict --format html` has the marks, colours and notes of the page."""
    text = TEXT + " <script>"
    types = {"GENE": 0.6, "Zelltyp 😀": 0.4}
    offset, entities = len(text), [*entities_of(text)]
    for type_, score in types.items():
        entities.append(Entity("x", type_, offset + 1, offset + 2, score))
        offset += 2
    text += " x" * len(types)
    file = tmp_path / "out.html"
    file.write_text("".join(output_formats.html_page([(text, tuple(entities))])), encoding="utf-8")
    looks = """(all) => all.map((mark) => {
      const { backgroundColor, color, boxShadow, fontSize } = getComputedStyle(mark);
      const { type, note } = mark.dataset;
      return [mark.firstChild.data, type, note, backgroundColor, color, boxShadow, fontSize, mark.textContent];
    })"""
    from_file = visit(file.as_uri())
    assert shown_text(from_file, "p.text") == text
    page = visit(rest.url)
    columns = {
        key: [getattr(one, key) for one in entities] for key in ("type", "start", "end", "score")
    }
    rest.failure = (200, {"predictions": [{"count": len(entities), **columns}]})
    find(page, text)
    assert from_file.eval_on_selector_all("mark", looks) == page.eval_on_selector_all("mark", looks)
    assert len({look[3] for look in page.eval_on_selector_all("mark", looks)}) == len(
        {one.type for one in entities}
    )
