"""Lengths of time as a user writes them: `90s`, `30m`, `6h`, `1h30m`, `7d`."""

import re

_SECONDS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LENGTH = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds(text: str) -> int:
    """The seconds of a length of time.

    >>> seconds("1h30m"), seconds("7d")
    (5400, 604800)

    Raises ValueError for any other text, and for zero.
    """
    match = _LENGTH.fullmatch(text.strip().lower())
    amounts = match.groups() if match else ()
    total = sum(int(amount or 0) * size for amount, size in zip(amounts, _SECONDS.values()))
    if not 0 < total <= 10_000 * _SECONDS["d"]:
        raise ValueError("expected a length of time, as 90s, 30m, 6h, 1h30m or 7d")
    return total


def shown(total: float) -> str:
    """Seconds as a length of time, in its two largest units.

    >>> shown(5400), shown(0.4), shown(90061)
    ('1h30m', '0s', '1d1h')
    """
    rest, parts = round(total), []
    for unit, size in _SECONDS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts[:2]) or "0s"
