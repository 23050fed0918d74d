"""The files of the page; tests/serving/test_page.py tests them in a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.export import output_formats

PAGE = Path(__file__).resolve().parents[4] / "serving" / "page"
FILES = sorted([*PAGE.iterdir(), output_formats.STYLESHEET])


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def elements():
    return Elements((PAGE / "index.html").read_text(encoding="utf-8")).found


def test_the_code_writes_no_markup():
    """Texts and labels become text nodes."""
    code = "".join(path.read_text(encoding="utf-8") for path in FILES if path.suffix == ".js")
    assert (
        re.findall(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc",
            code,
        )
        == []
    )


def test_the_page_loads_no_external_resource():
    addresses = {
        (path.name, address)
        for path in FILES
        for address in re.findall(
            r"(?:https?:)?//[a-z][^\s\"'<)]*|@import|url\([^)]*\)", path.read_text(encoding="utf-8")
        )
    }
    named = {("icon.svg", "http://www.w3.org/2000/svg"), ("index.html", "http://localhost:8501")}
    assert {
        (name, address) for name, address in addresses if not address.startswith("// ")
    } == named


def test_no_script_or_style_is_inline(elements):
    assert all(attrs.get("src") for tag, attrs in elements if tag == "script")
    assert not any(
        tag == "style" or "style" in attrs or any(key.startswith("on") for key in attrs)
        for tag, attrs in elements
    )


def test_the_files_are_those_that_the_page_names(elements):
    names = {attrs["src"] for tag, attrs in elements if tag == "script"} | {
        attrs["href"] for tag, attrs in elements if tag == "link"
    }
    for path in FILES:
        if path.suffix == ".js":
            names |= set(re.findall(r'from "\./([^"]+)"', path.read_text(encoding="utf-8")))
    assert names | {"index.html"} == {path.name for path in FILES}


def test_every_element_id_in_the_code_exists_once(elements):
    ids = [attrs["id"] for _, attrs in elements if "id" in attrs]
    named = set(re.findall(r'\bat\("([^"]+)"\)', (PAGE / "page.js").read_text(encoding="utf-8")))
    for _, attrs in elements:
        named |= {
            word
            for key in ("for", "aria-labelledby", "aria-describedby")
            for word in attrs.get(key, "").split()
        }
    assert len(ids) == len(set(ids)) and named <= set(ids)
