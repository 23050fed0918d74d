"""What the scheduler remembers, in `WORKDIR/schedule/state.json`: how the last runs ended, what is in flight, what is due."""

import datetime
import os
from pathlib import Path
from typing import Literal, Optional

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.exits import BAD_INPUT, DONE, REFUSED
from pipeline.schedule.inputs import Inputs
from pipeline.schedule.processes import Process

# As hooks are called; "" for a run that had nothing to do, of which nobody is told.
Event = Literal["success", "failure", "refusal", ""]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True)


class Flight(_Kept):
    """A run that was started, and of whose end nothing is known yet; `runs` are the names of the folders of those before it,
    `versions` those of the published models.
    """

    because: str
    began: datetime.datetime
    log: str
    runs: tuple[str, ...]
    versions: tuple[str, ...]
    inputs: Inputs
    process: Optional[Process] = None


class Ended(_Kept):
    """How a run ended: its exit code, and what hooks are told. `held` says that the gate let the model through, and that it must not
    serve all the same; `until` is the node after which it was to stop, "" for none; `inputs` are None if not even these could be
    found out.
    """

    code: int
    event: Event
    because: str
    began: datetime.datetime
    seconds: float
    reason: str = ""
    run: str = ""
    version: str = ""
    f1: Optional[float] = None
    held: bool = False
    until: str = ""
    log: str = ""
    inputs: Optional[Inputs] = None

    @property
    def finished(self) -> bool:
        """Whether it came to where it was to go."""
        return self.code in (DONE, REFUSED)

    @property
    def whole(self) -> bool:
        """Whether it came to its end, with a model published or refused: then nothing is new until something changes."""
        return self.finished and not self.until

    @property
    def bad_input(self) -> bool:
        """Whether to try it again makes no sense."""
        return self.code == BAD_INPUT


class State(_Kept):
    """`done` is the last run that came to its end, `last` the last one however it ended; `due` is the next time of `times`."""

    done: Optional[Ended] = None
    last: Optional[Ended] = None
    flight: Optional[Flight] = None
    times: str = ""
    due: Optional[datetime.datetime] = None


def read(file: Path) -> State:
    """The state, an empty one where there is none or none that can be understood: then there is a run too many at most."""
    try:
        return State.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return State()


def write(state: State, file: Path) -> None:
    """Keeps the state: beside, then renamed, so that it is there whole whenever the machine stops."""
    partial = file.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        out.write(state.model_dump_json(indent=1) + "\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
