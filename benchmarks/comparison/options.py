"""The user's options of a comparison."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """The options.

    Attributes:
        seeds: models of tfx-ner to train.
        assignments: settings of tfx-ner, KEY=VALUE.
        vectors: file of pretrained vectors for tfx-ner.
        language: spaCy's language.
        spacy_steps: the most steps of spaCy's training; None for its default.
    """

    seeds: int = 3
    assignments: tuple[str, ...] = ()
    vectors: str | None = None
    language: str = "xx"
    spacy_steps: int | None = None
