"""Numbers as patterns ask for them.

{2-40}            a whole number, evenly
{0.5-9.5}         as many decimals as the bounds show
{5-95/5}          in steps
{1000-90000,}     with commas between thousands
{~100-5000000,}   of any size between, the smaller the likelier, mostly round
{w2-12}           in words
{d:A00.0}         a code: A is a capital letter, 0 a digit, all else itself
"""

from __future__ import annotations

import re

from .dice import Dice

RANGE = re.compile(r"(~?)(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)(?:/(\d+))?(,?)")
WORDS = re.compile(r"w(\d+)-(\d+)")
# I and O are left out: codes avoid them, since they are read as 1 and 0.
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def numeral(form: str, dice: Dice) -> str | None:
    """The number a call asks for; None where the call is not about a number."""
    if form.startswith("d:"):
        return "".join(_character(character, dice) for character in form[2:])
    if found := WORDS.fullmatch(form):
        return in_words(dice.between(int(found[1]), int(found[2])))
    found = RANGE.fullmatch(form)
    if not found:
        return None
    wide, low, high, step, commas = found.groups()
    decimals = len(low.partition(".")[2])
    scale = 10**decimals
    first, last = int(low.replace(".", "")), int(high.replace(".", ""))
    if wide:
        value = _wide(first, last, dice)
    else:
        width = int(step) if step else 1
        value = first + width * dice.between(0, (last - first) // width)
    whole = f"{value // scale:,}" if commas else str(value // scale)
    return f"{whole}.{value % scale:0{decimals}d}" if decimals else whole


def in_words(value: int) -> str:
    """42 -> 'forty-two', for 0 to 99."""
    if value < 20:
        return ONES[value]
    return TENS[value // 10] + (f"-{ONES[value % 10]}" if value % 10 else "")


def _wide(first: int, last: int, dice: Dice) -> int:
    """First how many digits, then which.

    Whole numbers only: a logarithm may differ in its last bit between machines.
    """
    while True:
        digits = dice.between(len(str(first)), len(str(last)))
        kept = min(digits, dice.choice((1, 2, 2, 3, 3, 4)))
        value = dice.between(10 ** (kept - 1), 10**kept - 1) * 10 ** (digits - kept)
        if first <= value <= last:
            return value


def _character(character: str, dice: Dice) -> str:
    if character == "A":
        return dice.choice(LETTERS)
    return str(dice.between(0, 9)) if character == "0" else character
