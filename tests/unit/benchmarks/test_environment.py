"""CRFsuite and spaCy in their own environment, on a few sentences."""

import json

import pytest

SENTENCES = [
    [["Ada", "Lee", "spoke"], ["B-PER", "I-PER", "O"]],
    [["In", "Rio"], ["O", "B-LOC"]],
    [["a", " ", "b"], ["O", "O", "O"]],
]


@pytest.fixture
def run(project, tmp_path):
    """A function that runs a program of the comparison in that environment."""
    from benchmarks.comparison import programs, tools

    if not tools.OTHERS.exists():
        pytest.skip(
            "CRFsuite and spaCy are not installed: make benchmark installs them in .venv-benchmark"
        )

    def run_there(*arguments):
        return programs.run_command(
            [str(tools.OTHERS), *map(str, arguments)], tmp_path / "log", project
        )

    return run_there


@pytest.fixture
def corpus(tmp_path):
    from benchmarks.comparison import programs

    programs.write_conll(str(tmp_path / "corpus.conll"), SENTENCES)
    return tmp_path / "corpus.conll"


def test_crfsuite_memorizes_its_sentences_and_reports_its_speed(run, project, corpus, tmp_path):
    from benchmarks.comparison import programs, tools
    from benchmarks.comparison.tools import TrainedModel

    model, predictions = tmp_path / "model", tmp_path / "predictions"
    program = ("-m", "benchmarks.comparison.crfsuite_tagger")
    run(*program, "train", corpus, model)
    run(*program, "tag", corpus, model, predictions)
    assert list(programs.read_conll(str(predictions))) == [
        [tokens, tags, tags] for tokens, tags in SENTENCES
    ]
    trained = TrainedModel(
        "CRFsuite",
        [str(tools.OTHERS), *program, "measure", str(corpus), str(model), "100"],
        tmp_path / "log",
        {"f1": 1.0, "training_seconds": 1.0, "training_peak_mb": 1.0},
    )
    [tool] = tools.measure_speed([trained])
    [figures] = tool.runs
    assert figures.model_mb == model.stat().st_size / 1e6
    assert figures.tokens_per_second > 0 and figures.milliseconds > 0


def test_spacy_gets_the_same_tokens_and_entities(run, corpus, tmp_path):
    run(
        "-m",
        "benchmarks.comparison.spacy_tagger",
        "prepare",
        "xx",
        corpus,
        tmp_path / "corpus.spacy",
    )
    look = (
        "import json, spacy, sys; from spacy.training import Corpus;"
        " from benchmarks.comparison.spacy_tagger import tags_of; nlp = spacy.blank('xx');"
        " found = [[[token.text for token in example.predicted], tags_of(example.reference)]"
        " for example in Corpus(sys.argv[1])(nlp)];"
        " json.dump(found, open(sys.argv[2], 'w'))"
    )
    run("-c", look, tmp_path / "corpus.spacy", tmp_path / "found")
    visible = [[[token.replace(" ", "␣") for token in tokens], tags] for tokens, tags in SENTENCES]
    assert json.loads((tmp_path / "found").read_text()) == visible
