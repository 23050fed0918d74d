"""The features of a tf.Example, by name, as ExampleGen writes them for all later nodes."""

from dataclasses import dataclass
from typing import Literal

TOKENS = "tokens"  # UTF-8, as the corpus has them
TAGS = "tags"  # IOB2, one for each token
DOCUMENT = "document"  # id of the document, empty if the corpus has no documents
SENTENCE = "sentence"  # id of the sentence: file and line
STARTS = "starts"  # code point offset of each token in its text, if known
ENDS = "ends"  # the same of each token's end
LENGTH = "length"  # class of sentence length, for slices
SEEN = "entity_seen"  # novelty of each entity (`components.ner.sentence`)
ARRIVAL = "arrival"  # with several spans: NEWEST or EARLIER
FAMILIAR = (
    "token_familiar"  # whether train has each token, outside the train split of earlier spans
)

NEWEST, EARLIER = "newest", "earlier"


@dataclass(frozen=True)
class Feature:
    """A feature of an example."""

    name: str
    kind: Literal["bytes", "int"]
    always: bool = True  # present in every example
    one: bool = False  # never more than one value


FEATURES = (
    Feature(TOKENS, "bytes"),
    Feature(TAGS, "bytes"),
    Feature(DOCUMENT, "bytes", one=True),
    Feature(SENTENCE, "bytes", one=True),
    Feature(STARTS, "int", always=False),
    Feature(ENDS, "int", always=False),
    Feature(LENGTH, "bytes", one=True),
    Feature(SEEN, "int", always=False),
    Feature(ARRIVAL, "bytes", always=False, one=True),
    Feature(FAMILIAR, "bytes", always=False),
)
