"""Figures and names as the page writes them."""

import re

from markupsafe import Markup


def score(value: float) -> str:
    """A score from 0 to 1.

    >>> score(0.92345), score(1.0)
    ('0.923', '1.000')
    """
    return f"{value:.3f}"


def signed(value: float, digits: int = 3) -> str:
    """A difference with its sign.

    >>> signed(0.0123), signed(-0.5), signed(0.0)
    ('+0.012', '−0.500', '0.000')
    """
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")


def percent(value: float) -> str:
    """A share.

    >>> percent(0.123), percent(0.0012)
    ('12%', '0.1%')
    """
    return f"{value:.1%}" if 0 < value < 0.0995 else f"{value:.0%}"


def count(value: int) -> str:
    """A count, thousands apart."""
    return f"{value:,}"


def many(number: int, one: str, several: str = "") -> str:
    """A count of things.

    >>> many(1, "sentence"), many(1200, "entity", "entities")
    ('1 sentence', '1,200 entities')
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def seconds(value: float) -> str:
    """A time.

    >>> seconds(0.04), seconds(61.2), seconds(3725)
    ('0.0 s', '1 min 1 s', '1 h 2 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def breakable(name: str) -> Markup:
    """A name that may go on in a new line behind its underscores, hyphens and the like.

    >>> breakable("WORK_OF_<ART>")
    Markup('WORK_<wbr>OF_<wbr>&lt;ART&gt;')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[-_./:])(?=.)", cut(name, 200)))


def when(moment: str) -> str:
    """A moment in ISO 8601, to the minute."""
    return moment[:16].replace("T", " ")


def cut(text: str, longest: int) -> str:
    """The text, its end left out where it is longer than `longest` characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
