"""The features of an example, by name: what ExampleGen writes and everything after it relies on."""

from dataclasses import dataclass
from typing import Literal

TOKENS = "tokens"
TAGS = "tags"
DOCUMENT = "document"
SENTENCE = "sentence"
STARTS = "starts"
ENDS = "ends"
LENGTH = "length"
SEEN = "entity_seen"
ARRIVAL = "arrival"
FAMILIAR = "token_familiar"

NEWEST, EARLIER = "newest", "earlier"  # values of ARRIVAL


@dataclass(frozen=True)
class Feature:
    """`always`: present in every example; `one`: never more than one value."""

    name: str
    kind: Literal["bytes", "int"]
    always: bool = True
    one: bool = False


FEATURES = (
    Feature(TOKENS, "bytes"),  # UTF-8, as the corpus has them
    Feature(TAGS, "bytes"),  # IOB2, one for each token
    Feature(
        DOCUMENT, "bytes", one=True
    ),  # identity of the document, empty where the corpus has none
    Feature(SENTENCE, "bytes", one=True),  # identity of the sentence: file and line
    Feature(
        STARTS, "int", always=False
    ),  # code point offsets of each token in its text, where known
    Feature(ENDS, "int", always=False),
    Feature(LENGTH, "bytes", one=True),  # class of sentence length, for slices
    Feature(
        SEEN, "int", always=False
    ),  # for each entity: 1 if train has it with this type, 2 with another type only, else 0
    Feature(
        ARRIVAL, "bytes", always=False, one=True
    ),  # of which span, where there are several: the newest or an earlier one
    Feature(
        FAMILIAR, "bytes", always=False
    ),  # for each token that those were not trained on: whether their train has it
)
