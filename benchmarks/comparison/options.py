"""What is the user's choice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """`assignments` (KEY=VALUE) and `vectors`, a path, are tfx-ner's; `language` and `spacy_steps`, None for its own number,
    are spaCy's.
    """

    seeds: int = 3
    assignments: tuple[str, ...] = ()
    vectors: str | None = None
    language: str = "xx"
    spacy_steps: int | None = None
