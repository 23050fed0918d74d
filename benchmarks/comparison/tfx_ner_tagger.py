"""tfx-ner: `tag CORPUS READING MODEL PREDICTIONS PREDICTIONS_FROM_TEXT` and `measure CORPUS READING
MODEL`, where READING is how to read the corpus, as JSON. Runs in .venv.
"""

import json
import sys
from collections import deque
from collections.abc import Callable, Iterable

from benchmarks.comparison import pace
from components.corpus import reading
from components.corpus.formats import conll
from components.export.evaluation import Evaluation
from components.export.published_model import PublishedModel
from components.ner.sentence import Sentence
from components.ner.tokens import text_of
from pipeline import __version__


def tag(corpus: str, options: str, path: str, predictions: str, from_text: str) -> None:
    """Tags the sentences to evaluate on, from tokens and from text."""
    sentences = _sentences(corpus, options)
    model = PublishedModel(path)
    for file, as_text in ((predictions, False), (from_text, True)):
        found = [spans for _, spans in Evaluation(model, as_text).predictions(sentences)]
        with open(file, "w", encoding="utf-8", newline="\n") as stream:
            conll.write_conll(stream, sentences, predictions=found)


def measure(corpus: str, options: str, path: str) -> None:
    """Answers how fast it is."""
    sentences = _sentences(corpus, options)
    model = PublishedModel(path)
    lengths = [len(one.tokens) for one in sentences]
    several = pace.enough(sentences, lengths)
    texts = [text_of(one)[0] for one in several]
    short = [text_of(sentences[number])[0] for number in pace.short(lengths)]
    total = sum(len(one.tokens) for one in several)

    def paced(tagged: Callable[[list], Iterable], given: list) -> float:
        return pace.tokens_per_second(lambda batch: deque(tagged(batch), maxlen=0), given, total)

    pace.answer(
        {
            "text_tokens_per_second": lambda: paced(model.predict, texts),
            "tokens_per_second": lambda: paced(model.tag, [one.tokens for one in several]),
            "milliseconds": lambda: pace.milliseconds(model.predict_one, short),
        },
        version=__version__,
        model_mb=sum(file.stat().st_size for file in model.path.rglob("*") if file.is_file()) / 1e6,
        processes=1,
    )


def _sentences(corpus: str, options: str) -> list[Sentence]:
    splits = reading.find_splits(corpus)
    return list(
        reading.read_split(splits, splits.evaluation, reading.ReadOptions(**json.loads(options)))
    )


if __name__ == "__main__":
    {"tag": tag, "measure": measure}[sys.argv[1]](*sys.argv[2:])
