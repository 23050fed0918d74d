"""Where the starter corpus and its contract lie: in a checkout, or in an installed wheel."""

from pathlib import Path

from components.errors import UserError

_PLACES = (Path(__file__).resolve().parent.parent, Path(__file__).resolve().parent / "shipped")


def corpus() -> Path:
    """The folder of the starter corpus."""
    return _find(Path("data") / "starter")


def schema() -> Path:
    """The contract of the starter corpus."""
    return _find(Path("schema") / "starter.pbtxt")


def _find(path: Path) -> Path:
    for place in _PLACES:
        if (place / path).exists():
            return place / path
    raise UserError(f"{path} is not part of this installation; name a corpus with --data")
