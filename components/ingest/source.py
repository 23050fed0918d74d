"""Corpora as a Beam source: the tf.Examples of each split, streamed one sentence at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Optional

import apache_beam as beam

from components.corpus import reading
from components.corpus.model_tokens import with_model_tokens
from components.ingest import examples, features
from components.ner.sentence import surface

# The split and the Sentence. It is `Any`, because Beam may choose a special coder for a dataclass.
_SplitAndSentence = tuple[str, Any]


class ReadSplit(beam.DoFn):
    """Reads files: `(name of the files in the corpus, path)` to `(split, Sentence)`.

    The name is a split, or "all" for files whose sentences are divided among the splits. The
    sentences have the tokens that the model makes of their text.
    """

    def __init__(self, plan: reading.Plan, options: reading.ReadOptions) -> None:
        self._plan, self._options = plan, options

    def process(self, element: tuple[str, str]) -> Iterator[_SplitAndSentence]:
        name, file = element
        rule = self._plan.rules.get(name)
        for sentence in reading.sentences_of([file], self._plan, self._options):
            split = rule.split_of(sentence) if rule else name
            yield split, with_model_tokens(sentence, self._plan.granularity)


def examples_of(
    pipeline: beam.Pipeline,
    splits: reading.Splits,
    options: reading.ReadOptions,
    plan: Optional[reading.Plan] = None,
) -> dict[str, beam.PCollection]:
    """Returns the serialised tf.Examples of each split of a corpus.

    The files are read twice: first for the entities of train, and with several spans also for the
    words of train in the earlier spans; then for the examples, which are compared with these. That
    takes less memory than holding the corpus.

    Args:
      pipeline: the pipeline to add the source to.
      splits: the files of the corpus.
      options: how to read them.
      plan: how each file is read, from `reading.make_plan`; made here without it.
    """
    read = ReadSplit(plan or reading.make_plan(splits, options), options)
    files = [(name, file) for name, group in splits.files.items() for file in group]
    train = (
        pipeline
        | "TrainFiles" >> beam.Create([item for item in files if item[0] in ("train", "all")])
        | "OneWorkerAFileForEntities" >> beam.Reshuffle()
        | "ReadTrain" >> beam.ParDo(read)
        | "OfTrain" >> beam.Filter(lambda element: element[0] == "train")
    )
    known = (
        train
        | "Entities" >> beam.FlatMap(_entities)
        | "TypesOfEntities" >> beam.CombinePerKey(beam.combiners.ToSetCombineFn())
        | "KnownEntities" >> beam.combiners.ToDict()
    )
    side_inputs = [beam.pvalue.AsSingleton(known)]
    if len(splits.spans) > 1:
        origins = _origins(splits)
        words = (
            train
            | "Words" >> beam.FlatMap(_earlier_words, origins)
            | "KnownWords" >> beam.combiners.ToSet()
        )
        side_inputs += [beam.pvalue.AsSingleton(words), origins]
    outputs = (
        pipeline
        | "Files" >> beam.Create(files)
        | "OneWorkerAFile" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(read)
        | "ToExample" >> beam.FlatMap(_to_example, *side_inputs).with_outputs(*splits.names)
    )
    return {name: outputs[name] for name in splits.names}


def _entities(element: _SplitAndSentence) -> Iterator[tuple[str, str]]:
    _, sentence = element
    for span in sentence.spans:
        yield surface(sentence.tokens, span), span.type


class _Origin(NamedTuple):
    """The span that a file belongs to."""

    span: str  # prefix of the ids of its sentences
    arrival: str  # `features.NEWEST` or `features.EARLIER`


def _origins(splits: reading.Splits) -> dict[str, _Origin]:
    """The origin of each file that belongs to a span; files of a golden set belong to no span."""
    spans = {file: splits.span_of(file) for group in splits.files.values() for file in group}
    return {
        file: _Origin(
            str(span).replace(" ", "-"),
            features.NEWEST if span == splits.spans[-1] else features.EARLIER,
        )
        for file, span in spans.items()
        if span
    }


def _earlier_words(element: _SplitAndSentence, origins: Mapping[str, _Origin]) -> Iterator[str]:
    _, sentence = element
    if origins[sentence.file].arrival == features.EARLIER:
        yield from {token.lower() for token in sentence.tokens}


def _to_example(
    element: _SplitAndSentence, known: Any, words: Any = (), origins: Any = None
) -> Iterator[beam.pvalue.TaggedOutput]:
    """Yields the example of a sentence, tagged with its split.

    Args:
      element: the split and the sentence.
      known: `KnownEntities`, the entities of train.
      words: the words of train in the earlier spans, in lower case.
      origins: the origin of each file that belongs to a span; None without several spans.
    """
    split, sentence = element
    arrival, compared_words = "", None
    if origins and sentence.file in origins:
        span, arrival = origins[sentence.file]
        sentence = replace(sentence, id=f"{span}/{sentence.id}")
        # The words of train in the earlier spans are `words` themselves.
        if arrival == features.NEWEST or split != "train":
            compared_words = words
    example = examples.of_sentence(sentence, known, arrival, compared_words)
    yield beam.pvalue.TaggedOutput(split, example.SerializeToString(deterministic=True))
