"""The model card: the owner's statements, the figures and the caveats."""

import json
from dataclasses import replace

import pytest

from components.ner.granularity import parse_granularity
from components.ner.scores import PRF
from components.report import card
from components.report.figures import Overlap, Score
from components.settings import Card, Model
from tests.unit.report import sample_figures


@pytest.fixture(scope="module")
def report():
    return sample_figures.figures(sentences=300)


SAYS_NOTHING = Card()


def made(report, printed=SAYS_NOTHING, **changes):
    return card.model_card(
        report.verdict, "17", "0123", Model(), printed,
        replace(report.evaluation, **changes.pop("evaluation", {})), replace(report.data, **changes.pop("data", {})),
    )  # fmt: skip


def test_the_card_has_the_owners_statements(report):
    printed = Card(
        intended_use="News.",
        licence="CC BY 4.0",
        limits="No health data.",
        contact="ada@example.org",
    )
    found = made(report, printed)
    assert (found.details.licence, found.details.contact) == ("CC BY 4.0", "ada@example.org")
    assert (found.considerations.intended_use, found.considerations.limits) == (
        "News.",
        "No health data.",
    )


def test_the_cards_scores_equal_those_of_the_report(report):
    values = {(metric.name, metric.slice): metric.value for metric in made(report).metrics}
    assert values["F1", "all"] == report.evaluation.overall.f1
    assert all(values["F1", one.type] == one.score.f1 for one in report.evaluation.types)


def test_the_cards_data_sets_equal_those_of_the_report(report):
    found = made(report)
    sizes = {one.name: (one.sentences, one.tokens, one.entities) for one in report.data.splits}
    for data in (found.training_data, found.evaluation_data):
        assert (data.sentences, data.tokens, data.entities) == sizes[
            data.split
        ] and data.hash == "0123"
    assert (found.training_data.split, found.evaluation_data.split) == (
        "train",
        report.evaluation.split,
    )


def test_the_card_describes_the_architecture(report):
    found = card.model_card(
        report.verdict, "", "", Model(lstm_units=7, lstm_layers=2, output="softmax"), Card(),
        report.evaluation, report.data,
    )  # fmt: skip
    assert (
        "2 layers, 7 units" in found.details.architecture
        and "softmax" in found.details.architecture
    )


def test_the_card_names_the_granularity_of_tokens(report):
    found = card.model_card(
        report.verdict, "", "", Model(), Card(), report.evaluation, report.data,
        parse_granularity("Hangul"),
    )  # fmt: skip
    assert "characters for Hangul" in found.details.tokenisation
    assert "finer" not in made(report).details.tokenisation


def test_a_caveat_names_types_with_little_support(report):
    first, *others = report.evaluation.types
    few = replace(first, score=Score.of(PRF(3, 0, 1)))
    caveats = made(report, evaluation={"types": (few, *others)}).considerations.caveats
    assert any("mostly chance" in line and first.type in line for line in caveats)
    assert not any("mostly chance" in line for line in made(report).considerations.caveats)


def test_a_caveat_names_types_that_are_never_recognised(report):
    first, *others = report.evaluation.types
    never = replace(first, score=Score.of(PRF(0, 0, 99)))
    caveats = made(report, evaluation={"types": (never, *others)}).considerations.caveats
    assert f"The model never recognises these types correctly: {first.type}." in caveats


def test_a_caveat_names_the_overlap_with_train(report):
    overlap = Overlap("train", report.evaluation.split, 60, 0.2, 10, 0.1)
    caveats = made(report, data={"overlaps": (overlap,)}).considerations.caveats
    assert any("20% of the evaluated sentences also occur in train" in line for line in caveats)


def test_the_json_has_the_sections_of_the_paper(report):
    values = json.loads(
        card.as_json(made(report, Card(intended_use="News.", limits="No health data.")))
    )
    assert list(values) == [
        "model_details", "intended_use", "metrics", "evaluation_data", "training_data", "ethical_considerations",
        "caveats_and_recommendations",
    ]  # fmt: skip
    assert (values["intended_use"], values["ethical_considerations"]) == (
        "News.",
        "No health data.",
    )
    assert set(values["model_details"]["types"]) == set(sample_figures.THREE)
