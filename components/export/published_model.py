"""A published model in this process: entities in text, and tags for tokens. Needs TensorFlow, not TFX."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from components import tf_runtime
from components.errors import UserError
from components.export import card
from components.export.entity import Entity
from components.ner import tags
from components.ner.sentence import Span
from components.publishing.versions import version_folders
from components.storage import copies
from components.storage.remote import Remote, is_remote

_T = TypeVar("_T")
_BATCH, _CHARACTERS = 512, 200_000
_SIGNATURES = {"serving_default", "examples"}
_AT_ONCE = 8  # batches at most: each takes memory


def find(path: str | os.PathLike) -> Path:
    """The folder of a SavedModel: `path` itself, or the newest version in a folder of versions; of one elsewhere, its copy.

    Raises UserError where there is none.
    """
    address = newest_elsewhere(path)
    folder = Path(copies.local(address) if address else path)
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = (
        [
            version
            for version in version_folders(folder).values()
            if (version / "saved_model.pb").is_file()
        ]
        if folder.is_dir()
        else []
    )
    if not versions:
        raise _no_model(path)
    return versions[-1]


def newest_elsewhere(path: str | os.PathLike) -> str | None:
    """The address of a SavedModel elsewhere, found as `find` does; None for a path of this machine.

    Raises UserError where there is none.
    """
    if not is_remote(path):
        return None
    base = Remote(os.fspath(path).rstrip("/"))
    if (base / "saved_model.pb").is_file():
        return str(base)
    versions = copies.versions(base)
    if not versions:
        raise _no_model(path)
    return str(base / str(versions[-1]))


def _no_model(path: str | os.PathLike) -> UserError:
    return UserError(
        f"{path}: no published model here; expected a folder that holds saved_model.pb, or folders of"
        " versions that do, as WORKDIR/serving/ner"
    )


def identify(path: str | os.PathLike) -> tuple[Path, card.Card]:
    """The folder of a published model, found as `find` does, and its card.

    Raises UserError where there is none, or one of another project.
    """
    folder = find(path)
    found = card.read(folder)
    if found is None or found.interface != card.INTERFACE:
        raise UserError(
            f"{folder}: this SavedModel has no ner.json of interface {card.INTERFACE}; expected a model"
            " that tfx-ner run published"
        )
    return folder, found


class PublishedModel:
    """A SavedModel with this project's signatures.

    Args:
      path: the folder of a version, or of versions: the newest is taken.
      threads: how many TensorFlow is to take in this process, if it has not begun yet, and how many batches run at once;
        0 for one a core.

    Raises UserError where the folder holds none, or one of another project.
    """

    def __init__(self, path: str | os.PathLike, threads: int = 0):
        self.path, self.card = identify(path)
        # Only here: it takes longer than a user waits for an error in the path.
        self._tf = tf = tf_runtime.import_tensorflow(threads)
        self._at_once = min(threads or tf_runtime.available_cores(), _AT_ONCE)
        self._pool = ThreadPoolExecutor(self._at_once)
        from components.export import saved_model

        try:
            self._model = saved_model.SavedModel(self.path)
            if missing := _SIGNATURES - self._model.definitions.keys():
                raise ValueError(f"no signature {missing.pop()}")
        except (OSError, KeyError, ValueError, RuntimeError, tf.errors.OpError) as error:
            raise UserError(
                f"{self.path}: cannot load the model ({str(error).splitlines()[0]})"
            ) from None

    def recognise(self, texts: Iterable[str]) -> Iterator[tuple[Entity, ...]]:
        """The entities of each text, in order; texts are taken in batches."""
        return (entities for _, entities in self.recognised(texts))

    def recognised(self, texts: Iterable[str]) -> Iterator[tuple[str, tuple[Entity, ...]]]:
        """Each text with its entities. Lone surrogates, which UTF-8 cannot hold, are read as question marks."""
        for batch, found in self._side_by_side(_batches(texts, len), self._found):
            yield from _entities(batch, found)

    def _found(self, texts: Sequence[str]) -> dict[str, Any]:
        return self._model.run(
            "serving_default", {"text": [text.encode("utf-8", "replace") for text in texts]}
        )

    def tag(self, sentences: Iterable[Sequence[str]]) -> Iterator[tuple[Span, ...]]:
        """The entities of each sentence given as tokens, as spans of those tokens."""
        return (spans for spans, _ in self.tagged(sentences))

    def tagged(
        self, sentences: Iterable[Sequence[str]]
    ) -> Iterator[tuple[tuple[Span, ...], tuple[float, ...]]]:
        """As `tag`, with the score of each entity."""
        batches = _batches(sentences, lambda tokens: sum(map(len, tokens)))
        for batch, found in self._side_by_side(batches, self._tags):
            for tokens, row, scores in zip(batch, found["tags"], found["scores"]):
                spans = tags.spans_of([tag.decode() for tag in row[: len(tokens)]], "IOB2")
                yield spans, tuple(float(scores[span.start]) for span in spans)

    def _tags(self, sentences: Sequence[Sequence[str]]) -> dict[str, Any]:
        return self._model.run(
            "examples", {"examples": [self._example(tokens) for tokens in sentences]}
        )

    def _side_by_side(
        self, batches: Iterator[list[_T]], run: Callable[[list[_T]], dict[str, Any]]
    ) -> Iterator[tuple[list[_T], dict[str, Any]]]:
        """Each batch with what `run` makes of it, in order; some run at once."""
        first = list(islice(batches, 2))
        if (
            len(first) == 1
        ):  # nothing to run beside it: to wake a thread takes longer than a step of the model
            yield first[0], run(first[0])
            return
        running: deque[tuple[list[_T], Future]] = deque()
        for batch in chain(first, batches):
            running.append((batch, self._pool.submit(run, batch)))
            if len(running) > self._at_once:
                batch, found = running.popleft()
                yield batch, found.result()
        for batch, found in running:
            yield batch, found.result()

    def _example(self, tokens: Sequence[str]) -> bytes:
        train = self._tf.train
        values = train.BytesList(value=[token.encode("utf-8", "replace") for token in tokens])
        return train.Example(
            features=train.Features(feature={"tokens": train.Feature(bytes_list=values)})
        ).SerializeToString()


def _entities(
    texts: Sequence[str], found: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[Entity, ...]]]:
    """Each text with its entities, from the dense outputs of the signature."""
    for row, text in enumerate(texts):
        values = zip(*(found[key][row] for key in ("start", "end", "type", "score")))
        yield (
            text,
            tuple(
                Entity(text[start:end], type_.decode(), int(start), int(end), float(score))
                for start, end, type_, score in islice(values, int(found["count"][row]))
            ),
        )


def _batches(items: Iterable[_T], characters: Callable[[_T], int]) -> Iterator[list[_T]]:
    """Items in batches of limited number and length: what the model needs of memory grows with both."""
    batch: list[_T] = []
    length = 0
    for item in items:
        batch.append(item)
        length += characters(item)
        if len(batch) == _BATCH or length >= _CHARACTERS:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
