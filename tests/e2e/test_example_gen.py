"""Reading through Beam gives the sentences of the plain reader, each split's, with nothing lost or torn."""

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
    """Corpora of each kind, by name; paths."""
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
    """The examples of each corpus, by split, read through Beam and written as the component writes them."""
    import apache_beam as beam
    import tensorflow as tf

    from components.corpus.reading import ReadOptions, find_splits
    from components.ingest import source

    def read(name, **options):
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

    return read


def strings(example, name):
    return tuple(value.decode() for value in example.features.feature[name].bytes_list.value)


def numbers(example, name):
    return tuple(example.features.feature[name].int64_list.value)


@pytest.fixture(scope="module")
def both(corpora, through_beam):
    """What Beam gave and what the plain reader gives of a corpus: split, id, document, tokens, tags, offsets."""
    from components.corpus.reading import find_splits, read_corpus

    known = {}

    def rows(name):
        if name not in known:
            examples = through_beam(name)
            beam_rows = [
                (
                    split,
                    *(strings(one, key)[0] for key in ("sentence", "document")),
                    strings(one, "tokens"),
                    strings(one, "tags"),
                    tuple(zip(numbers(one, "starts"), numbers(one, "ends"), strict=True)),
                )
                for split, group in examples.items()
                for one in group
            ]
            plain = [
                (split, one.id, one.document, one.tokens, one.tags, one.offsets or ())
                for split, one in read_corpus(find_splits(str(corpora / name)))
            ]
            known[name] = beam_rows, plain, examples
        return known[name]

    return rows


@pytest.mark.parametrize("name", NAMES)
def test_every_sentence_comes_once_in_its_split(both, name):
    beam_rows, plain, _ = both(name)
    assert sorted(beam_rows) == sorted(plain)
    assert len({row[1] for row in plain}) == len(plain)


@pytest.mark.parametrize("name", ["one-file.conll", "two-files"])
def test_documents_are_not_torn(both, name):
    beam_rows, _, _ = both(name)
    splits = {}
    for split, _, document, *_ in beam_rows:
        splits.setdefault(document, set()).add(split)
    assert len(splits) == 90 and all(len(where) == 1 for where in splits.values())


@pytest.mark.parametrize("name", NAMES)
def test_entities_are_compared_with_those_of_train(both, name):
    from components.ner.tags import spans_of

    _, plain, examples = both(name)
    train = {}
    for split, _, _, tokens, tags, _ in plain:
        if split == "train":
            for span in spans_of(tags, "IOB2"):
                train.setdefault(tokens[span.start : span.end], set()).add(span.type)
    for group in examples.values():
        for one in group:
            tokens, spans = strings(one, "tokens"), spans_of(strings(one, "tags"), "IOB2")
            known = [train.get(tokens[span.start : span.end], set()) for span in spans]
            assert numbers(one, "entity_seen") == tuple(
                1 if span.type in types else 2 if types else 0
                for span, types in zip(spans, known, strict=True)
            )


def test_unseen_entities_are_told_apart(both):
    _, _, examples = both("lines.jsonl")
    assert {numbers(one, "entity_seen") for one in examples["test"]} == {(0, 1)}


def test_lengths_fall_into_classes(both):
    _, _, examples = both("one-file.conll")
    classes = {
        "up to 10 tokens": (1, 10),
        "11 to 25 tokens": (11, 25),
        "26 to 50 tokens": (26, 50),
        "over 50 tokens": (51, 99),
    }
    seen = set()
    for one in (one for group in examples.values() for one in group):
        [name] = strings(one, "length")
        shortest, longest = classes[name]
        assert shortest <= len(strings(one, "tokens")) <= longest
        seen.add(name)
    assert seen == set(classes)


def test_bad_sentences_are_left_out_where_the_user_says_so(corpora, through_beam):
    text = (corpora / "given" / "train.conll").read_text(encoding="utf-8")
    (corpora / "bad").mkdir()
    (corpora / "bad" / "train.conll").write_text(text + "Ada WRONG\nwalks O\n\n", encoding="utf-8")
    for split in ("dev", "test"):
        (corpora / "bad" / f"{split}.conll").write_text(text, encoding="utf-8")
    examples = through_beam("bad", bad_lines="skip", scheme="IOB2")
    assert len(examples["train"]) == len(examples["dev"]) > 0


def test_a_bad_sentence_is_the_users_error_also_behind_beam(corpora, through_beam):
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
