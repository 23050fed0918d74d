"""A standalone Flink cluster with Beam's job server, one process per component, on three hosts.

The first host runs the JobManager and the job server; the second and the third each run a TaskManager and a worker
pool, which the TaskManager reaches as localhost. The hosts are network namespaces on an isolated bridge, so that
components that listen on every interface, such as worker pools, cannot be reached from outside. The output of each
component is in NAME.log.

`python -m tests.flink.cluster DIR` starts a cluster, prints the settings for it, and ends it at Ctrl-C or SIGTERM.
"""

import contextlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JARS = ROOT / ".flink"
BOOT = JARS / "boot"
REST, JOBS, ARTIFACTS, POOL = 8081, 8099, 8098, 50000  # the hosts are new, so every port is free
_CLASS_PATH = f"{JARS / 'job-server'}/*{os.pathsep}{JARS / 'flink'}/*"
TIMEOUT = 240  # seconds until all components are up; enough on a busy machine

# The packages that Flink's start scripts open in Java 17.
_OPEN_PACKAGES = (
    "java.lang",
    "java.lang.reflect",
    "java.net",
    "java.io",
    "java.nio",
    "java.text",
    "java.time",
    "java.util",
)
_OPEN_PACKAGES += (
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "java.util.concurrent.locks",
    "sun.nio.ch",
)

_SLOTS = 4  # of both TaskManagers

# A TaskManager takes up to 4.6 GB. For a million sentences, Transform needs more than 640 MB of heap and more than
# 512 MB of direct memory, which holds gRPC's messages from the workers. Flink's start scripts would compute these
# settings. Beam's graphs are wide, so the default of hundreds of buffers per edge would exceed the network memory.
_TASK_MANAGER = {
    "taskmanager.numberOfTaskSlots": str(_SLOTS // 2),
    "taskmanager.cpu.cores": "2",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.heap.size": "2048m",
    "taskmanager.memory.task.off-heap.size": "1536m",
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "taskmanager.memory.managed.size": "128m",
    "taskmanager.memory.jvm-metaspace.size": "384m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
    "taskmanager.network.sort-shuffle.min-buffers": "16",
}


def missing() -> str:
    """The reason why a cluster cannot be started; "" if it can."""
    if not shutil.which("java"):
        return "java is not on the PATH"
    if not (JARS / "setup.stamp").exists():
        return f"{JARS.name} has no Flink; make flink fetches it"
    if not BOOT.exists():
        return f"{JARS.name} has no boot program of Beam's; make flink builds it where there is Go"
    name = f"ner{os.getpid()}x"
    probe = (
        subprocess.run(["ip", "netns", "add", name], capture_output=True)
        if shutil.which("ip")
        else None
    )
    if not probe or probe.returncode:
        return "no permission to create network namespaces (ip netns add)"
    subprocess.run(["ip", "netns", "delete", name], check=True)
    return ""


class Cluster:
    """A context manager that starts and ends the cluster.

    Args:
      folder: for logs and the cluster's files.
      parallelism: the number of subtasks of a stage. With more subtasks than slots, each shuffle is written
        completely before it is read, so that subtasks can run one after another.
    """

    def __init__(self, folder: Path, parallelism: int = 2):
        self.folder, self._parallelism = folder, parallelism
        self.processes: dict[str, subprocess.Popen] = {}
        self._network = f"10.87.{os.getpid() % 256}"
        self._names = [f"ner{os.getpid()}h{index}" for index in range(3)]
        self._bridge = f"ner{os.getpid()}b"

    def __enter__(self) -> "Cluster":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._make_hosts()
            configuration = self.folder / "configuration"
            configuration.mkdir(exist_ok=True)
            (configuration / "config.yaml").write_text("{}\n", encoding="utf-8")
            self._start(
                "jobmanager",
                0,
                self._java("512m", "runtime.entrypoint.StandaloneSessionClusterEntrypoint"),
            )
            for number in (1, 2):
                self.start_task_manager(number)
                self.start_workers(number)
            self._start("job-server", 0, self._job_server())
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        for name in tuple(self.processes):
            self.kill(name)
        for name in self._names:
            # A namespace and its virtual cable disappear with the last process in it, which may take a moment.
            subprocess.run(["ip", "link", "delete", f"{name}v"], capture_output=True)
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)
        subprocess.run(["ip", "link", "delete", self._bridge], capture_output=True)

    @property
    def options(self) -> list[str]:
        """The Beam options for the cluster."""
        head = f"{self._network}.1"
        return [
            f"--flink_master={head}:{REST}",
            f"--job_endpoint={head}:{JOBS}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{POOL}",
            f"--parallelism={self._parallelism}",
            *(["--execution_mode_for_batch=BATCH_FORCED"] if self._parallelism > _SLOTS else []),
            f"--setup_file={ROOT / 'setup.py'}",
            "--environment_cache_millis=60000",  # workers are reused by the next stage
        ]

    @property
    def settings(self) -> list[str]:
        """The tfx-ner settings for the cluster."""
        return ["--set=beam.runner=flink", f"--set=beam.options={json.dumps(self.options)}"]

    def overview(self) -> dict:
        """Flink's overview, for example `taskmanagers` and `jobs-running`; empty while Flink does not respond."""
        address = f"http://{self._network}.1:{REST}/overview"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)
        return {}

    def kill(self, name: str) -> None:
        """Sends SIGKILL to a component's process group."""
        process = self.processes.pop(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def start_task_manager(self, number: int) -> None:
        host = {"taskmanager.host": f"{self._network}.{number + 1}", **_TASK_MANAGER}
        command = self._java(
            "2176m", "runtime.taskexecutor.TaskManagerRunner", host, "-XX:MaxDirectMemorySize=1920m"
        )
        self._start(f"taskmanager-{number}", number, command)

    def start_workers(self, number: int) -> None:
        """Starts a worker pool whose folder and environment do not contain the project."""
        semi_persistent = self.folder / f"workers-{number}"
        python = semi_persistent / "environment" / "bin" / "python"
        if not python.exists():
            _make_environment(python.parents[1])
        boot = semi_persistent / "boot"
        boot.write_text(
            f'#!/bin/sh\nexec "{BOOT}" -semi_persist_dir "{semi_persistent}" "$@" >&2\n',
            encoding="utf-8",
        )
        boot.chmod(0o755)
        command = [python, "-m", "apache_beam.runners.worker.worker_pool_main"]
        command += ["--service_port", POOL, "--container_executable", boot]
        self._start(f"workers-{number}", number, command, semi_persistent)

    def _make_hosts(self) -> None:
        def ip(*words):
            subprocess.run(["ip", *words], check=True, capture_output=True)

        ip("link", "add", self._bridge, "type", "bridge")
        ip("address", "add", f"{self._network}.254/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")
        for number, name in enumerate(self._names, 1):
            ip("netns", "add", name)
            ip("link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}v", "master", self._bridge, "up")
            ip("-n", name, "address", "add", f"{self._network}.{number}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                ip("-n", name, "link", "set", device, "up")

    def _java(self, memory: str, program: str, more: dict | None = None, *flags: str) -> list:
        head = f"{self._network}.1"
        settings = {
            "jobmanager.rpc.address": head,
            "rest.address": head,
            "rest.bind-address": head,
            "io.tmp.dirs": str(self.folder / "flink"),
            "cluster.evenly-spread-out-slots": "true",
            # Beam's jars are in Flink's class path as well; loaded child-first, workers would end with each stage.
            "classloader.resolve-order": "parent-first",
            # Milliseconds until a lost TaskManager is noticed.
            "heartbeat.interval": "3000",
            "heartbeat.timeout": "30000",
            # Without it, an out-of-memory error in a gRPC thread fails no task, and the job waits forever.
            "cluster.uncaught-exception-handling": "FAIL",
            **(more or {}),
        }
        command = [
            *_virtual_machine(memory),
            *flags,
            "-cp",
            _CLASS_PATH,
            f"org.apache.flink.{program}",
        ]
        return [
            *command,
            "-c",
            self.folder / "configuration",
            *(word for item in settings.items() for word in ("-D", "=".join(item))),
        ]

    def _job_server(self) -> list:
        return [
            *_virtual_machine("768m"),
            "-cp",
            _CLASS_PATH,
            "org.apache.beam.runners.flink.FlinkJobServerDriver",
            f"--job-host={self._network}.1",
            f"--job-port={JOBS}",
            f"--artifact-port={ARTIFACTS}",
            "--expansion-port=0",
            f"--flink-master={self._network}.1:{REST}",
            f"--artifacts-dir={self.folder / 'artifacts'}",
        ]

    def _start(self, name: str, host: int, command: list, folder: Path | None = None) -> None:
        inside = ["ip", "netns", "exec", self._names[host]]
        folder = folder or self.folder
        path = f"{folder / 'environment' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        inherited = {
            key: os.environ[key] for key in ("HOME", "LANG", "TMPDIR") if key in os.environ
        }
        environment = {
            **inherited,
            "PATH": path,
            # Otherwise boot would create another environment, without the locked dependencies.
            "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1",
            # pip builds the project from installed packages only, because the hosts reach no registry.
            "PIP_NO_BUILD_ISOLATION": "false",
            "PIP_NO_INDEX": "true",
            "PIP_NO_DEPS": "true",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*inside, *map(str, command)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _wait(self) -> None:
        began = time.monotonic()
        while self.overview().get("taskmanagers") != 2 or not self._log_contains(
            "job-server", "Job server now running"
        ):
            exited = [
                name for name, process in self.processes.items() if process.poll() is not None
            ]
            if exited or time.monotonic() - began > TIMEOUT:
                raise RuntimeError(
                    f"the cluster did not come up: {exited or 'too slow'}; its logs are in {self.folder}"
                )
            time.sleep(0.5)

    def _log_contains(self, name: str, text: str) -> bool:
        return text in (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")


def _make_environment(folder: Path) -> None:
    """Creates a worker's environment with the locked dependencies and without the project."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    # Python does not read .pth files in a folder that a .pth file adds, so the project, a .pth file in .venv, is left out.
    stack = Path(importlib.metadata.distribution("apache-beam").locate_file("")).resolve()
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site_packages = subprocess.check_output(
        [folder / "bin" / "python", "-c", script], text=True
    ).strip()
    Path(site_packages, "stack.pth").write_text(f"{stack}\n", encoding="utf-8")


def _virtual_machine(memory: str) -> list[str]:
    open_packages = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in _OPEN_PACKAGES]
    return [
        "java",
        f"-Xmx{memory}",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        *open_packages,
    ]


if __name__ == "__main__":
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: sys.exit())
    with Cluster(Path(sys.argv[1]).resolve()) as cluster:
        print(*cluster.settings, sep="\n", flush=True)
        signal.pause()
