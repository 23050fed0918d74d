"""Canaries: their folders, and the models in `models.config`."""

import json
import os
import shutil
from pathlib import Path

import pytest

from components.errors import UserError
from components.publishing import canary, changes, versions
from serving.server import config
from serving.server.config import Policy


@pytest.fixture(autouse=True)
def numbered_from_one(monkeypatch):
    monkeypatch.setattr(changes.time, "time", lambda: 1)


@pytest.fixture
def publish(model, folders):
    """A function that publishes a model with given weights."""

    def publish(weights, as_canary=True, **more):
        return changes.publish(model(weights), folders, as_canary, **more)

    return publish


def configured(folders):
    """The models in `models.config` by name, as a server reads them."""
    models = config.read_models(str(folders.live.parent / canary.CONFIG))
    return {model.name: model for model in models}


def served(folders):
    """The versions that `ner` and `ner-canary` serve."""
    return tuple(max(versions.versions(base)) for base in (folders.live, folders.canary))


def test_a_canary_is_a_separate_model(publish, folders):
    publish("1", as_canary=False)
    path = publish("2")
    assert path == folders.canary / "2" and path.parent.name == "ner-canary"
    assert served(folders) == (1, 2) and versions.serving(folders) == 1
    assert versions.canary(folders) == 2
    assert {name: model.base_path for name, model in configured(folders).items()} == {
        "ner": folders.live,
        "ner-canary": folders.canary,
    }
    assert {model.policy for model in configured(folders).values()} == {Policy(latest=1)}


def test_the_first_version_serves_and_is_copied_to_the_canary_folder(publish, folders):
    publish("1")
    assert served(folders) == (1, 1) and versions.canary(folders) is None


def test_a_newer_canary_replaces_the_older_one(publish, folders):
    for weights in "123":
        publish(weights)
    assert served(folders) == (1, 3) and versions.canary(folders) == 3
    assert versions.versions(folders.withdrawn) == [2]


def test_promote_puts_the_canary_live_and_keeps_its_copy(publish, folders, monkeypatch):
    for weights in "12":
        publish(weights)
    seen, rename = [], Path.rename

    def watched(path, target):
        result = rename(path, target)
        seen.append(served(folders))
        return result

    monkeypatch.setattr(Path, "rename", watched)
    assert changes.promote(folders, None) == 2
    assert set(seen) == {(2, 2)}
    assert versions.canary(folders) is None and versions.versions(folders.canary) == [2]


def test_rollback_without_a_version_drops_the_canary_first(publish, folders):
    for weights in "12":
        publish(weights)
    changes.rollback(folders, None, "now", "me", "")
    assert served(folders) == (1, 1) and versions.versions(folders.withdrawn) == [2]


def test_rollback_after_a_promotion_takes_the_version_from_the_canary_too(publish, folders):
    for weights in "12":
        publish(weights)
    changes.promote(folders, None)
    changes.rollback(folders, None, "now", "me", "")
    assert served(folders) == (1, 1) and versions.versions(folders.withdrawn) == [2]
    changes.promote(folders, 2)
    assert served(folders) == (2, 2) and changes.load_hold(folders.withdrawn) is None


def test_a_version_published_live_replaces_the_canary(publish, folders):
    for weights in "12":
        publish(weights)
    publish("3", as_canary=False)
    assert served(folders) == (3, 3) and versions.canary(folders) is None
    assert versions.versions(folders.withdrawn) == [2]


def test_publishing_the_same_canary_again_changes_nothing(publish, model, folders):
    publish("1")
    second = publish("2")
    assert changes.publish(second, folders, as_canary=True) == second
    assert served(folders) == (1, 2)


def test_the_canary_published_as_a_live_version_goes_live(publish, folders):
    publish("1")
    second = publish("2")
    assert changes.publish(second, folders) == folders.live / "2"
    assert served(folders) == (2, 2)


def test_prune_keeps_the_canary_and_the_copy_of_the_serving_version(publish, folders):
    for weights in "123":
        publish(weights)
    assert changes.prune(folders, 0) == [2]
    assert versions.versions(folders.canary) == [1, 3]


def test_the_configuration_is_written_once_and_manual_changes_stay(publish, folders):
    publish("1")
    path = folders.live.parent / canary.CONFIG
    path.write_text(path.read_text() + "# mine\n")
    publish("2")
    changes.promote(folders, None)
    assert path.read_text().endswith("# mine\n")


def test_the_configuration_has_the_base_path_of_the_servers(publish, folders):
    publish("1", base_path="/models/ner")
    publish("2")
    paths = {name: str(model.base_path) for name, model in configured(folders).items()}
    assert paths == {"ner": "/models/ner", "ner-canary": "/models/ner-canary"}


def test_without_canaries_neither_folder_nor_configuration_is_written(publish, folders):
    publish("1", as_canary=False)
    publish("2", as_canary=False)
    assert [path.name for path in folders.live.parent.iterdir()] == ["ner"]


@pytest.mark.parametrize("without_links", [False, True])
def test_a_version_is_copied_without_hard_links(publish, folders, monkeypatch, without_links):
    def refuse(*_):
        raise OSError("no links on this file system")

    if without_links:
        monkeypatch.setattr(os, "link", refuse)
    publish("1")
    copy = folders.canary / "1"
    assert versions.missing_parts(copy) == ()
    linked = (copy / "saved_model.pb").stat().st_nlink == 2
    assert linked is not without_links


def labelled(folders, model, stable, on_trial, live):
    """Creates a folder of versions with labels, as an earlier release did."""
    for number in live:
        shutil.copytree(model(str(number)), folders.live / str(number))
    labels = {"stable": stable, "canary": on_trial, "base_path": "/models/ner"}
    (folders.live / ".labels.json").write_text(json.dumps(labels))
    (folders.live.parent / canary.CONFIG).write_text(
        'model_config_list { config { name: "ner" base_path: "/models/ner"\n'
        f'version_labels {{ key: "stable" value: {stable} }} }} }}\n'
    )


@pytest.mark.parametrize(
    ("stable", "on_trial", "live", "after", "withdrawn"),
    [
        (1, 2, [1, 2], (1, 2), []),
        (1, 3, [1, 2, 3], (1, 3), [2]),
        (2, None, [1, 2], (2, 2), []),
        (1, None, [1, 2], (1, 1), [2]),
        (9, None, [1, 2], (2, 2), []),
    ],
)
def test_labels_of_an_earlier_release_become_a_canary_folder(
    folders, model, stable, on_trial, live, after, withdrawn
):
    labelled(folders, model, stable, on_trial, live)
    assert "version labels are no longer used" in canary.migrate_labels(folders)
    assert served(folders) == after and versions.versions(folders.withdrawn) == withdrawn
    assert versions.canary(folders) == on_trial
    assert str(configured(folders)["ner-canary"].base_path) == "/models/ner-canary"
    assert not any(model.labels for model in configured(folders).values())
    assert canary.migrate_labels(folders) == ""


@pytest.mark.parametrize("renames", range(10))
def test_a_killed_migration_is_finished_by_the_next_and_the_stable_version_stays(
    folders, model, monkeypatch, renames
):
    labelled(folders, model, 1, 3, [1, 2, 3])
    rename, left = Path.rename, [renames]

    def killing(path, target):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killing)
        try:
            canary.migrate_labels(folders)
        except KeyboardInterrupt:
            assert 1 in versions.versions(folders.live)
    canary.migrate_labels(folders)
    assert served(folders) == (1, 3) and versions.versions(folders.withdrawn) == [2]


def test_labels_that_cannot_be_read_are_reported(folders):
    folders.live.mkdir(parents=True)
    (folders.live / ".labels.json").write_text("{")
    with pytest.raises(UserError, match=r"labels\.json: cannot read the version labels"):
        canary.migrate_labels(folders)
