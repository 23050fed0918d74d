"""Classes of sentence length, by which scores are sliced."""

_CLASSES = ((10, "up to 10 tokens"), (25, "11 to 25 tokens"), (50, "26 to 50 tokens"))
_LONGER = "over 50 tokens"
CLASSES = (*(name for _, name in _CLASSES), _LONGER)


def length_class(tokens: int) -> str:
    """The class of a sentence of so many tokens."""
    return next((name for most, name in _CLASSES if tokens <= most), _LONGER)
