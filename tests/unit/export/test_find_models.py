"""Finding a published model in a folder, and its card; without TensorFlow."""

import json
import sys

import pytest

from components.errors import UserError
from components.export import card
from components.export.published_model import PublishedModel, find_version


@pytest.fixture
def version(tmp_path):
    """A function that creates a folder that looks like a SavedModel."""

    def make(name):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "saved_model.pb").touch()
        return tmp_path / name

    return make


def test_the_path_of_a_version_is_that_version(version):
    version("ner/18")
    path = version("ner/17")
    assert find_version(path) == find_version(str(path)) == path


def test_the_newest_version_is_the_highest_number_not_the_last_name(version, tmp_path):
    for name in ("ner/9", "ner/10", "ner/2"):
        version(name)
    assert find_version(tmp_path / "ner").name == "10"


def test_other_folders_are_ignored(version, tmp_path):
    version("ner/3")
    for name in ("ner/.partial-9", "ner/x", "ner/٩"):
        version(name)
    (tmp_path / "ner" / "8").mkdir()  # without a model in it
    assert find_version(tmp_path / "ner").name == "3"


@pytest.mark.parametrize("name", ["nowhere", "empty", "file", "ner"])
def test_a_path_without_a_model_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "ner" / "1").mkdir(parents=True)
    with pytest.raises(UserError, match=f"{name}: no published model here; expected a folder"):
        find_version(tmp_path / name)


CARD = card.Card(
    ("O", "B-PER", "I-PER", "B-LOC", "I-LOC"),
    "0.1.0",
    "a corpus",
    {"training": {"epochs": 3}},
    {"f1": 0.5},
)


def test_a_card_is_read_back_as_written(tmp_path):
    card.save_card(CARD, tmp_path)
    assert card.load_card(tmp_path) == CARD
    assert (tmp_path / "assets.extra" / "ner.json").is_file()


def test_the_card_of_an_older_version_is_read(tmp_path):
    card.save_card(CARD, tmp_path)
    file = tmp_path / "assets.extra" / "ner.json"
    values = json.loads(file.read_text())
    del values["tensorflow"]
    file.write_text(json.dumps(values))
    assert card.load_card(tmp_path) == CARD


def test_the_card_of_a_newer_version_is_read(tmp_path):
    card.save_card(CARD, tmp_path)
    file = tmp_path / "assets.extra" / "ner.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "added_later": 1}))
    assert card.load_card(tmp_path) == CARD


def test_a_card_names_the_types_in_the_order_of_the_labels():
    assert CARD.types == ("PER", "LOC")


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "3", "{}", '{"labels": 3}', '{"labels": ["O"], "unheard": 1}', "\udcff"],
)
def test_an_unreadable_card_is_loaded_as_none(tmp_path, content):
    if content is not None:
        card.save_card(CARD, tmp_path)
        (tmp_path / "assets.extra" / "ner.json").write_bytes(
            content.encode("utf-8", "surrogateescape")
        )
    assert card.load_card(tmp_path) is None


@pytest.mark.parametrize("change", [{"interface": card.INTERFACE + 1}, None])
def test_a_model_of_another_interface_is_refused_before_tensorflow_is_imported(version, change):
    path = version("ner/1")
    if change:
        card.save_card(CARD, path)
        file = path / "assets.extra" / "ner.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    loaded = {*sys.modules}
    with pytest.raises(UserError, match=r"has no ner\.json of interface"):
        PublishedModel(path)
    assert "tensorflow" not in {*sys.modules} - loaded
