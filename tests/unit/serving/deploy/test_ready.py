"""The health check script of Compose and systemd, run by the shell of the server's image."""

import shutil
import socket
import subprocess
import threading

import pytest

pytestmark = pytest.mark.skipif(
    not shutil.which("bash"), reason="needs bash, as the server's image has it"
)


@pytest.fixture
def answering():
    """A function that starts a server with a fixed response; returns its port and the requests."""
    sockets = []

    def start(answer):
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        asked = []

        def serve():
            caller, _ = listener.accept()
            with caller:
                # The shell sends line by line; closing the connection before its last line would reset it.
                asked.append("".join(iter(caller.makefile(newline="").readline, "\r\n")))
                caller.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], asked

    yield start
    for listener in sockets:
        listener.close()


def ready(deploy, *arguments):
    command = ["bash", str(deploy / "config/ready.sh"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=20).returncode == 0


@pytest.mark.parametrize(
    "answer, expected",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}", True),
        (b"HTTP/1.0 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n200", False),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", False),
        (b"220 200 ready\r\n", False),
    ],
    ids=["ready", "ready, HTTP/1.0", "no model", "too busy", "hangs up", "another program"],
)
def test_ready_reports_whether_the_model_is_available(deploy, answering, answer, expected):
    port, asked = answering(answer)
    assert ready(deploy, "tagger", port) == expected
    assert asked[0].startswith("GET /v1/models/tagger/metadata HTTP/1.0\r\n")


def test_a_closed_port_is_not_ready(deploy):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not ready(deploy, "ner", port)
