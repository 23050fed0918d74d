"""The DAG under Airflow's scheduler: which tasks run, in which order, and their states.

Airflow is in its own environment (`make airflow`); its database and logs are in the test's folder, and its server
listens on loopback. The tests take minutes and run with TFX_NER_LONG=1 only.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from pipeline.nodes import RESOLVERS
from tests.e2e.program import SMALL_MODEL, TIMEOUT, environment, versions_in
from tests.e2e.synthetic_corpus import write_corpus

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv-airflow" / "bin"
DAG = "tfx_ner_retrain"
TASKS = ["look", "data", "transform", "train", "evaluate", "publish"]
FINAL_STATES = ("success", "failed")


class Airflow:
    """A scheduler, a DAG processor and an API server, with the shipped DAG for a given program, without its schedule."""

    def __init__(self, folder: Path, program: str, settings: Path):
        self.folder, self._runs = folder, 0
        (folder / "dags").mkdir(parents=True)
        dag = (ROOT / "pipeline" / "deploy" / "airflow" / f"{DAG}.py").read_text(encoding="utf-8")
        changes = {
            "/opt/tfx-ner/bin/tfx-ner": program,
            "/etc/tfx-ner/ner.yaml": str(settings),
            '"0 2 * * *"': "None",
        }
        for old, new in changes.items():
            assert dag.count(old) == 1
            dag = dag.replace(old, new)
        (folder / "dags" / f"{DAG}.py").write_text(dag, encoding="utf-8")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._environment = {
            **environment(),
            "PATH": f"{BIN}:/usr/bin:/bin",
            "HOME": str(folder),
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self._port}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        }

    def command(self, *arguments: str) -> None:
        done = subprocess.run(
            [BIN / "airflow", *arguments],
            env=self._environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def running(self):
        """Starts the processes, and ends them on leaving the context."""
        self.command("db", "migrate")
        with contextlib.ExitStack() as started:
            server = (
                "api-server",
                "--host",
                "127.0.0.1",
                "--port",
                str(self._port),
                "--workers",
                "1",
            )
            for arguments in (server, ("dag-processor",), ("scheduler", "--skip-serve-logs")):
                started.enter_context(self._process(*arguments))
            self._wait(lambda: self._select("select 1 from dag where dag_id = ?", DAG))
            self._wait(self._server_listens)
            self.command("dags", "unpause", DAG)
            yield self

    @contextlib.contextmanager
    def _process(self, *arguments: str):
        with (self.folder / f"{arguments[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [BIN / "airflow", *arguments],
                env=self._environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):  # remaining child processes
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _server_listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _wait(self, condition):
        until = time.monotonic() + TIMEOUT
        while not (value := condition()):
            assert time.monotonic() < until, {
                log.name: log.read_text()[-2000:] for log in self.folder.glob("*.log")
            }
            time.sleep(0.5)
        return value

    def _select(self, query: str, *values: str) -> list[tuple]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self.folder / 'airflow.db'}?mode=ro", uri=True)
        ) as database:
            return database.execute(query, values).fetchall()

    def trigger(self) -> tuple[str, dict[str, str]]:
        """Triggers the DAG; returns the final states of the run and of its tasks."""
        self._runs += 1
        name = f"test-{self._runs}"
        self.command("dags", "trigger", DAG, "--run-id", name)
        query = "select state from dag_run where run_id = ? and state in (?, ?)"
        [(state,)] = self._wait(lambda: self._select(query, name, *FINAL_STATES))
        return state, dict(
            self._select("select task_id, state from task_instance where run_id = ?", name)
        )


@pytest.fixture(scope="module", autouse=True)
def _require_airflow():
    if not (BIN / "airflow").exists():
        pytest.skip("Airflow is not installed: make airflow installs it in .venv-airflow")
    if "TFX_NER_LONG" not in os.environ:
        pytest.skip("takes minutes: set TFX_NER_LONG=1")


def test_the_scheduler_runs_one_task_per_step_and_uses_their_exit_codes(tmp_path):
    shutil.copy(Path(__file__).with_name("fake_tfx_ner.py"), tmp_path)
    calls, exit_codes = tmp_path / "calls.jsonl", tmp_path / "exit_codes.json"
    airflow = Airflow(
        tmp_path / "airflow",
        f"{sys.executable} {tmp_path / 'fake_tfx_ner.py'}",
        tmp_path / "ner.yaml",
    )

    def trigger(**codes):
        calls.unlink(missing_ok=True)
        exit_codes.write_text(json.dumps(codes))
        state, tasks = airflow.trigger()
        called = [json.loads(line) for line in calls.read_text().splitlines()]
        return state, [tasks[name] for name in TASKS], called

    with airflow.running():
        state, tasks, called = trigger()
        assert (state, set(tasks)) == ("success", {"success"})
        settings = ["--config", str(tmp_path / "ner.yaml")]
        assert called == [
            ["schedule", "look", *settings],
            *(
                ["schedule", "--once", "--until", node, *settings]
                for node in ("DataGate", "Transform", "Trainer", "TypeGate")
            ),
            ["schedule", "--once", *settings],
        ]
        nothing_new = trigger(look=4)
        assert nothing_new[:2] == ("success", ["skipped"] * 6) and len(nothing_new[2]) == 1
        refused = trigger(**{"--once": 3})
        assert refused[:2] == ("success", [*["success"] * 5, "skipped"])
        bad_data = trigger(DataGate=2)
        assert bad_data[:2] == ("failed", ["success", "failed", *["upstream_failed"] * 4])
        assert len(bad_data[2]) == 2


def test_the_scheduler_runs_the_pipeline_to_a_published_model(tmp_path):
    values = yaml.safe_load(
        (ROOT / "pipeline" / "deploy" / "config" / "ner.yaml").read_text(encoding="utf-8")
    )
    write_corpus(tmp_path / "data" / "span-1")
    (tmp_path / "data" / "span-1" / "_SUCCESS").touch()
    settings = {**values, "data": str(tmp_path / "data"), "workdir": str(tmp_path / "work")}
    for option in SMALL_MODEL:
        group, _, value = option.removeprefix("--set=").partition(".")
        key, _, text = value.partition("=")
        settings.setdefault(group, {})[key] = yaml.safe_load(text)
    (tmp_path / "ner.yaml").write_text(yaml.safe_dump(settings))
    # A copy, because an edit of the sources during the test would change the cache keys.
    for name in ("pipeline", "components", "serving"):
        shutil.copytree(
            ROOT / name, tmp_path / "project" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    program = f"env PYTHONPATH={tmp_path / 'project'} {sys.executable} -m pipeline.cli"
    airflow = Airflow(tmp_path / "airflow", program, tmp_path / "ner.yaml")
    with airflow.running():
        assert airflow.trigger() == ("success", dict.fromkeys(TASKS, "success"))
        assert len(versions_in(tmp_path / "work")) == 1
        assert airflow.trigger() == ("success", dict.fromkeys(TASKS, "skipped"))
    outcomes = [
        json.loads((run / "outcome.json").read_text())
        for run in sorted((tmp_path / "work" / "runs").iterdir())
    ]
    assert [outcome.get("until") for outcome in outcomes] == [
        "DataGate",
        "Transform",
        "Trainer",
        "TypeGate",
        None,
    ]
    ran = [
        node["node"]
        for node in outcomes[-1]["nodes"]
        if not node["cached"] and node["node"] not in RESOLVERS
    ]
    assert ran == ["Pusher", "Report"]
