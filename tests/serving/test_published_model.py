"""A published model in this process: concurrent batches, the order of results, and the type map."""

import json
from dataclasses import replace
from itertools import chain, count, islice

import pytest
from click.testing import CliRunner

import components.export.published_model
from components.corpus.formats.conll import write_conll
from components.export import card, signatures
from components.export.published_model import PublishedModel
from components.ner.sentence import Sentence
from pipeline.commands.evaluate import evaluate
from tests.model.conftest import LABELS, Transform, make_tagger

NAMES = ["Ada", "Bea", "Zoë", "Lyon", "נועה", "中国", "Example Works Ltd."]
SENTENCES = [f"{NAMES[n % 7]} {n} saw {NAMES[n % 5]} " * (1 + n % 3) for n in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of an untrained model, which predicts entities everywhere."""
    folder = str(tmp_path_factory.mktemp("published") / "1")
    signatures.save(signatures.ServingModule(Transform(), make_tagger()), folder)
    card.save_card(card.Card(LABELS, "0.0.0"), folder)
    return folder


@pytest.fixture(scope="module")
def published(folder):
    return PublishedModel(folder)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr(components.export.published_model, "_MAX_ITEMS", 3)


def predict_texts(model, texts):
    """The entities of each text, and the scores."""
    return [
        (
            (text, [(one.text, one.type, one.start, one.end) for one in entities]),
            [one.score for one in entities],
        )
        for text, entities in model.predict_iter(texts)
    ]


def tag_tokens(model, texts):
    return list(model.tag_with_scores(text.split() for text in texts))


@pytest.mark.parametrize("asked", [predict_texts, tag_tokens])
def test_concurrent_batches_have_the_results_of_single_texts(published, small_batches, asked):
    facts, scores = zip(*(answer for text in SENTENCES for answer in asked(published, [text])))
    assert len(set(map(str, facts))) > 10  # so a result at a wrong index would be detected
    found_facts, found_scores = zip(*asked(published, SENTENCES))
    assert found_facts == facts
    assert [*chain(*found_scores)] == pytest.approx([*chain(*scores)], abs=1e-4)
    assert asked(published, []) == []


@pytest.mark.parametrize("asked", ["predict_iter", "tag_with_scores"])
def test_results_of_an_endless_stream_are_yielded_immediately(published, small_batches, asked):
    taken = []

    def endless():
        for n in count():
            taken.append(n)
            yield SENTENCES[n % 40] if asked == "predict_iter" else SENTENCES[n % 40].split()

    assert len(list(islice(getattr(published, asked)(endless()), 30))) == 30
    assert len(taken) < 100


@pytest.mark.parametrize(
    ("options", "f1", "hint"),
    [
        ((), 0.0, "map them: --map COMPANY=ORG"),
        (("--map", "PERSON=PER", "--map", "COMPANY=ORG"), 1.0, ""),
        (("--map", "PERSON=PER,COMPANY=ORG"), 1.0, ""),
    ],
)
def test_evaluate_maps_types_of_the_data_to_those_of_the_model(
    folder, published, tmp_path, options, f1, hint
):
    names = {"PER": "PERSON", "ORG": "COMPANY"}
    tokens = [tuple(text.split()) for text in SENTENCES]
    labelled = [
        Sentence(words, tuple(replace(span, type=names[span.type]) for span in spans))
        for words, spans in zip(tokens, published.tag(tokens))
    ]
    data, report = tmp_path / "data.conll", tmp_path / "report.json"
    with data.open("w", encoding="utf-8") as file:
        write_conll(file, labelled)
    arguments = ["--model", folder, "--data", str(data), "--json", str(report), *options]
    result = CliRunner().invoke(evaluate, arguments)
    assert result.exit_code == 0, result.stderr
    assert json.loads(report.read_text())["overall"]["f1"] == f1
    assert hint in result.stderr and ("--map" in result.stderr) == bool(hint)
