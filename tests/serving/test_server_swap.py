"""Versions are published, broken and removed while clients send requests without a pause; no request fails.

`SWAP_SECONDS` is the duration.
"""

import os
import threading
import time

import grpc

from tests.serving import small_models
from tests.serving.server_process import outputs, request

SECONDS = float(os.environ.get("SWAP_SECONDS", 6))
CLIENTS = 16
WORDS = ("Ada", "no", "Bea")


class Clients:
    """Clients, half over gRPC and half over REST, that record each response with the phases of request and response."""

    def __init__(self, server):
        self.server, self.phase, self.answers, self.failures = server, 0, [], []
        self._stopped = threading.Event()
        asks = [self.by_grpc, self.by_rest]
        self._threads = [
            threading.Thread(target=self._run, args=(asks[n % 2], n)) for n in range(CLIENTS)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, ask, number):
        text = " ".join(WORDS[: 1 + number % 3])
        while not self._stopped.is_set():
            before = self.phase
            try:
                version = ask(text)
            except Exception as error:
                self.failures.append(repr(error))
                return
            self.answers.append((before, self.phase, version))

    def by_grpc(self, text):
        answer = self.server.prediction.Predict(request(text), timeout=60)
        assert outputs(answer)["type"][0][0] == f"V{answer.model_spec.version.value}".encode()
        return answer.model_spec.version.value

    def by_rest(self, text):
        status, answer = self.server.http("/v1/models/ner:predict", {"instances": [text]})
        assert status == 200, answer
        return int(answer["predictions"][0]["type"][0][1:])


def test_no_request_fails_and_every_answer_names_a_version_that_was_live(start, tmp_path_factory):
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("ner")
    for version in (1, 2, 3, 5, 6):
        small_models.save(source, version)
    small_models.publish(source / "1", folder, 1)
    server = start("--model-base-path", folder, "--retry-seconds", "1")
    live = [{1}]  # by phase, what may answer

    with Clients(server) as clients:

        def goes_on(may_answer):
            live.append(may_answer)
            clients.phase = len(live) - 1

        def pause():
            until = time.monotonic() + SECONDS / 6
            server.wait_for(lambda: time.monotonic() >= until)

        def state_is(version, state):
            server.wait_for(lambda: server.states().get(version) == state)

        pause()
        for old, new in ((1, 2), (2, 3)):
            goes_on({old, new})
            small_models.publish(source / str(new), folder, new)
            state_is(new, "AVAILABLE")
            goes_on({new})
            pause()
        small_models.publish_broken(folder, 4)
        state_is(4, "END")
        pause()
        goes_on({3, 5})
        small_models.publish(source / "5", folder, 5)
        state_is(5, "AVAILABLE")
        goes_on({5})
        pause()
        goes_on({3, 5})
        small_models.remove(folder, 5, 4)
        state_is(5, "END")
        goes_on({3})
        pause()
        goes_on({3, 6})
        small_models.publish(source / "6", folder, 6)
        state_is(6, "AVAILABLE")
        goes_on({6})
        pause()

    assert not clients.failures
    for before, after, version in clients.answers:
        assert version in set().union(*live[before : after + 1]), (before, after, version)
    assert {version for _, _, version in clients.answers} == {1, 2, 3, 5, 6}
    assert "4 cannot be loaded" in server.output and "Traceback" not in server.output
    print(f"{len(clients.answers)} answers; the server has {server.resident} MB")


def test_a_client_that_waits_for_the_server_is_answered_by_the_requested_version(
    start, versions, tmp_path
):
    """A version that is being unloaded answers its running requests."""
    folder = tmp_path / "ner"
    folder.mkdir()
    small_models.publish(versions / "1", folder, 1)
    server = start("--model-base-path", folder)
    steps = request(signature="busy")
    steps.ClearField("inputs")
    steps.inputs["steps"].dtype, steps.inputs["steps"].int64_val[:] = 9, [600_000]
    steps.inputs["steps"].tensor_shape.dim.add(size=1)
    answer = server.prediction.Predict.future(steps)
    server.wait_for(lambda: "size_count 1.0" in server.http("/monitoring/prometheus/metrics")[1])
    small_models.publish(versions / "2", folder, 2)
    server.wait_for(lambda: server.states().get(2) == "AVAILABLE")
    assert answer.result(60).model_spec.version.value == 1 and answer.code() is grpc.StatusCode.OK
    server.wait_for(lambda: server.states() == {2: "AVAILABLE", 1: "END"})
