"""The hold that a rollback sets: until it is lifted, no run puts a version live.

It is a file in the folder of withdrawn versions.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from components import atomic_io
from components.errors import UserError

_FILE = ".hold.json"


@dataclass(frozen=True)
class Hold:
    """A rollback by `tfx-ner models rollback`."""

    left: int  # the version that was rolled back
    kept: int  # the version that serves since
    at: str  # ISO 8601
    by: str  # the user
    reason: str  # "" if no reason was given

    def __str__(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        versions = f"from {self.left} to {self.kept}"
        return f"held since the rollback {versions} on {self.at} by {self.by}{why}"


def load(withdrawn: Path) -> Hold | None:
    """The hold in force, or None. Raises UserError if the file cannot be read."""
    path = withdrawn / _FILE
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if "because" in fields:  # as earlier releases wrote it
            fields["reason"] = fields.pop("because")
        return Hold(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: cannot read the hold ({error}); look at `tfx-ner models list`, and remove the"
            " file if nothing is held"
        ) from None


def put(withdrawn: Path, hold: Hold) -> None:
    """Writes a hold."""
    atomic_io.write_text(
        withdrawn / _FILE, json.dumps(asdict(hold), ensure_ascii=False, indent=1) + "\n"
    )


def lift(withdrawn: Path) -> None:
    """Removes the hold, if there is one."""
    (withdrawn / _FILE).unlink(missing_ok=True)
