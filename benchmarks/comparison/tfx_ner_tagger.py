"""tfx-ner: `CORPUS READING MODEL PREDICTIONS PREDICTIONS_FROM_TEXT FIGURES`, where READING is how to read it, as JSON.

Tags the sentences to evaluate on, from tokens and from text, and measures how fast. Runs in .venv.
"""

import json
import sys
from collections import deque

from benchmarks.comparison import pace
from components.corpus import reading, writing
from pipeline import __version__
from serving.evaluation import Evaluation
from serving.model import PublishedModel


def main(corpus: str, options: str, path: str, predictions: str, from_text: str, figures: str) -> None:
    splits = reading.find_splits(corpus)
    sentences = list(reading.read_split(splits, splits.evaluation, reading.ReadOptions(**json.loads(options))))
    model = PublishedModel(path)
    for file, as_text in ((predictions, False), (from_text, True)):
        found = [spans for _, spans in Evaluation(model, as_text).predictions(sentences)]
        with open(file, "w", encoding="utf-8", newline="\n") as stream:
            writing.write_conll(stream, sentences, predictions=found)

    lengths = [len(one.tokens) for one in sentences]
    several = pace.enough(sentences, lengths)
    texts = [writing.text_of(one)[0] for one in several]
    tokens = sum(len(one.tokens) for one in several)

    def paced(tag, given) -> float:
        return pace.tokens_per_second(lambda batch: deque(tag(batch), maxlen=0), lambda: given, tokens)

    pace.write(
        figures,
        version=__version__,
        text_tokens_per_second=paced(model.recognise, texts),
        tokens_per_second=paced(model.tag, [one.tokens for one in several]),
        milliseconds=pace.milliseconds(
            lambda text: list(model.recognise([text])),
            [writing.text_of(sentences[number])[0] for number in pace.short(lengths)],
        ),
        model_mb=sum(file.stat().st_size for file in model.path.rglob("*") if file.is_file()) / 1e6,
        processes=1,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
