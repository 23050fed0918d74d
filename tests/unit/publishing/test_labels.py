"""A canary: which version has which label, and what servers are told."""

import pytest

from components.errors import UserError
from components.publishing import changes, labels, versions
from components.publishing.versions import publish
from serving.server import config
from serving.server.versions import Policy


@pytest.fixture(autouse=True)
def numbered_from_one(monkeypatch):
    monkeypatch.setattr(versions.time, "time", lambda: 1)


def told(folders):
    """The one model in `models.config`, as a server reads it."""
    [model] = config.read(str(folders.live.parent / labels.CONFIG))
    return model


def test_beside_a_version_that_serves_a_canary_is_on_trial(model, folders):
    publish(model("1"), folders)
    publish(model("2"), folders, canary=True)
    assert versions.serving(folders) == 1
    assert told(folders).policy == Policy(specific=(1, 2)) and told(folders).labels == {
        "stable": 1,
        "canary": 2,
    }
    assert told(folders).base_path == folders.live


def test_the_first_version_of_all_is_stable(model, folders):
    publish(model("1"), folders, canary=True)
    assert told(folders).labels == {"stable": 1}


def test_a_newer_canary_takes_the_place_of_the_older(model, folders):
    for weights in "123":
        publish(model(weights), folders, canary=True)
    assert told(folders).labels == {"stable": 1, "canary": 3}


def test_promote_makes_it_stable(model, folders):
    for weights in "12":
        publish(model(weights), folders, canary=True)
    assert changes.promote(folders, None) == 2
    assert told(folders).labels == {"stable": 2} and versions.serving(folders) == 2


def test_rollback_without_a_version_drops_the_canary_first(model, folders):
    for weights in "12":
        publish(model(weights), folders, canary=True)
    changes.rollback(folders, None, "now", "me", "")
    assert told(folders).labels == {"stable": 1} and versions.versions(folders.withdrawn) == [2]


def test_without_a_canary_the_next_version_is_stable_and_still_labelled(model, folders):
    for weights in "12":
        publish(model(weights), folders, canary=True)
    publish(model("3"), folders)
    assert told(folders).labels == {"stable": 3}


def test_the_same_canary_again_changes_nothing(model, folders):
    publish(model("1"), folders, canary=True)
    second = publish(model("2"), folders, canary=True)
    assert publish(second, folders, canary=True) == second
    assert told(folders).labels == {"stable": 1, "canary": 2}


def test_servers_may_see_the_folder_elsewhere(model, folders):
    for weights in "12":
        publish(model(weights), folders, canary=True, base_path="/models/ner")
    changes.promote(folders, None)
    assert str(told(folders).base_path) == "/models/ner"


def test_another_model_in_the_folder_is_served_as_ever(model, folders):
    (folders.live.parent / "other" / "5").mkdir(parents=True)
    publish(model("1"), folders, canary=True)
    models = {one.name: one for one in config.read(str(folders.live.parent / labels.CONFIG))}
    assert models["other"].policy == Policy(latest=1) and not models["other"].labels


def test_labels_that_cannot_be_read_are_said(folders):
    folders.live.mkdir(parents=True)
    (folders.live / ".labels.json").write_text("{")
    with pytest.raises(UserError, match=r"labels\.json: cannot read the labels"):
        labels.read(folders.live)
