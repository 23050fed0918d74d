"""SIGKILL at random moments of runs, rollbacks and prunings, each followed by a restart.

`KILLS` in the environment says how many, `KILLS_SEED` at which moments.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from components.publishing import versions
from pipeline.history.verify import verify
from tests.unit.history.run_history import RunHistory

ROOT = Path(__file__).resolve().parents[3]


def started(root, weights):
    command = [sys.executable, "-m", "tests.unit.history.kill_target", str(root), str(weights)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    return process


def ended(process):
    _, output = process.communicate(timeout=300)
    assert process.returncode == 0, output


def test_kills_at_any_moment_leave_no_faults_and_no_incomplete_version(tmp_path):
    chance = random.Random(int(os.environ.get("KILLS_SEED", "1")))
    began = time.monotonic()
    ended(started(tmp_path, "first"))
    ended(started(tmp_path, "second"))
    whole = (time.monotonic() - began) / 2
    history, broken, done = RunHistory(tmp_path), set(), threading.Event()
    live = history.workdir.serving

    def is_broken(version):
        try:
            return bool(versions.missing_parts(version)) and version.is_dir()
        except FileNotFoundError:
            return False  # it was withdrawn meanwhile

    def look():
        while not done.is_set():
            serves = live / str(max(versions.versions(live), default="none"))
            # Checked twice, because a version may be withdrawn and restored between two reads.
            if is_broken(serves) and is_broken(serves) or serves.name == "none":
                broken.add(serves.name)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for weights in range(int(os.environ.get("KILLS", "3"))):
            process = started(tmp_path, weights)
            time.sleep(chance.uniform(0, whole))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            ended(started(tmp_path, weights))
            assert verify(history.store, history.workdir).faults == ()
            versions_now = [
                history.workdir.versions.place(number) for number in history.workdir.versions.all
            ]
            models = [(version / "saved_model.pb").read_text() for version in versions_now]
            assert len(models) == len(set(models)) and str(weights) in models
    finally:
        done.set()
        looking.join()
    assert broken == set()
