"""What the tests of whole runs share.

A run takes a minute or two, so tests share them. A module's `STORIES` are functions that run the program several times
over and keep what came of each; its tests look at what they kept. Two stories run at a time, from the session's start.
"""

import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.made_corpus import write_corpus
from tests.e2e.program import Program, Result

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2


@dataclass(frozen=True)
class FirstRun:
    """A run in a new workdir, which two stories begin with; `version` is a copy of what it published, `left_over` what it left in
    the temporary folder.
    """

    program: Program
    data: Path
    work: Path
    result: Result
    version: Path
    left_over: list[str]


class Teller:
    """What a story works with: a folder of its own, one for what is temporary, the program, from a copy of its sources that it may
    edit, and the first run that others have made or it makes for them.
    """

    def __init__(self, folder: Path, first=None):
        self.folder, self.temporary, self.first = folder, folder / "temporary", first
        self.temporary.mkdir(parents=True)
        self.program = Program(folder / "project", TMPDIR=str(self.temporary))
        for name in ("pipeline", "components", "serving"):
            shutil.copytree(
                ROOT / name, folder / "project" / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    def corpus(self, name: str, **particulars) -> Path:
        """A small corpus of that name: see `write_corpus`."""
        return write_corpus(self.folder / name, **particulars)


class _Stories:
    def __init__(self, folder: Path, modules):
        self._folder, self._lock, self._first = folder, threading.Lock(), None
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._told: dict[tuple[str, str], Future] = {}
        for module in modules:
            for name, story in module.STORIES.items():
                teller = Teller(folder / f"{module.__name__.rpartition('.')[2]}-{name}", self.first)
                self._told[module.__name__, name] = self._pool.submit(story, teller)

    def first(self) -> FirstRun:
        """The first run, made by whoever asks first while the others wait."""
        with self._lock:
            if self._first is None:
                teller = Teller(self._folder / "first")
                data, work, version = (
                    teller.corpus("data"),
                    teller.folder / "work",
                    teller.folder / "published",
                )
                result = teller.program.run(data, work)
                assert result.versions, result
                shutil.copytree(
                    work / "serving" / "ner" / result.versions[0], version / result.versions[0]
                )
                left_over = sorted(path.name for path in teller.temporary.iterdir())
                self._first = FirstRun(
                    teller.program, data, work, result, version / result.versions[0], left_over
                )
            return self._first

    def told(self, module, name: str):
        """What a story kept; waits for its end."""
        error = self._told[module.__name__, name].exception()
        if error:
            pytest.fail(f"the story was not told to its end: {error!r}", pytrace=False)
        return self._told[module.__name__, name].result()

    def stop(self) -> None:
        """Ends what still runs, where the tests were stopped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        Program.kill_all()


@pytest.fixture(scope="session")
def stories(request, tmp_path_factory):
    modules = dict.fromkeys(
        item.module for item in request.session.items if hasattr(item.module, "STORIES")
    )
    stories = _Stories(tmp_path_factory.mktemp("stories"), modules)
    yield stories
    stories.stop()


@pytest.fixture(scope="session", autouse=True)
def begun(stories):
    """Stories begin with the session, whichever test comes first."""


@pytest.fixture
def told(request, stories):
    """What the story of that name kept; each module has its own stories."""
    return lambda name: stories.told(request.module, name)


@pytest.fixture(scope="session")
def seqeval_figures():
    """Reads a file that `evaluate --predictions` wrote, and gives its figures as seqeval counts them."""
    from seqeval.metrics import classification_report

    def figures(path):
        gold, predicted = [[]], [[]]
        for line in Path(path).read_text(encoding="utf-8").split("\n"):
            columns = line.split("\t")
            if len(columns) == 3 and columns[0] != "-DOCSTART-":
                gold[-1].append(columns[1])
                predicted[-1].append(columns[2])
            elif gold[-1]:
                gold.append([])
                predicted.append([])
        report = classification_report(gold, predicted, output_dict=True, zero_division=0)
        named = {"f1-score": "f1"}
        scores = {
            name: {named.get(part, part): round(float(value), 4) for part, value in values.items()}
            for name, values in report.items()
        }
        overall = scores.pop("micro avg")
        for average in ("macro avg", "weighted avg"):
            scores.pop(average)
        return {"overall": overall, "per_type": scores}

    return figures


@pytest.fixture(scope="session")
def rounded():
    """The figures of `evaluate --json`, or of an outcome, to four decimals."""

    def to_four(figures):
        return {
            "overall": {part: round(value, 4) for part, value in figures["overall"].items()},
            "per_type": {
                name: {part: round(value, 4) for part, value in scores.items()}
                for name, scores in figures["per_type"].items()
            },
        }

    return to_four
