"""The page of a report: one self-contained HTML file.

`report.html` and `comparison.html` are the templates. `sections` and `comparison` compute what they
show, `axes` places it in the charts, and the functions here format it. Jinja escapes all text of
users (words, types, reasons).
"""

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from components.export.output_formats import STYLESHEET, hue
from components.report.figures import Figures
from components.report.page import axes, comparison, sections

_FOLDER = Path(__file__).parent
_LONGEST_NAME = 200  # characters


def render(figures: Figures) -> str:
    """Returns the report of a run as one HTML file."""
    return _page("report.html", _read("report.js"), figures=figures)


def render_comparison(a: Figures, b: Figures) -> str:
    """Returns the comparison of two runs as one HTML file; differences are `b` minus `a`."""
    return _page("comparison.html", script="", a=a, b=b)


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
        anchor=anchor,
        breakable=breakable,
        count="{:,}".format,
        hue=hue,
        parts=sections.parts,
        percent=percent,
        score="{:.3f}".format,
        seconds=seconds,
        short=lambda text: sections.cut(str(text), _LONGEST_NAME),
        signed=signed,
        tenth=axes.tenth,
        when=lambda time: time[:16].replace("T", " "),  # ISO 8601, to the minute
    )
    jinja.globals.update(
        axes=axes,
        comparison=comparison,
        enumerate=enumerate,
        kinds=sections.KIND_NAMES,
        many=sections.many,
        sections=sections,
        zip=zip,
    )
    return jinja


def anchor(type_: str) -> str:
    """Returns the id of a type's section.

    >>> anchor("PER"), anchor("a b<c>")
    ('type-PER', 'type-a%20b%3Cc%3E')
    """
    return "type-" + quote(type_.encode("utf-8", "replace"), safe="")


def breakable(name: str) -> Markup:
    """Allows line breaks in a name after underscores, hyphens and similar characters.

    >>> breakable("WORK_OF_<ART>")
    Markup('WORK_<wbr>OF_<wbr>&lt;ART&gt;')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[-_./:])(?=.)", sections.cut(name, _LONGEST_NAME)))


def percent(value: float) -> str:
    """Formats a share.

    >>> percent(0.123), percent(0.0012)
    ('12%', '0.1%')
    """
    return f"{value:.1%}" if 0 < value < 0.0995 else f"{value:.0%}"


def seconds(value: float) -> str:
    """Formats a duration.

    >>> seconds(0.04), seconds(61.2), seconds(3725)
    ('0.0 s', '1 min 1 s', '1 h 2 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def signed(value: float, digits: int = 3) -> str:
    """Formats a difference with its sign.

    >>> signed(0.0123), signed(-0.5), signed(0.0)
    ('+0.012', '−0.500', '0.000')
    """
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")
