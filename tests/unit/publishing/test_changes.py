"""Rollback, promotion, release and pruning, and kills during them."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.errors import UserError
from components.publishing import changes, versions
from components.publishing.changes import publish
from components.publishing.versions import Folders


@pytest.fixture
def published(model, folders, monkeypatch):
    """A function that publishes a number of models, as versions 1, 2, 3 …"""
    monkeypatch.setattr(changes.time, "time", lambda: 1)

    def publish_them(count, **more):
        return [
            int(publish(model(str(number)), folders, **more).name) for number in range(1, count + 1)
        ]

    return publish_them


def rollback(folders, version=None):
    return changes.rollback(folders, version, "2026-01-01", "me", "it was bad")


def live(folders):
    return versions.versions(folders.live)


def withdrawn(folders):
    return versions.versions(folders.withdrawn)


def test_rollback_without_a_version_restores_the_previous_one(published, folders):
    published(3)
    made = rollback(folders)
    assert (made.left, made.kept) == (3, 2) and changes.load_hold(folders.withdrawn) == made
    assert (live(folders), withdrawn(folders)) == ([1, 2], [3])


def test_rollback_withdraws_every_higher_version(published, folders):
    published(4)
    rollback(folders, 1)
    assert (live(folders), withdrawn(folders)) == ([1], [2, 3, 4])


def test_rollback_to_a_withdrawn_version(published, folders):
    published(3)
    (folders.withdrawn).mkdir(parents=True)
    (folders.live / "1").rename(folders.withdrawn / "1")
    rollback(folders, 1)
    assert (live(folders), withdrawn(folders)) == ([1], [2, 3])


def test_rollback_changes_the_serving_version_once(published, folders, monkeypatch):
    """After each rename the folder has the old or the new version."""
    published(5)
    seen, rename = [], Path.rename

    def watched(path, target):
        result = rename(path, target)
        seen.append(max(live(folders)))
        return result

    monkeypatch.setattr(Path, "rename", watched)
    rollback(folders, 2)
    assert seen == sorted(seen, reverse=True) and set(seen) == {5, 2}


@pytest.mark.parametrize("renames", range(6))
def test_a_killed_rollback_holds_and_can_be_repeated(published, folders, monkeypatch, renames):
    published(4)
    rename, left = Path.rename, [renames]

    def killing(path, target):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", killing)
        try:
            rollback(folders, 2)
        except KeyboardInterrupt:
            assert max(live(folders)) in (2, 4)
            assert changes.load_hold(folders.withdrawn) or live(folders) == [1, 2, 3, 4]
    if max(live(folders)) > 2:
        rollback(folders, 2)
    assert (live(folders), withdrawn(folders)) == ([1, 2], [3, 4])
    assert changes.load_hold(folders.withdrawn).left == 4


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (9, "not lower than any live version"),
        (3, "not lower than any live version"),
        (0, "there is no version 0; there are 1"),
    ],
)
def test_rollback_to_an_impossible_version_is_refused_without_a_hold(
    published, folders, version, message
):
    published(3)
    with pytest.raises(UserError, match=message):
        rollback(folders, version)
    assert changes.load_hold(folders.withdrawn) is None and live(folders) == [1, 2, 3]


def test_an_incomplete_version_is_refused(published, folders):
    published(2)
    (folders.live / "1" / "saved_model.pb").unlink()
    with pytest.raises(UserError, match=r"has no saved_model\.pb"):
        rollback(folders)
    assert changes.load_hold(folders.withdrawn) is None


def test_rollback_needs_two_versions(published, folders):
    with pytest.raises(UserError, match="no version serves"):
        rollback(folders)
    published(1)
    with pytest.raises(UserError, match="1 is the only version"):
        rollback(folders)


def test_rollback_across_file_systems_is_refused_without_changes(published, folders, monkeypatch):
    published(2)

    def across(*_):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "rename", across)
    with pytest.raises(UserError, match="different file systems"):
        rollback(folders)
    assert changes.load_hold(folders.withdrawn) is None and live(folders) == [1, 2]


def test_promote_puts_a_withdrawn_version_live_and_lifts_the_hold(published, folders):
    published(3)
    rollback(folders, 1)
    assert changes.promote(folders, 3) == 3
    assert (live(folders), withdrawn(folders), changes.load_hold(folders.withdrawn)) == (
        [1, 3],
        [2],
        None,
    )


def test_promote_does_not_go_back(published, folders):
    published(3)
    rollback(folders, 1)
    changes.promote(folders, 3)
    with pytest.raises(UserError, match="lower than the live version"):
        changes.promote(folders, 2)


def test_promote_refuses_versions_that_are_not_candidates(published, folders):
    published(2)
    for version, message in (
        (2, "serves already"),
        (7, "neither withdrawn nor a canary"),
        (None, "no canary to promote"),
    ):
        with pytest.raises(UserError, match=message):
            changes.promote(folders, version)


def test_after_release_the_next_model_goes_live(published, model, folders):
    published(2)
    rollback(folders)
    changes.release(folders)
    assert publish(model("9"), folders).parent == folders.live
    with pytest.raises(UserError, match="nothing is held"):
        changes.release(folders)


def test_prune_keeps_the_serving_version_its_fallback_and_those_of_a_hold(published, folders):
    published(6)
    rollback(folders, 4)
    assert changes.prune(folders, 0) == [1, 2, 5]
    assert (live(folders), withdrawn(folders)) == ([3, 4], [6])


def test_a_pruned_version_is_not_published_again(published, folders):
    published(3)
    rollback(folders)
    changes.release(folders)
    assert changes.prune(folders, 0) == [3]
    assert versions.lost_version(folders) == ""


@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(
        st.sampled_from(["publish", "canary", "rollback", "promote", "release", "prune"]),
        max_size=12,
    )
)
def test_after_any_sequence_of_changes_a_complete_version_serves(tmp_path_factory, steps):
    root = tmp_path_factory.mktemp("steps")
    folders = Folders(root / "serving" / "ner", root / "withdrawn" / "ner")
    for count, step in enumerate(["publish", *steps]):
        before, held = versions.serving(folders), changes.load_hold(folders.withdrawn)
        try:
            if step in ("publish", "canary"):
                publish(_model(root / f"model-{count}", str(count)), folders, step == "canary")
            elif step == "rollback":
                rollback(folders)
            elif step == "promote":
                changes.promote(folders, max(withdrawn(folders), default=versions.canary(folders)))
            elif step == "release":
                changes.release(folders)
            else:
                changes.prune(folders, 1)
        except UserError:
            assert (versions.serving(folders), changes.load_hold(folders.withdrawn)) == (
                before,
                held,
            )
        serves = versions.serving(folders)
        assert serves is not None and not versions.missing_parts(folders.place(serves))
        if held and step in ("publish", "canary", "prune"):
            assert serves == before, "nothing goes live by itself while held"
        if folders.canary.is_dir():
            on_trial = versions.canary(folders)
            expected = [serves] if on_trial is None else [serves, on_trial]
            assert versions.versions(folders.canary) == expected


def _model(folder, weights):
    from components.export import card

    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-0"):
        (folder / name).write_text(weights)
    card.save_card(card.Card(("O",), "0"), folder)
    return folder
