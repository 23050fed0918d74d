"""tfx-ner: `tag CORPUS READING MODEL PREDICTIONS PREDICTIONS_FROM_TEXT` and `measure CORPUS READING
MODEL`, where READING is how to read the corpus, as JSON. Runs in .venv.
"""

import sys
from collections import deque
from collections.abc import Callable, Iterable

from benchmarks.comparison import programs
from components.corpus import reading
from components.corpus.formats import conll
from components.corpus.splits import find_splits
from components.export.published_model import Evaluation, PublishedModel
from components.ner.sentence import Sentence
from components.ner.tokens import text_of
from pipeline import __version__


def tag(corpus: str, options: str, path: str, predictions: str, from_text: str) -> None:
    """Tags the sentences to evaluate on, from tokens and from text."""
    sentences = _read_sentences(corpus, options)
    model = PublishedModel(path)
    for file, as_text in ((predictions, False), (from_text, True)):
        spans = [spans for _, spans in Evaluation(model, as_text).predictions(sentences)]
        with open(file, "w", encoding="utf-8", newline="\n") as stream:
            conll.write_conll(stream, sentences, predictions=spans)


def measure(corpus: str, options: str, path: str) -> None:
    """Measures the speed."""
    model, sentences = PublishedModel(path), _read_sentences(corpus, options)
    texts = {sentence.tokens: text_of(sentence)[0] for sentence in sentences}
    tokens = [sentence.tokens for sentence in sentences]
    several, short = programs.enough(tokens), programs.short(tokens)
    total = sum(map(len, several))

    def tokens_per_second(tag_all: Callable[[list], Iterable], batch: list) -> float:
        return programs.tokens_per_second(
            lambda batch: deque(tag_all(batch), maxlen=0), batch, total
        )

    programs.print_figures(
        {
            "text_tokens_per_second": lambda: tokens_per_second(
                model.predict, [texts[one] for one in several]
            ),
            "tokens_per_second": lambda: tokens_per_second(model.tag, several),
            "milliseconds": lambda: programs.milliseconds(
                model.predict_one, [texts[one] for one in short]
            ),
        },
        version=__version__,
        model_mb=programs.size_mb(model.path),
        processes=1,
    )


def _read_sentences(corpus: str, options: str) -> list[Sentence]:
    splits = find_splits(corpus)
    read_options = reading.ReadOptions.model_validate_json(options)
    return list(reading.read_split(splits, splits.evaluation, read_options))


if __name__ == "__main__":
    {"tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
