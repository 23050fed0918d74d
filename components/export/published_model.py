"""A published model, loaded in this process: predicts entities of texts and of tokens, and scores them.

Needs TensorFlow, not TFX.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice, tee
from pathlib import Path
from typing import Any, TypeVar

from components import tf_runtime
from components.errors import UserError
from components.export import card
from components.export.entity import Entity, token_spans, with_minimum_score
from components.ner import tags
from components.ner.scores import CorpusScores, score
from components.ner.sentence import Sentence, Span
from components.ner.tokens import text_of
from components.publishing.versions import version_folders
from components.storage import copies
from components.storage.remote import Remote, is_remote

_T = TypeVar("_T")
_MAX_ITEMS, _MAX_CHARACTERS = 512, 200_000  # in a batch
_SIGNATURES = {"serving_default", "examples"}
_MAX_CONCURRENCY = 8  # batches: each takes memory


def find_version(path: str | os.PathLike) -> Path:
    """Finds the folder of a SavedModel.

    Args:
      path: the folder itself, or a folder of versions, of which the newest is taken. It may be an
        address in remote storage.

    Returns:
      The folder, or the local copy of a remote one.

    Raises:
      UserError: there is no SavedModel.
    """
    address = find_remote_version(path)
    folder = Path(copies.local_copy(address) if address else path)
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [
        version
        for version in (version_folders(folder).values() if folder.is_dir() else ())
        if (version / "saved_model.pb").is_file()
    ]
    if not versions:
        raise _no_model(path)
    return versions[-1]


def find_remote_version(path: str | os.PathLike) -> str | None:
    """Finds the address of a SavedModel in remote storage, as `find_version`.

    Returns None for a path of this machine. Raises UserError where there is no SavedModel.
    """
    if not is_remote(path):
        return None
    base = Remote(os.fspath(path).rstrip("/"))
    if (base / "saved_model.pb").is_file():
        return str(base)
    versions = copies.list_versions(base)
    if not versions:
        raise _no_model(path)
    return str(base / str(versions[-1]))


def _no_model(path: str | os.PathLike) -> UserError:
    return UserError(
        f"{path}: no published model here; expected a folder that holds saved_model.pb, or folders"
        " of versions that do, such as WORKDIR/serving/ner"
    )


def find_model(path: str | os.PathLike) -> tuple[Path, card.Card]:
    """Finds the folder of a published model, as `find_version`, and reads its card.

    Raises UserError where there is no model, or one of another project.
    """
    folder = find_version(path)
    model_card = card.load_card(folder)
    if model_card is None or model_card.interface != card.INTERFACE:
        raise UserError(
            f"{folder}: this SavedModel has no ner.json of interface {card.INTERFACE}; expected a"
            " model that tfx-ner run published"
        )
    try:
        _ = model_card.granularity
    except ValueError as error:
        raise UserError(
            f"{folder}: ner.json: tokenizer: {error}; a newer release trained this model"
        ) from None
    return folder, model_card


class PublishedModel:
    """A published model, loaded in this process.

    Args:
      path: the folder of a version, or of versions, of which the newest is taken.
      threads: how many threads TensorFlow takes in this process, if it has not started yet, and how
        many batches run at once; 0 for one a core.

    Attributes:
      path: the folder of the version.
      card: the version's card.

    Raises:
      UserError: the folder holds no model, or one of another project.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 0):
        self.path, self.card = find_model(path)
        # Imported after the path is checked, so that a wrong path is reported at once.
        self._tf = tf = tf_runtime.import_tensorflow(threads)
        self._concurrency = min(threads or tf_runtime.available_cores(), _MAX_CONCURRENCY)
        self._pool = ThreadPoolExecutor(self._concurrency)
        from components.export import saved_model

        try:
            self._model = saved_model.SavedModel(self.path)
            if missing := _SIGNATURES - self._model.definitions.keys():
                raise ValueError(f"no signature {missing.pop()}")
        except (OSError, KeyError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise UserError(
                f"{self.path}: cannot load the model ({str(error).splitlines()[0]})"
            ) from None

    def predict(
        self, texts: Iterable[str], *, minimum_score: float = 0.0
    ) -> list[tuple[Entity, ...]]:
        """The entities of each text, in order; those with a lower score are left out."""
        return [entities for _, entities in self.predict_iter(texts, minimum_score=minimum_score)]

    def predict_one(self, text: str, *, minimum_score: float = 0.0) -> tuple[Entity, ...]:
        """The entities of one text; those with a lower score are left out."""
        return self.predict([text], minimum_score=minimum_score)[0]

    def predict_iter(
        self, texts: Iterable[str], *, minimum_score: float = 0.0
    ) -> Iterator[tuple[str, tuple[Entity, ...]]]:
        """Yields each text with its entities, in order, while texts are read in batches.

        Args:
          texts: the texts. Lone surrogates, which UTF-8 cannot encode, are read as question marks.
          minimum_score: entities with a lower score are left out.
        """
        for batch, outputs in self._run_batches(_batches(texts, len), self._run_texts):
            for text, entities in _entities(batch, outputs):
                yield text, with_minimum_score(entities, minimum_score)

    def tag(self, sentences: Iterable[Sequence[str] | Sentence]) -> Iterator[tuple[Span, ...]]:
        """Yields the entities of each sentence as spans of its tokens.

        Args:
          sentences: the tokens, or sentences, whose offsets the model reads too.
        """
        return (spans for spans, _ in self.tag_with_scores(sentences))

    def tag_with_scores(
        self, sentences: Iterable[Sequence[str] | Sentence]
    ) -> Iterator[tuple[tuple[Span, ...], tuple[float, ...]]]:
        """Yields the entities of each sentence, as `tag`, and the score of each entity."""
        batches = _batches(
            sentences, lambda sentence: sum(map(len, _tokens_and_offsets(sentence)[0]))
        )
        for batch, outputs in self._run_batches(batches, self._run_tokens):
            for sentence, row, scores in zip(batch, outputs["tags"], outputs["scores"]):
                count = len(_tokens_and_offsets(sentence)[0])
                spans = tags.spans_of([tag.decode() for tag in row[:count]], "IOB2")
                yield spans, tuple(float(scores[span.start]) for span in spans)

    def _run_texts(self, texts: Sequence[str]) -> dict[str, Any]:
        return self._model.run(
            "serving_default", {"text": [text.encode("utf-8", "replace") for text in texts]}
        )

    def _run_tokens(self, sentences: Sequence[Sequence[str] | Sentence]) -> dict[str, Any]:
        return self._model.run(
            "examples", {"examples": [self._example(sentence) for sentence in sentences]}
        )

    def _run_batches(
        self, batches: Iterator[list[_T]], run: Callable[[list[_T]], dict[str, Any]]
    ) -> Iterator[tuple[list[_T], dict[str, Any]]]:
        """Yields each batch with the model's outputs, in order; several batches run at once."""
        first = list(islice(batches, 2))
        if len(first) == 1:
            # Waking a thread takes longer than a step of the model.
            yield first[0], run(first[0])
            return
        running: deque[tuple[list[_T], Future]] = deque()
        for batch in chain(first, batches):
            running.append((batch, self._pool.submit(run, batch)))
            if len(running) > self._concurrency:
                batch, future = running.popleft()
                yield batch, future.result()
        for batch, future in running:
            yield batch, future.result()

    def _example(self, sentence: Sequence[str] | Sentence) -> bytes:
        tokens, offsets = _tokens_and_offsets(sentence)
        example = self._tf.train.Example()
        features = example.features.feature
        encoded = (token.encode("utf-8", "replace") for token in tokens)
        features["tokens"].bytes_list.value.extend(encoded)
        features["starts"].int64_list.value.extend(start for start, _ in offsets)
        features["ends"].int64_list.value.extend(end for _, end in offsets)
        return example.SerializeToString()


class Evaluation:
    """Predicts the entities of sentences and scores them against their labels, in one pass.

    Args:
      model: the published model.
      from_text: let the model tokenise. It gets a sentence's text, or its tokens joined by spaces,
        and its entities are mapped to the sentence's own tokens.

    Attributes:
      scores: the scores of the sentences so far; its seconds are those of the model.
    """

    def __init__(self, model: PublishedModel, from_text: bool = False):
        self._model, self._from_text = model, from_text
        self.scores = CorpusScores()

    def predictions(
        self, sentences: Iterable[Sentence]
    ) -> Iterator[tuple[Sentence, tuple[Span, ...]]]:
        """Yields each sentence with the predicted entities, as spans of its tokens."""
        inputs, labelled = tee(sentences)
        if self._from_text:
            predictions = self._from_texts(inputs)
        else:
            predictions = self._model.tag(inputs)
        for sentence in labelled:
            started = time.perf_counter()
            spans = next(predictions)
            seconds = time.perf_counter() - started
            counts = score(sentence.spans, spans)
            self.scores += CorpusScores(counts, 1, len(sentence.tokens), seconds)
            yield sentence, spans

    def _from_texts(self, sentences: Iterable[Sentence]) -> Iterator[tuple[Span, ...]]:
        inputs, labelled = tee(sentences)
        predictions = self._model.predict_iter(text_of(sentence)[0] for sentence in inputs)
        for (_, entities), sentence in zip(predictions, labelled):
            yield token_spans(entities, text_of(sentence)[1])


def _tokens_and_offsets(
    sentence: Sequence[str] | Sentence,
) -> tuple[Sequence[str], Sequence[tuple[int, int]]]:
    """The tokens of a sentence and their offsets, () where they are not known."""
    if isinstance(sentence, Sentence):
        return sentence.tokens, sentence.offsets or ()
    return sentence, ()


def _entities(
    texts: Sequence[str], outputs: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[Entity, ...]]]:
    """Yields each text with its entities, from the dense outputs of the signature."""
    for index, text in enumerate(texts):
        columns = zip(*(outputs[name][index] for name in ("start", "end", "type", "score")))
        yield (
            text,
            tuple(
                Entity(text[start:end], type_.decode(), int(start), int(end), float(score))
                for start, end, type_, score in islice(columns, int(outputs["count"][index]))
            ),
        )


def _batches(items: Iterable[_T], characters: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Yields items in batches of limited number and length, which bound the model's memory."""
    batch: list[_T] = []
    length = 0
    for item in items:
        batch.append(item)
        length += characters(item)
        if len(batch) == _MAX_ITEMS or length >= _MAX_CHARACTERS:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
