"""Lengths of time as a user writes them: `90s`, `30m`, `6h`, `1h30m`, `7d`."""

import re

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(text: str) -> int:
    """Parses a length of time into seconds.

    >>> seconds("1h30m"), seconds("7d")
    (5400, 604800)

    Raises ValueError for another text, and for zero.
    """
    found = _LENGTH.fullmatch(text.strip().lower())
    total = (
        sum(int(number or 0) * _SECONDS[unit] for number, unit in zip(found.groups(), _SECONDS))
        if found
        else 0
    )
    if not 0 < total <= 10_000 * _SECONDS["d"]:
        raise ValueError("expected a length of time, as 90s, 30m, 6h, 1h30m or 7d")
    return total


def shown(total: float) -> str:
    """Formats seconds as a length of time, in its two largest units.

    >>> shown(5400), shown(0.4), shown(90061)
    ('1h30m', '0s', '1d1h')
    """
    rest, parts = round(total), []
    for unit, size in _SECONDS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts[:2]) or "0s"
