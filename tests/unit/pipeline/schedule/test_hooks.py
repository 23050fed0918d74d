"""Hooks: the input of commands and webhooks, and their failures."""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from components.errors import UserError
from pipeline import config
from pipeline.schedule import hooks

FACTS = {"event": "success", "f1": 0.5, "version": "17", "reason": ""}


@pytest.fixture
def webhook(monkeypatch):
    """A server with a list of prepared responses, which records the POST bodies."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((self.path, self.headers["Content-Type"], json.loads(body)))
            self.send_response(self.server.answers.pop(0))
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.got, server.answers = [], [200]
    server.url = f"http://127.0.0.1:{server.server_port}/services/secret"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def call(project):
    """A function that calls a hook with a clock that does not wait."""
    return lambda *hook, timeout=30, log="": hooks.call(
        hook, FACTS, timeout, project.time.clock, log
    )


def test_a_webhook_gets_the_facts_as_json(webhook, call):
    assert call(webhook.url) is None
    assert webhook.got == [("/services/secret", "application/json", FACTS)]


@pytest.mark.parametrize("passing", [500, 503, 429])
def test_a_busy_webhook_is_retried(webhook, call, project, passing):
    webhook.answers = [passing, 204]
    assert call(webhook.url) is None
    assert len(webhook.got) == 2 and project.time.naps == [5]


def test_a_webhook_is_tried_three_times(webhook, call):
    webhook.answers = [500] * 5
    assert call(webhook.url) == f"http://127.0.0.1:{webhook.server_port}: answered 500"
    assert len(webhook.got) == 3


@pytest.mark.parametrize("answer", [400, 404, 302])
def test_a_refusing_webhook_is_not_retried(webhook, call, answer):
    webhook.answers = [answer] * 3
    problem = call(webhook.url)
    assert (
        problem.endswith(f"answered {answer}") and "secret" not in problem and len(webhook.got) == 1
    )


def test_an_unreachable_webhook_is_reported_without_its_secret(webhook, call):
    webhook.server_close()
    problem = call(webhook.url.replace("http://", "http://user:pass@"))
    assert problem.startswith(f"http://127.0.0.1:{webhook.server_port}: ")
    assert "secret" not in problem and "pass" not in problem


def test_the_output_of_a_command_goes_to_the_log(call, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("the run\n")
    assert call(sys.executable, "-c", "print('told')", log=str(log)) is None
    assert log.read_text() == "the run\ntold\n"


def test_a_command_is_run_without_a_shell(call, tmp_path):
    assert (
        call(sys.executable, "-c", "import sys; sys.exit(sys.argv[1] != '$HOME;x')", "$HOME;x")
        is None
    )


def test_a_command_need_not_read_its_input(call):
    assert call("true") is None


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (["false"], "false: ended with 1"),
        (["/nowhere/x"], "/nowhere/x: No such file or directory"),
    ],
)
def test_a_failing_command_is_reported_with_its_cause(call, command, problem):
    assert call(*command) == problem


def test_a_command_that_hangs_is_killed_with_its_children(call, tmp_path, wait_until):
    pid = tmp_path / "pid"
    assert (
        call("sh", "-c", f"sleep 600 & echo $! > {pid}; wait", timeout=1)
        == "sh: took longer than 1 s"
    )
    number = int(pid.read_text())

    def gone():
        try:
            with open(f"/proc/{number}/stat") as stat:
                return stat.read().split()[2] == "Z"
        except OSError:
            return True

    wait_until(gone)


@pytest.mark.parametrize(
    ("setting", "hook"),
    [
        ("schedule.on_success=notify --to 'a b'", ("notify", "--to", "a b")),
        ("schedule.on_success=[notify, --to, a b]", ("notify", "--to", "a b")),
        ("schedule.on_success=https://example.org/x", ("https://example.org/x",)),
    ],
)
def test_a_hook_is_set_as_text_or_as_a_list(setting, hook):
    assert config.load(None, [setting], {}).schedule.on_success == hook


@pytest.mark.parametrize(
    "hook", ["ftp://example.org", "https://example.org extra", "''", "7", "say 'a", "[]"]
)
def test_an_invalid_hook_is_refused(hook):
    with pytest.raises(UserError, match=r"^--set: schedule\.on_failure: "):
        config.load(None, [f"schedule.on_failure={hook}"], {})


def test_the_dumped_configuration_hides_the_address_of_a_webhook():
    settings = config.load(None, ["schedule.on_failure=https://example.org/secret"], {})
    assert "secret" not in settings.dump()
