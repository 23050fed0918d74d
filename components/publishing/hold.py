"""A hold: since a rollback, nothing goes live by itself. It is a file beside the withdrawn versions. Plain Python."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

from components import atomic_io
from components.errors import UserError

_FILE = ".hold.json"


@dataclass(frozen=True)
class Hold:
    """`left` is the version that was rolled back, `kept` the one that serves since; `at` is ISO 8601, `by` a user's name."""

    left: int
    kept: int
    at: str
    by: str
    because: str

    def __str__(self) -> str:
        why = f" ({self.because})" if self.because else ""
        return f"held since the rollback from {self.left} to {self.kept} on {self.at} by {self.by}{why}"


def read(withdrawn: Path) -> Optional[Hold]:
    """The hold that is in force, None if there is none. Raises UserError for a file that cannot be read."""
    path = withdrawn / _FILE
    try:
        return Hold(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot read the hold ({error}); look at `tfx-ner models list`, and remove the file if nothing is held"
        ) from None


def put(withdrawn: Path, hold: Hold) -> None:
    """Puts a hold in force."""
    atomic_io.write_text(
        withdrawn / _FILE, json.dumps(asdict(hold), ensure_ascii=False, indent=1) + "\n"
    )


def lift(withdrawn: Path) -> None:
    """Lifts the hold, if there is one."""
    (withdrawn / _FILE).unlink(missing_ok=True)
