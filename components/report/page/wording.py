"""Formats numbers, names and times for the page."""

import re

from markupsafe import Markup


def score(value: float) -> str:
    """Formats a score from 0 to 1.

    >>> score(0.92345), score(1.0)
    ('0.923', '1.000')
    """
    return f"{value:.3f}"


def signed(value: float, digits: int = 3) -> str:
    """Formats a difference with its sign.

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
    """Formats a count with thousands separators."""
    return f"{value:,}"


def many(number: int, singular: str, plural: str = "") -> str:
    """Formats a count with its noun.

    >>> many(1, "sentence"), many(1200, "entity", "entities")
    ('1 sentence', '1,200 entities')
    """
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def seconds(value: float) -> str:
    """Formats a duration.

    >>> seconds(0.04), seconds(61.2), seconds(3725)
    ('0.0 s', '1 min 1 s', '1 h 2 min')
    """
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def breakable(name: str) -> Markup:
    """Allows line breaks in a name after underscores, hyphens and similar characters.

    >>> breakable("WORK_OF_<ART>")
    Markup('WORK_<wbr>OF_<wbr>&lt;ART&gt;')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[-_./:])(?=.)", cut(name, 200)))


def when(time: str) -> str:
    """Formats an ISO 8601 time to the minute."""
    return time[:16].replace("T", " ")


def cut(text: str, limit: int) -> str:
    """Shortens a text to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
