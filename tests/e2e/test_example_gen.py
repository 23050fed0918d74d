"""Reading a corpus through Beam, compared with the reader without Beam."""

import random

import pytest

pytestmark = pytest.mark.slow

SENTENCE = {"Ada": "B-PER", "Bea": "B-PER", "Basel": "B-LOC", "Lyon": "B-LOC"}


def document(rng, tagged):
    lines = ["-DOCSTART- O", ""]
    for _ in range(rng.randrange(1, 6)):
        tokens = [
            rng.choice(["Ada", "Bea", "Basel", "Lyon", "walks", "in", "the", "Zoë’s", "🇫🇷", "中"])
            for _ in range(rng.randrange(1, 60))
        ]
        lines += [f"{token} {tagged.get(token, 'O')}" for token in tokens] + [""]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """A folder with a corpus of each layout."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = random.Random(5)
    documents = [document(rng, SENTENCE) for _ in range(90)]
    (folder / "one-file.conll").write_text("".join(documents), encoding="utf-8")
    for name, splits in (
        ("given", ("train", "dev", "test")),
        ("no-dev", ("train", "test")),
        ("no-test", ("train", "dev")),
    ):
        (folder / name).mkdir()
        for n, split in enumerate(splits):
            (folder / name / f"{split}.conll").write_text(
                "".join(documents[n * 30 : n * 30 + 30]), encoding="utf-8"
            )
    (folder / "two-files").mkdir()
    for n in range(2):
        (folder / "two-files" / f"part{n}.conll").write_text(
            "".join(documents[n * 45 : n * 45 + 45]), encoding="utf-8"
        )
    (folder / "lines.jsonl").write_text(
        "".join(
            f'{{"text": "{name} meets Bea 👍🏽 in Lyon",'
            f' "entities": [[0, {len(name)}, "PER"], [{len(name) + 17}, {len(name) + 21}, "LOC"]]}}\n'
            for name in (f"Ada{n}" for n in range(80))
        ),
        encoding="utf-8",
    )
    return folder


NAMES = ("one-file.conll", "given", "no-dev", "no-test", "two-files", "lines.jsonl")


@pytest.fixture(scope="module")
def through_beam(corpora):
    """A function that reads a corpus through Beam, writes it as the component does, and returns its examples by split."""
    import apache_beam as beam
    import tensorflow as tf

    from components.corpus.reading import ReadOptions
    from components.corpus.splits import find_splits
    from components.ingest import source

    def read_examples(name, **options):
        target = corpora / f"out-{name}-{len(options)}"
        with beam.Pipeline() as pipeline:
            for split, examples in source.examples_of(
                pipeline, find_splits(str(corpora / name)), ReadOptions(**options)
            ).items():
                examples | f"Write[{split}]" >> beam.io.WriteToTFRecord(
                    str(target / split / "e"), file_name_suffix=".gz"
                )
        return {
            split.name: [
                tf.train.Example.FromString(record.numpy())
                for record in tf.data.TFRecordDataset(
                    sorted(map(str, split.iterdir())), compression_type="GZIP"
                )
            ]
            for split in target.iterdir()
        }

    return read_examples


def strings(example, name):
    return tuple(value.decode() for value in example.features.feature[name].bytes_list.value)


def integers(example, name):
    return tuple(example.features.feature[name].int64_list.value)


@pytest.fixture(scope="module")
def both_readers(corpora, through_beam):
    """A function that returns the rows of a corpus read with Beam and without, and the examples read with Beam.

    A row is split, id, document, tokens, tags and offsets.
    """
    from components.corpus.reading import read_corpus
    from components.corpus.splits import find_splits

    cache = {}

    def rows(name):
        if name not in cache:
            examples = through_beam(name)
            beam_rows = [
                (
                    split,
                    *(strings(example, key)[0] for key in ("sentence", "document")),
                    strings(example, "tokens"),
                    strings(example, "tags"),
                    tuple(zip(integers(example, "starts"), integers(example, "ends"), strict=True)),
                )
                for split, group in examples.items()
                for example in group
            ]
            plain = [
                (
                    split,
                    sentence.id,
                    sentence.document,
                    sentence.tokens,
                    sentence.tags,
                    sentence.offsets or (),
                )
                for split, sentence in read_corpus(find_splits(str(corpora / name)))
            ]
            cache[name] = beam_rows, plain, examples
        return cache[name]

    return rows


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_is_read_once_and_in_its_split(both_readers, name):
    beam_rows, plain, _ = both_readers(name)
    assert sorted(beam_rows) == sorted(plain)
    assert len({row[1] for row in plain}) == len(plain)


@pytest.mark.parametrize("name", ["one-file.conll", "two-files"])
def test_a_document_is_in_one_split_only(both_readers, name):
    beam_rows, _, _ = both_readers(name)
    splits = {}
    for split, _, document, *_ in beam_rows:
        splits.setdefault(document, set()).add(split)
    assert len(splits) == 90 and all(len(names) == 1 for names in splits.values())


@pytest.mark.parametrize("name", NAMES)
def test_entity_seen_compares_each_entity_with_those_of_train(both_readers, name):
    from components.ner.tags import spans_of

    _, plain, examples = both_readers(name)
    train = {}
    for split, _, _, tokens, tags, _ in plain:
        if split == "train":
            for span in spans_of(tags, "IOB2"):
                train.setdefault(tokens[span.start : span.end], set()).add(span.type)
    for group in examples.values():
        for example in group:
            tokens, spans = strings(example, "tokens"), spans_of(strings(example, "tags"), "IOB2")
            known = [train.get(tokens[span.start : span.end], set()) for span in spans]
            assert integers(example, "entity_seen") == tuple(
                1 if span.type in types else 2 if types else 0
                for span, types in zip(spans, known, strict=True)
            )


def test_entity_seen_distinguishes_unseen_from_seen_entities(both_readers):
    _, _, examples = both_readers("lines.jsonl")
    assert {integers(example, "entity_seen") for example in examples["test"]} == {(0, 1)}


def test_every_sentence_has_the_class_of_its_length(both_readers):
    _, _, examples = both_readers("one-file.conll")
    classes = {
        "up to 10 tokens": (1, 10),
        "11 to 25 tokens": (11, 25),
        "26 to 50 tokens": (26, 50),
        "over 50 tokens": (51, 99),
    }
    seen = set()
    for example in (example for group in examples.values() for example in group):
        [name] = strings(example, "length")
        shortest, longest = classes[name]
        assert shortest <= len(strings(example, "tokens")) <= longest
        seen.add(name)
    assert seen == set(classes)


def test_bad_lines_skip_leaves_out_sentences_with_errors(corpora, through_beam):
    text = (corpora / "given" / "train.conll").read_text(encoding="utf-8")
    (corpora / "bad").mkdir()
    (corpora / "bad" / "train.conll").write_text(text + "Ada WRONG\nwalks O\n\n", encoding="utf-8")
    for split in ("dev", "test"):
        (corpora / "bad" / f"{split}.conll").write_text(text, encoding="utf-8")
    examples = through_beam("bad", bad_lines="skip", scheme="IOB2")
    assert len(examples["train"]) == len(examples["dev"]) > 0


def test_an_error_in_a_sentence_read_through_beam_is_a_user_error(corpora, through_beam):
    from components.errors import find_user_error

    (corpora / "refused").mkdir()
    for split in ("train", "dev", "test"):
        (corpora / "refused" / f"{split}.conll").write_text(
            "Ada B-PER\n\nBea WRONG\n", encoding="utf-8"
        )
    with pytest.raises(Exception) as caught:
        through_beam("refused", scheme="IOB2")
    message = find_user_error(caught.value)
    assert (
        message.startswith(str(corpora / "refused"))
        and ".conll:3: found the tag 'WRONG'" in message
    )
    assert message.endswith("--set bad_lines=skip")
