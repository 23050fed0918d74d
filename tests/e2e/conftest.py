"""Scenarios and fixtures that the end-to-end tests share.

One run of the pipeline takes a minute or two, so tests share runs. A module's `SCENARIOS` are functions that run the
program several times and return the results; the module's tests check those results. Scenarios start with the
session, `MAX_CONCURRENT` at a time.
"""

import shutil
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.program import CommandResult, Program
from tests.e2e.synthetic_corpus import write_corpus

ROOT = Path(__file__).resolve().parents[2]
MAX_CONCURRENT = 2


@dataclass(frozen=True)
class FirstRun:
    """A run in a new workdir that several scenarios start from."""

    program: Program
    data: Path
    work: Path
    result: CommandResult
    version: Path
    """A copy of the published version."""
    temporary_files: list[str]
    """Names of the files that the run left in the temporary folder."""


class ScenarioContext:
    """A scenario's own folders, a program with an editable copy of the sources, and the shared first run."""

    def __init__(self, folder: Path, first=None):
        self.folder, self.temporary, self.first = folder, folder / "temporary", first
        self.temporary.mkdir(parents=True)
        self.program = Program(folder / "project", TMPDIR=str(self.temporary))
        for name in ("pipeline", "components", "serving"):
            shutil.copytree(
                ROOT / name, folder / "project" / name, ignore=shutil.ignore_patterns("__pycache__")
            )

    def make_corpus(self, name: str, **options) -> Path:
        """Writes a small corpus with the options of `write_corpus` and returns its folder."""
        return write_corpus(self.folder / name, **options)


class ScenarioRunner:
    """Runs the scenarios of `modules` in a thread pool."""

    def __init__(self, folder: Path, modules):
        self._folder, self._lock, self._first = folder, threading.Lock(), None
        self._pool = ThreadPoolExecutor(MAX_CONCURRENT)
        self._futures: dict[tuple[str, str], Future] = {}
        for module in modules:
            for name, scenario in module.SCENARIOS.items():
                context = ScenarioContext(
                    folder / f"{module.__name__.rpartition('.')[2]}-{name}", self.first
                )
                self._futures[module.__name__, name] = self._pool.submit(scenario, context)

    def first(self) -> FirstRun:
        """Returns the shared first run; the first caller executes it while the others wait."""
        with self._lock:
            if self._first is None:
                context = ScenarioContext(self._folder / "first")
                data, work, version = (
                    context.make_corpus("data"),
                    context.folder / "work",
                    context.folder / "published",
                )
                result = context.program.run(data, work)
                assert result.versions, result
                shutil.copytree(
                    work / "serving" / "ner" / result.versions[0], version / result.versions[0]
                )
                temporary_files = sorted(path.name for path in context.temporary.iterdir())
                self._first = FirstRun(
                    context.program,
                    data,
                    work,
                    result,
                    version / result.versions[0],
                    temporary_files,
                )
            return self._first

    def result(self, module, name: str):
        """Waits for a scenario and returns its result; fails the test if the scenario raised."""
        future = self._futures[module.__name__, name]
        error = future.exception()
        if error:
            pytest.fail(f"the scenario {name!r} failed: {error!r}", pytrace=False)
        return future.result()

    def stop(self) -> None:
        """Cancels waiting scenarios and kills the processes of the running ones."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        Program.kill_all()


@pytest.fixture(scope="session")
def scenarios(request, tmp_path_factory):
    modules = dict.fromkeys(
        item.module for item in request.session.items if hasattr(item.module, "SCENARIOS")
    )
    runner = ScenarioRunner(tmp_path_factory.mktemp("scenarios"), modules)
    yield runner
    runner.stop()


@pytest.fixture(scope="session", autouse=True)
def _start_scenarios(scenarios):
    """Starts the scenarios with the session, whichever test is first."""


@pytest.fixture
def scenario_result(request, scenarios):
    """A function that returns the result of the test module's scenario of a given name."""
    return lambda name: scenarios.result(request.module, name)


@pytest.fixture(scope="session")
def seqeval_scores():
    """A function that computes seqeval's scores of a file written by `evaluate --predictions`."""
    from seqeval.metrics import classification_report

    def scores_of(path):
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
        renamed = {"f1-score": "f1"}
        scores = {
            name: {renamed.get(key, key): round(float(value), 4) for key, value in values.items()}
            for name, values in report.items()
        }
        overall = scores.pop("micro avg")
        for average in ("macro avg", "weighted avg"):
            scores.pop(average)
        return {"overall": overall, "per_type": scores}

    return scores_of


@pytest.fixture(scope="session")
def round_scores():
    """A function that rounds the scores of `evaluate --json` or of outcome.json to four decimals."""

    def rounded(figures):
        return {
            "overall": {part: round(value, 4) for part, value in figures["overall"].items()},
            "per_type": {
                name: {part: round(value, 4) for part, value in scores.items()}
                for name, scores in figures["per_type"].items()
            },
        }

    return rounded
