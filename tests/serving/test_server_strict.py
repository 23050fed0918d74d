"""The measured behaviour of TensorFlow Serving, with the development server in strict mode in its place.

The cases S1 to S6 publish, promote and roll back under load; R1 to R5 are steps of the runbook. Waits
are scaled: a minute of TensorFlow Serving is a fraction of a second here.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import yaml

from components.export import card
from components.publishing import canary, changes
from components.publishing.versions import Folders
from serving.client import Client
from tests.serving import small_models
from tests.serving.server_process import ROOT, request

PREDICT = "/v1/models/ner:predict"
COMPOSE = ROOT / "serving" / "deploy" / "compose" / "compose.yaml"
CALLERS = 4


def shipped(**changed):
    """The flags of the deployment files, with given changes."""
    service = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["ner-stable"]
    flags = [flag for flag in service["command"] if flag[2:].partition("=")[0] not in changed]
    return " ".join([*flags, *(f"--{name}={value}" for name, value in changed.items())])


def defaults(**changed):
    """The defaults of TensorFlow Serving on two cores, with retries after 0.3 s instead of a minute."""
    flags = {
        "grpc_max_threads": 8,
        "rest_api_num_threads": 8,
        "load_retry_interval_micros": 300_000,
        **changed,
    }
    return " ".join(f"--{name}={value}" for name, value in flags.items())


class Load:
    """Callers that send requests for `ner` over REST and gRPC without a pause."""

    def __init__(self, server):
        self.server, self.failures, self.count = server, [], 0
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(CALLERS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        time.sleep(0.3)
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number):
        while not self._stopped.is_set():
            if number % 2:
                with contextlib.suppress(grpc.RpcError):
                    self.server.prediction.Predict(request("Ada"), timeout=60)
                    self.count += 1
                    continue
                self.failures.append("gRPC")
                return
            status, answer = self.server.http(PREDICT, {"instances": ["Ada"]})
            if status != 200:
                self.failures.append(answer)
                return
            self.count += 1


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "serving" / "ner", tmp_path / "withdrawn" / "ner")


@pytest.fixture
def publish(versions, folders, tmp_path):
    """A function that publishes the small model 1, 2 or 3, whose entities have the types V1, V2 and V3."""

    def publish(number, as_canary=False):
        model = shutil.copytree(versions / str(number), tmp_path / f"model-{number}")
        card.save_card(card.Card(("O",), "0"), model)
        return int(changes.publish(model, folders, as_canary).name)

    return publish


def serves(server, model="ner"):
    """The number of the small model that responds for a model name; 0 without a response."""
    status, answer = server.http(f"/v1/models/{model}:predict", {"instances": ["Ada"]})
    return int(answer["predictions"][0]["type"][0][1:]) if status == 200 else 0


def goes_live(server, number, model="ner"):
    server.wait_for(lambda: serves(server, model) == number)


@pytest.fixture
def server(start, folders, publish):
    """A server of `ner` and its canary with the configuration of a run and the shipped flags."""
    publish(1, as_canary=True)
    config = folders.live.parent / canary.CONFIG
    return start("--strict", shipped(), "--batch-size", "256", "--model-config-file", config)


def test_s1_a_version_published_without_canary_goes_live_for_both_models(server, publish):
    with Load(server) as load:
        publish(2)
        goes_live(server, 2)
        goes_live(server, 2, "ner-canary")
    assert load.failures == [] and load.count


def test_s2_a_second_canary_replaces_the_first(server, publish):
    with Load(server) as load:
        publish(2, as_canary=True)
        goes_live(server, 2, "ner-canary")
        publish(3, as_canary=True)
        goes_live(server, 3, "ner-canary")
    assert load.failures == [] and serves(server) == 1


def test_s3_rollback_after_a_promotion_and_promotion_again(server, publish, folders):
    with Load(server) as load:
        second = publish(2, as_canary=True)
        goes_live(server, 2, "ner-canary")
        changes.promote(folders, None)
        goes_live(server, 2)
        changes.rollback(folders, None, "now", "me", "")
        goes_live(server, 1)
        goes_live(server, 1, "ner-canary")
        changes.promote(folders, second)
        goes_live(server, 2)
    assert load.failures == []


def test_s4_rollback_drops_the_canary(server, publish, folders):
    with Load(server) as load:
        publish(2, as_canary=True)
        goes_live(server, 2, "ner-canary")
        changes.rollback(folders, None, "now", "me", "")
        goes_live(server, 1, "ner-canary")
    assert load.failures == [] and serves(server) == 1


def test_s5_requests_without_the_canarys_name_do_not_reach_the_first_canary(server, publish):
    with Load(server) as load:
        publish(2, as_canary=True)
        for _ in range(20):
            assert serves(server) == 1
        goes_live(server, 2, "ner-canary")
        assert serves(server) == 1
    assert load.failures == []


def test_s6_without_canaries_versions_are_published_and_rolled_back(start, publish, folders):
    publish(1)
    server = start("--strict", shipped(), "--model-base-path", folders.live)
    with Load(server) as load:
        publish(2)
        goes_live(server, 2)
        changes.rollback(folders, None, "now", "me", "")
        goes_live(server, 1)
    assert load.failures == []


def configuration(folders, policy="latest { num_versions: 1 }", labels=""):
    return (
        f'model_config_list {{ config {{ name: "ner" base_path: "{folders.live}"\n'
        f"model_version_policy {{ {policy} }}\n{labels} }} }}\n"
    )


def pinned(folders, *numbers, **labels):
    versions = " ".join(f"versions: {number}" for number in numbers)
    named = " ".join(
        f'version_labels {{ key: "{name}" value: {number} }}' for name, number in labels.items()
    )
    return configuration(folders, f"specific {{ {versions} }}", named)


def test_r1_and_r4_the_served_version_can_be_pinned_while_a_broken_one_is_retried(
    start, publish, folders, tmp_path
):
    first = publish(1)
    config = tmp_path / "models.config"
    config.write_text(configuration(folders))
    server = start("--strict", shipped(), "--model-config-file", config)
    with Load(server) as load:
        small_models.publish_broken(folders.live, first + 1)
        server.wait_for(lambda: server.states().get(first + 1) == "END")
        config.write_text(pinned(folders, first))
        publish(2)
        time.sleep(0.5)
        assert serves(server) == 1
        config.write_text(configuration(folders))
        goes_live(server, 2)
    assert load.failures == []


def test_r2_and_r3_promotion_and_rollback_by_moving_folders(start, publish, folders):
    first = publish(1)
    server = start("--strict", shipped(), "--model-base-path", folders.live)
    with Load(server) as load:
        second = publish(2)
        goes_live(server, 2)
        (folders.live / str(second)).rename(folders.live / f"withdrawn-{second}")
        goes_live(server, 1)
        (folders.live / f"withdrawn-{second}").rename(folders.live / str(second))
        goes_live(server, 2)
    assert load.failures == [] and first < second


def test_r5_with_shipped_flags_a_rollback_does_not_wait_for_a_broken_version(
    start, publish, folders
):
    first = publish(1)
    server = start("--strict", shipped(), "--model-base-path", folders.live)
    with Load(server) as load:
        small_models.publish_broken(folders.live, first + 1)
        server.wait_for(lambda: server.states().get(first + 1) == "END")
        _, answer = server.http(f"/v1/models/ner/versions/{first + 1}")
        assert answer["model_version_status"][0]["status"]["error_message"]
        small_models.remove(folders.live, first + 1)
        publish(2)
        goes_live(server, 2)
    assert load.failures == []


def test_by_default_a_broken_version_blocks_every_change_until_all_retries_are_over(
    start, publish, folders
):
    first = publish(1)
    flags = defaults(max_num_load_retries=4, load_retry_interval_micros=1_000_000)
    server = start("--strict", flags, "--model-base-path", folders.live)
    small_models.publish_broken(folders.live, first + 1)
    server.wait_for(lambda: server.states().get(first + 1) == "LOADING")
    began = time.monotonic()
    second = publish(2)
    _, answer = server.http(f"/v1/models/ner/versions/{first + 1}")
    assert answer["model_version_status"][0]["status"]["error_code"] == "OK"
    assert second not in server.states() and serves(server) == 1
    goes_live(server, 2)
    assert time.monotonic() - began > 2
    assert server.states()[first + 1] == "END"


def test_with_load_threads_a_new_version_goes_live_while_a_broken_one_is_retried(
    start, publish, folders
):
    first = publish(1)
    flags = defaults(num_load_threads=2, load_retry_interval_micros=60_000_000)
    server = start("--strict", flags, "--model-base-path", folders.live)
    small_models.publish_broken(folders.live, first + 1)
    server.wait_for(lambda: server.states().get(first + 1) == "LOADING")
    publish(2)
    goes_live(server, 2)


@pytest.mark.parametrize("flags", [shipped(), defaults()])
def test_a_broken_version_at_start_ends_the_server_even_next_to_a_good_one(
    start, publish, folders, flags
):
    first = publish(1)
    small_models.publish_broken(folders.live, first + 1)
    server = start("--strict", flags, "--model-base-path", folders.live, ready=False)
    assert server.process.wait(120) == 255
    assert "Failed to start server" in server.output


def test_at_start_no_port_opens_until_each_model_has_a_version(start, publish, folders):
    publish(1, as_canary=True)
    copy, aside = folders.canary / str(max(folders.all)), folders.live.parent / ".aside"
    copy.rename(aside)
    config = folders.live.parent / canary.CONFIG
    server = start("--strict", shipped(), "--model-config-file", config, ready=False)
    server.wait_for(lambda: "waiting: no version of model ner-canary" in server.output)
    assert "REST" not in server.output
    aside.rename(copy)
    server.wait_for(lambda: "gRPC on" in server.output)


def test_labels_of_an_earlier_release_prevent_the_server_from_starting(
    start, publish, folders, tmp_path
):
    first = publish(1)
    config = tmp_path / "models.config"
    config.write_text(pinned(folders, first, stable=first))
    server = start("--strict", defaults(), "--model-config-file", config, ready=False)
    assert server.process.wait(120) == 255
    assert "FAILED_PRECONDITION: Request to assign label to version" in server.output


def test_a_label_that_moves_to_a_version_not_loaded_refuses_the_whole_configuration(
    start, publish, folders, tmp_path
):
    first = publish(1)
    config = tmp_path / "models.config"
    config.write_text(pinned(folders, first, stable=first))
    flags = shipped(allow_version_labels_for_unavailable_models="true")
    server = start("--strict", flags, "--model-config-file", config)
    second = publish(2)
    config.write_text(pinned(folders, second, stable=second))
    server.wait_for(lambda: "configuration refused" in server.output)
    assert serves(server) == 1 and second not in server.states()


def test_a_workdir_with_labels_is_migrated_while_it_is_served(start, publish, folders):
    first, second = publish(1), publish(2)
    labels = {"stable": first, "canary": second, "base_path": None}
    (folders.live / ".labels.json").write_text(json.dumps(labels))
    config = folders.live.parent / canary.CONFIG
    config.write_text(pinned(folders, first, second, stable=first, canary=second))
    flags = shipped(allow_version_labels_for_unavailable_models="true")
    server = start("--strict", flags, "--model-config-file", config)
    assert serves(server) == 2  # as requests without a label met the canary then
    with Load(server) as load:
        assert canary.migrate_labels(folders)
        goes_live(server, 1)
        goes_live(server, 2, "ner-canary")
    assert load.failures == []


def in_flight(server, callers, requests=20):
    """The statuses of requests of a number of callers, each for one text at a time."""

    def ask(_):
        codes = []
        for _ in range(requests):
            try:
                server.prediction.Predict(request("Ada"), timeout=60)
                codes.append("OK")
            except grpc.RpcError as error:
                codes.append(error.code().name)
        return codes

    with ThreadPoolExecutor(callers) as pool:
        return [code for codes in pool.map(ask, range(callers)) for code in codes]


@pytest.mark.parametrize(
    ("flags", "callers", "all_answered"),
    [(shipped(), 64, True), (defaults(), 4, True), (defaults(), 64, False)],
)
def test_grpc_callers_beyond_the_threads_are_refused(
    start, publish, folders, flags, callers, all_answered
):
    publish(1)
    server = start("--strict", flags, "--model-base-path", folders.live)
    codes = in_flight(server, callers)
    assert set(codes) == ({"OK"} if all_answered else {"OK", "RESOURCE_EXHAUSTED"})


CLIENT = """
import sys
from serving.client import Client
texts = [f"Ada{n} met Bea" for n in range(512)]
with Client(sys.argv[1]) as client:
    answers = client.predict(texts)
print(sum(entities[0].text == text.split()[0] for text, entities in zip(texts, answers)))
"""


@pytest.mark.parametrize("scheme", ["grpc", "http"])
@pytest.mark.parametrize("flags", [shipped(), defaults()])
def test_four_client_processes_with_default_settings_get_every_response(
    start, publish, folders, scheme, flags
):
    """The client retries requests that are refused because of load."""
    publish(1)
    server = start(*("--strict", flags, "--batch-size", "256", "--model-base-path", folders.live))
    port = server.grpc if scheme == "grpc" else server.rest
    clients = [
        subprocess.Popen(
            [sys.executable, "-c", CLIENT, f"{scheme}://127.0.0.1:{port}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert [client.communicate(timeout=120)[0].strip() for client in clients] == ["512"] * 4


def test_a_request_larger_than_a_batch_is_refused_and_the_client_splits_it(start, publish, folders):
    publish(1)
    server = start("--strict", shipped(), "--batch-size", "16", "--model-base-path", folders.live)
    status, answer = server.http(PREDICT, {"instances": ["Ada"] * 17})
    assert status == 400
    assert "Task size 17 is larger than maximum input batch size 16" in answer["error"]
    with Client(f"http://127.0.0.1:{server.rest}") as client:
        assert len(client.predict(["Ada"] * 50)) == 50


def test_sigterm_breaks_requests_in_flight(start, publish, folders):
    publish(1)
    server = start("--strict", shipped(), "--model-base-path", folders.live)
    asked = {"inputs": [400_000], "signature_name": "busy"}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.http, PREDICT, asked)
        metrics = "/monitoring/prometheus/metrics"
        server.wait_for(lambda: "processed_batch_size_count 1.0" in server.http(metrics)[1])
        server.process.terminate()
        with pytest.raises(OSError):
            answer.result(120)


def test_the_compose_file_has_the_flags_used_here():
    assert Path(COMPOSE).is_file() and "grpc_max_threads=512" in shipped()
