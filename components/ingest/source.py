"""The readers of corpora as a Beam source: examples of each split, in streams that hold no more than a sentence."""

from collections import defaultdict
from collections.abc import Iterator

import apache_beam as beam

from components.corpus import reading, splits
from components.ingest import examples


class ReadSplit(beam.DoFn):
    """File and the name it stands under in the corpus ('train' … or 'all') to `(split, Sentence)`."""

    def __init__(self, found: reading.Splits, options: reading.ReadOptions):
        self._found, self._options = found, options
        self._plan = reading.make_plan(found, options)

    def process(self, element: tuple[str, str]) -> Iterator[tuple[str, object]]:
        name, file = element
        cut = reading.cut_of(name, self._found)
        for sentence in reading.sentences_of([file], self._plan, self._options):
            yield (splits.split_of(sentence, cut) if cut else name), sentence


def examples_of(pipeline: beam.Pipeline, path: str, options: reading.ReadOptions) -> dict[str, beam.PCollection]:
    """Serialised tf.Examples of each split of the corpus at `path`.

    The files are read twice, once for the entities of train, which the examples of all splits are compared with: reading
    again is cheap, holding a corpus in memory is not.
    """
    found = reading.find_splits(path)
    read = ReadSplit(found, options)
    files = [(name, file) for name, group in found.files.items() for file in group]
    holding_train = [(name, file) for name, file in files if name in ("train", "all")]
    known = (
        pipeline
        | "TrainFiles" >> beam.Create(holding_train)
        | "OneWorkerAFileForEntities" >> beam.Reshuffle()
        | "ReadTrain" >> beam.ParDo(read)
        | "Entities" >> beam.FlatMap(_train_entities)
        | "Known" >> beam.CombineGlobally(_TypesBySurface())
    )
    outputs = (
        pipeline
        | "Files" >> beam.Create(files)
        | "OneWorkerAFile" >> beam.Reshuffle()
        | "Read" >> beam.ParDo(read)
        | "ToExample" >> beam.FlatMap(_tagged_example, beam.pvalue.AsSingleton(known)).with_outputs(*found.names)
    )
    return {name: outputs[name] for name in found.names}


def _train_entities(element) -> Iterator[tuple[str, str]]:
    split, sentence = element
    if split == "train":
        for span in sentence.spans:
            yield examples.surface(sentence.tokens, span), span.type


def _tagged_example(element, known) -> Iterator[beam.pvalue.TaggedOutput]:
    split, sentence = element
    yield beam.pvalue.TaggedOutput(split, examples.of_sentence(sentence, known).SerializeToString(deterministic=True))


class _TypesBySurface(beam.CombineFn):
    """Pairs (surface, type) to `KnownEntities`."""

    def create_accumulator(self):
        return defaultdict(set)

    def add_input(self, accumulator, element):
        surface, name = element
        accumulator[surface].add(name)
        return accumulator

    def merge_accumulators(self, accumulators):
        merged = defaultdict(set)
        for accumulator in accumulators:
            for surface, names in accumulator.items():
                merged[surface] |= names
        return merged

    def extract_output(self, accumulator):
        return {surface: frozenset(names) for surface, names in accumulator.items()}
