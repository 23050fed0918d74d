"""The models of a server: configuration, labels, and errors for unknown names and labels."""

import threading

import pytest

from serving.server.config import ModelConfig, Policy, Retries
from serving.server.models import Models
from serving.server.status import Code, RequestError


class Loaded:
    def __init__(self, name, path):
        if (path / "broken").exists():
            raise RequestError(Code.DATA_LOSS, "it is broken")
        self.name, self.path = name, path

    def close(self):
        self.path = None


@pytest.fixture
def models():
    models = Models(Loaded, Retries(), poll_seconds=0.01)
    yield models
    models.stop()


@pytest.fixture
def base(tmp_path):
    def make(name, *versions):
        for version in versions:
            (tmp_path / name / str(version)).mkdir(parents=True)
        return tmp_path / name

    return make


def served(models, *asked):
    lease = models.lease(*asked)
    lease.release()
    return lease.version


def refusal(call, *arguments):
    with pytest.raises(RequestError) as raised:
        call(*arguments)
    return raised.value.code, raised.value.message


def test_labels_name_versions(models, base):
    folder = base("a", 1, 2, 3)
    models.configure([ModelConfig("a", folder, Policy(latest=2), {"stable": 2, "canary": 3})])
    assert [served(models, "a", None, label) for label in ("stable", "canary")] == [2, 3]


def test_a_label_can_only_be_assigned_to_an_available_version(models, base):
    folder = base("a", 1, 2)
    models.configure([ModelConfig("a", folder, labels={"stable": 2})])
    code, message = refusal(models.configure, [ModelConfig("a", folder, labels={"stable": 1})])
    assert code is Code.FAILED_PRECONDITION and "assign label to version 1 of model a" in message
    assert served(models, "a", None, "stable") == 2


def test_unknown_names_versions_and_labels(models, base):
    models.configure([ModelConfig("a", base("a", 1))])
    assert refusal(models.lease, "x") == (
        Code.NOT_FOUND,
        "Servable not found for request: Latest(x)",
    )
    assert refusal(models.lease, "x", 9) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(x, 9)",
    )
    assert refusal(models.lease, "a", 9) == (
        Code.NOT_FOUND,
        "Servable not found for request: Specific(a, 9)",
    )
    assert refusal(models.lease, "a", None, "l") == (
        Code.INVALID_ARGUMENT,
        "Unrecognized servable version label: l",
    )
    assert refusal(models.statuses, "x") == (
        Code.NOT_FOUND,
        "Could not find any versions of model x",
    )
    assert refusal(models.statuses, "a", 9) == (
        Code.NOT_FOUND,
        "Could not find version 9 of model a",
    )


def test_a_model_removed_from_the_configuration_is_unloaded(models, base):
    first = ModelConfig("a", base("a", 1))
    models.configure([first])
    lease = models.lease("a")
    models.configure([ModelConfig("b", base("b", 4))])
    assert served(models, "b") == 4 and refusal(models.lease, "a")[0] is Code.NOT_FOUND
    assert lease.servable.path is not None
    lease.release()
    models.start()
    waited = threading.Event()
    for _ in range(500):
        if lease.servable.path is None:
            break
        waited.wait(0.01)
    assert lease.servable.path is None


def test_a_model_moves_to_another_base_path(models, base):
    models.configure([ModelConfig("a", base("a", 1))])
    models.configure([ModelConfig("a", base("elsewhere", 7))])
    assert served(models, "a") == 7


def test_a_model_whose_new_base_path_is_empty_keeps_serving(models, base):
    models.configure([ModelConfig("a", base("a", 1))])
    assert refusal(models.configure, [ModelConfig("a", base("empty"))])[0] is Code.NOT_FOUND
    assert served(models, "a") == 1


def test_a_model_without_a_version_that_loads_is_refused(models, base):
    folder = base("a", 1)
    (folder / "1" / "broken").touch()
    code, message = refusal(models.configure, [ModelConfig("a", folder)])
    assert (
        code is Code.DATA_LOSS and message == "version 1 of model a cannot be loaded: it is broken"
    )


def test_the_same_name_twice_is_refused(models, base):
    config = ModelConfig("a", base("a", 1))
    assert refusal(models.configure, [config, config])[0] is Code.INVALID_ARGUMENT
