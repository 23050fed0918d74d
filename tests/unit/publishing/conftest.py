"""Fixtures of the publishing tests."""

import pytest

from components.export import card
from components.publishing.versions import Folders


@pytest.fixture
def model(tmp_path):
    """A function that creates a folder like a SavedModel with given weights."""

    def make(weights="1"):
        folder = tmp_path / f"model-{weights}"
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph")
        (folder / "variables" / "variables.index").write_text(weights)
        (folder / "variables" / "variables.data-00000-of-00001").write_text(weights)
        card.save_card(card.Card(("O", "B-PER", "I-PER"), "0"), folder)
        return folder

    return make


@pytest.fixture
def folders(tmp_path):
    return Folders(tmp_path / "serving" / "ner", tmp_path / "withdrawn" / "ner")
