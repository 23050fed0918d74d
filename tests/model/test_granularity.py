"""Models whose tokens are finer than words, from a corpus to entities in raw text.

The corpus is synthetic: Korean particles, Hebrew and Arabic prefixes, and units directly after numbers.
"""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from components.corpus import reading
from components.corpus.splits import find_splits
from components.export import card, signatures
from components.features import preprocessing
from components.features.preprocessing import TransformGraph
from components.ner.tags import label_map
from components.settings import Model, Training, Vocabulary
from components.training.run import TrainingInputs, TrainingJob, fit
from components.validation import curated_schema

ROOT = Path(__file__).resolve().parents[2]
KOREAN = ["마루", "새별", "한솔", "가람", "다온", "미르"]
HEBREW = ["נהרה", "גבעון", "שדמות", "עינות"]
ARABIC = ["دارين", "ينبوع", "سهلان", "واحات"]
# Templates of texts with names marked by their type.
TEMPLATES = [
    ("🎉 {0}는 {1}에서 왔다", KOREAN, ("PS", "LC")),
    ("어제 {0}에 {1}가 갔다", KOREAN, ("LC", "PS")),
    ("הם גרו ב{0} ליד {1}", HEBREW, ("LC", "LC")),
    ("ו{0} וגם מ{1}", HEBREW, ("LC", "LC")),
    ("سافر و{0} الى {1}", ARABIC, ("LC", "LC")),
    ("كان ب{0} ثم و{1}", ARABIC, ("LC", "LC")),
    ("take {0}mg or {1}ml", ["10", "25", "400", "5"], ("NUM", "NUM")),
]
SMALL = Model(
    word_dimensions=20,
    character_dimensions=10,
    character_filters=10,
    lstm_units=20,
    affix_dimensions=5,
    dropout=0.2,
    word_dropout=0.2,
)


def made_corpus():
    """Yields texts with their entities, as (start, end, type)."""
    for template, names, types in TEMPLATES:
        for pair in itertools.permutations(names, 2):
            text, spans = template, []
            for slot, (name, type_) in enumerate(zip(pair, types, strict=True)):
                start = text.index(f"{{{slot}}}")
                text = text.replace(f"{{{slot}}}", name)
                spans.append((start, start + len(name), type_))
            yield text, spans


def record(sentence):
    """The features of a sentence that Transform reads."""
    return {
        "tokens": list(sentence.tokens),
        "tags": list(sentence.tags),
        "starts": [start for start, _ in sentence.offsets],
        "ends": [end for _, end in sentence.offsets],
    }


def transform(sentences, granularity, folder):
    """Runs Transform on sentences by split; returns the inputs of a training."""
    types = sorted({span.type for span in itertools.chain(*(s.spans for s in sentences["train"]))})
    curated_schema.write_schema(curated_schema.make_schema(types), folder / "schema.pbtxt")
    config = {
        "vocabulary": Vocabulary().model_dump(),
        "schema": str(folder / "schema.pbtxt"),
        "tokenizer": str(granularity),
    }
    spec = {
        **{name: tf.io.VarLenFeature(tf.string) for name in ("tokens", "tags")},
        **{name: tf.io.VarLenFeature(tf.int64) for name in ("starts", "ends")},
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
    with beam.Pipeline(runner="FnApiRunner") as pipeline, tft_beam.Context(str(folder / "temp")):
        raw = {
            split: pipeline
            | f"Create {split}" >> beam.Create([record(sentence) for sentence in of_split])
            for split, of_split in sentences.items()
        }
        analyzed = (raw["train"], metadata) | tft_beam.AnalyzeDataset(
            lambda inputs: preprocessing.preprocessing_fn(inputs, config)
        )
        _ = analyzed | tft_beam.WriteTransformFn(str(folder / "transform"))
        for split, data in raw.items():
            examples, transformed = ((data, metadata), analyzed) | (
                f"Transform {split}" >> tft_beam.TransformDataset()
            )
            _ = (
                examples
                | f"Encode {split}"
                >> beam.Map(tft.coders.ExampleProtoCoder(transformed.schema).encode)
                | f"Write {split}"
                >> beam.io.WriteToTFRecord(str(folder / split), file_name_suffix=".gz")
            )
    train, dev = ([str(folder / f"{split}-00000-of-00001.gz")] for split in ("train", "dev"))
    output = tft.TFTransformOutput(str(folder / "transform"))
    return TrainingInputs(output, label_map(types), train, dev, vectors=None)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a model trained on the corpus."""
    folder = tmp_path_factory.mktemp("granularity")
    lines = (json.dumps({"text": text, "entities": spans}) + "\n" for text, spans in made_corpus())
    (folder / "all.jsonl").write_text("".join(lines), encoding="utf-8")
    splits = find_splits(str(folder / "all.jsonl"))
    plan = reading.make_plan(splits)
    assert str(plan.granularity) == "fine,Arabic,Hangul,Hebrew"
    sentences = {"train": [], "dev": []}
    for split, sentence in reading.read_corpus(splits, plan=plan):
        sentences["dev" if split == "dev" else "train"].append(sentence)
    inputs = transform(sentences, plan.granularity, folder)
    training = Training(epochs=4, batch_size=16, learning_rate=0.01)
    best = fit(TrainingJob(inputs, SMALL, training, folder / "checkpoints"), lambda event: None)
    version = folder / "ner" / "1"
    graph = TransformGraph(inputs.transform.transform_savedmodel_dir)
    signatures.save(signatures.ServingModule(graph, best.tagger, plan.granularity), str(version))
    saved = card.Card(inputs.labels, "0.0.0", tokenizer=str(plan.granularity))
    card.save_card(saved, version)
    return version


PREDICT = """
import json, sys
from components.export.published_model import PublishedModel
model = PublishedModel(sys.argv[1])
texts = json.load(sys.stdin)
print(json.dumps([[(e.start, e.end, e.type, e.text) for e in es] for es in model.predict(texts)]))
"""


def test_a_fresh_process_finds_entities_that_end_inside_words(published):
    texts, expected = zip(*made_corpus(), strict=True)
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, str(published)],
        cwd=ROOT,
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for text, spans, answer in zip(texts, expected, json.loads(done.stdout), strict=True):
        expected_answer = [[start, end, type_, text[start:end]] for start, end, type_ in spans]
        assert answer == expected_answer, text


def test_tokens_with_offsets_are_tagged_as_the_text_that_they_make(published):
    """Training and evaluation read tokens, servers read text; the predictions must be equal."""
    from components.export.published_model import PublishedModel
    from components.ner.sentence import Sentence
    from components.ner.tokens import tokenize

    model = PublishedModel(published)
    texts = [f"{text} #새별 a_b2" for text, _ in made_corpus()][::7]
    sentences = []
    for text in texts:
        offsets = tuple(tokenize(text, model.card.granularity))
        tokens = tuple(text[start:end] for start, end in offsets)
        sentences.append(Sentence(tokens, (), offsets=offsets))
    answers = zip(sentences, model.tag_with_scores(sentences), model.predict(texts), strict=True)
    for sentence, (spans, scores), entities in answers:
        assert [
            (sentence.offsets[span.start][0], sentence.offsets[span.end - 1][1], span.type)
            for span in spans
        ] == [(entity.start, entity.end, entity.type) for entity in entities]
        assert scores == pytest.approx([entity.score for entity in entities], abs=1e-5)


def test_a_model_of_an_earlier_release_has_words_as_tokens(published, tmp_path):
    """Its card does not have a granularity."""
    file = published / "assets.extra" / "ner.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    del values["tokenizer"]
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / "assets.extra" / "ner.json").write_text(json.dumps(values), encoding="utf-8")
    old = card.load_card(tmp_path)
    assert old is not None and old.tokenizer == "words" and str(old.granularity) == "words"
