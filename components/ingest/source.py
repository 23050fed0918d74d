"""The readers of corpora as a Beam source: examples of each split, in streams that hold no more than a sentence."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import apache_beam as beam

from components.corpus import reading
from components.ingest import examples, features
from components.ner.novelty import surface


class ReadSplit(beam.DoFn):
    """File and the name it stands under in the corpus ('train' … or 'all') to `(split, Sentence)`."""

    def __init__(
        self, found: reading.Splits, options: reading.ReadOptions, plan: reading.Plan
    ) -> None:
        self._found, self._options, self._plan = found, options, plan

    def process(self, element: tuple[str, str]) -> Iterator[tuple[str, object]]:
        name, file = element
        rule = self._plan.rules.get(name)
        for sentence in reading.sentences_of([file], self._plan, self._options):
            yield (rule.split_of(sentence) if rule else name), sentence


def examples_of(
    pipeline: beam.Pipeline,
    found: reading.Splits,
    options: reading.ReadOptions,
    plan: reading.Plan | None = None,
) -> dict[str, beam.PCollection]:
    """Serialised tf.Examples of each split of a corpus.

    The files are read twice, once for the entities of train, and for the words of train in the spans before the newest, with which
    the examples are compared: reading again is cheap, holding a corpus in memory is not.
    """
    read = ReadSplit(found, options, plan or reading.make_plan(found, options))
    files = [(name, file) for name, group in found.files.items() for file in group]
    holding_train = [(name, file) for name, file in files if name in ("train", "all")]
    train = (
        pipeline
        | "TrainFiles" >> beam.Create(holding_train)
        | "OneWorkerAFileForEntities" >> beam.Reshuffle()
        | "ReadTrain" >> beam.ParDo(read)
        | "OfTrain" >> beam.Filter(lambda element: element[0] == "train")
    )
    known = (
        train
        | "Entities" >> beam.FlatMap(_entities)
        | "KnownEntities" >> beam.CombineGlobally(_TypesBySurface())
    )
    to_example = beam.FlatMap(_tagged_example, beam.pvalue.AsSingleton(known))
    if len(found.spans) > 1:
        origins = _origins(found)
        words = (
            train
            | "Words" >> beam.FlatMap(_words, origins)
            | "KnownWords" >> beam.CombineGlobally(_Distinct())
        )
        to_example = beam.FlatMap(
            _tagged_example_of_span,
            beam.pvalue.AsSingleton(known),
            beam.pvalue.AsSingleton(words),
            origins,
        )
    outputs = (
        pipeline
        | "Files" >> beam.Create(files)
        | "OneWorkerAFile" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(read)
        | "ToExample" >> to_example.with_outputs(*found.names)
    )
    return {name: outputs[name] for name in found.names}


def _entities(element) -> Iterator[tuple[str, str]]:
    _, sentence = element
    for span in sentence.spans:
        yield surface(sentence.tokens, span), span.type


class _Origin(NamedTuple):
    """Of which span a file is: its name, as ids of sentences begin with it, and whether it is the newest."""

    span: str
    arrival: str


def _origins(found: reading.Splits) -> dict[str, _Origin]:
    """The origin of each file that is of a span; a golden set's is of none."""
    spans = {file: found.span_of(file) for group in found.files.values() for file in group}
    return {
        file: _Origin(
            str(span).replace(" ", "-"),
            features.NEWEST if span == found.spans[-1] else features.EARLIER,
        )
        for file, span in spans.items()
        if span
    }


def _words(element, origins: Mapping[str, _Origin]) -> Iterator[str]:
    _, sentence = element
    if origins[sentence.file].arrival == features.EARLIER:
        yield from {token.lower() for token in sentence.tokens}


def _tagged_example(element, known) -> Iterator[beam.pvalue.TaggedOutput]:
    yield _tagged(element, known)


def _tagged_example_of_span(
    element, known, words, origins: Mapping[str, _Origin]
) -> Iterator[beam.pvalue.TaggedOutput]:
    split, sentence = element
    if sentence.file not in origins:
        yield _tagged(element, known)
        return
    span, arrival = origins[sentence.file]
    named = replace(sentence, id=f"{span}/{sentence.id}")
    # What the earlier spans train on has all its own words.
    compared = arrival == features.NEWEST or split != "train"
    yield _tagged((split, named), known, arrival, words if compared else None)


def _tagged(element, *particulars) -> beam.pvalue.TaggedOutput:
    split, sentence = element
    return beam.pvalue.TaggedOutput(
        split, examples.of_sentence(sentence, *particulars).SerializeToString(deterministic=True)
    )


class _TypesBySurface(beam.CombineFn):
    """Pairs (surface, type) to `KnownEntities`."""

    def create_accumulator(self):
        return defaultdict(set)

    def add_input(self, accumulator, element):
        words, name = element
        accumulator[words].add(name)
        return accumulator

    def merge_accumulators(self, accumulators):
        merged = defaultdict(set)
        for accumulator in accumulators:
            for words, names in accumulator.items():
                merged[words] |= names
        return merged

    def extract_output(self, accumulator):
        return {words: frozenset(names) for words, names in accumulator.items()}


class _Distinct(beam.CombineFn):
    """Strings to the set of them."""

    def create_accumulator(self):
        return set()

    def add_input(self, accumulator, element):
        accumulator.add(element)
        return accumulator

    def merge_accumulators(self, accumulators):
        return set().union(*accumulators)

    def extract_output(self, accumulator):
        return frozenset(accumulator)
