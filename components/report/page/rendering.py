"""Renders a report's figures as HTML. Jinja escapes all text of users (words, types, reasons)."""

import base64
import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from components.export.output_formats import STYLESHEET, hue
from components.report.figures import Figures
from components.report.page import axes, comparison, sections, wording
from components.report.page.highlights import KIND_NAMES, highlights
from components.report.page.sentences import parts

_FOLDER = Path(__file__).parent
_LONGEST_NAME = 200  # characters


def render(figures: Figures) -> str:
    """Returns the report of a run as one HTML file."""
    return _page(
        "report.html", figures=figures, highlights=highlights(figures), script=_read("report.js")
    )


def render_comparison(a: Figures, b: Figures) -> str:
    """Returns the comparison of two runs as one HTML file; differences are `b` minus `a`."""
    return _page("comparison.html", a=a, b=b, script="")


def _page(template: str, script: str, **values: object) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html = (
        environment()
        .get_template(template)
        .render(
            style=Markup(STYLESHEET.read_text(encoding="utf-8") + _read("report.css")),
            script=Markup(script),
            script_source=f"'sha256-{digest}'" if script else "'none'",
            **values,
        )
    )
    # Tokens may hold unpaired surrogates (from JSON) and NUL, which are not allowed in HTML.
    return html.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Returns the environment of the templates, with the filters and modules that they use."""
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters.update(
        {
            name: getattr(wording, name)
            for name in ("breakable", "count", "percent", "score", "seconds", "signed", "when")
        },
        anchor=anchor,
        hue=hue,
        parts=parts,
        tenth=axes.tenth,
        short=lambda text: wording.cut(str(text), _LONGEST_NAME),
    )
    jinja.globals.update(
        axes=axes,
        comparison=comparison,
        enumerate=enumerate,
        sections=sections,
        zip=zip,
        kinds=KIND_NAMES,
        many=wording.many,
    )
    return jinja


def anchor(type_: str) -> str:
    """Returns the id of a type's section.

    >>> anchor("PER"), anchor("a b<c>")
    ('type-PER', 'type-a%20b%3Cc%3E')
    """
    return "type-" + quote(type_.encode("utf-8", "replace"), safe="")
