"""A model of the other stack has the same predictions: TFX 1.16 with TensorFlow 2.16, and TFX 1.21 with 2.21.

`TFX_NER_OTHER_STACK_MODEL` names a published version that the other stack trained, with the file
`expected.json` in it: what the other stack's `python -m tests.serving.test_other_stack VERSION` printed.
"""

import json
import os
import sys
from pathlib import Path

import pytest

TEXTS = (
    "Ada Byron met Zoë in Basel.",
    "",
    "Example Works Ltd. will open an office in Lisbon next year, the Evening Paper wrote on Monday.",
    "no names at all in here",
    "👍🏽 Zo\u0308e, Ещё раз in São Paulo\nand\tBerlin",
)
VARIABLE = "TFX_NER_OTHER_STACK_MODEL"


def entities(version: Path) -> list[list[list]]:
    """The entities of each text: start, end, type and score."""
    from components.export.published_model import PublishedModel

    model = PublishedModel(version)
    return [
        [[one.start, one.end, one.type, one.score] for one in found]
        for found in model.predict(TEXTS)
    ]


def test_a_model_of_the_other_stack_finds_the_same_entities():
    if not os.environ.get(VARIABLE):
        pytest.skip(f"needs a model of the other stack; {VARIABLE} names no folder")
    version = Path(os.environ[VARIABLE])
    expected = json.loads((version / "expected.json").read_text(encoding="utf-8"))
    found = entities(version)
    assert [[one[:3] for one in text] for text in found] == [
        [one[:3] for one in text] for text in expected
    ]
    for here, there in zip(found, expected):
        assert [one[3] for one in here] == pytest.approx([one[3] for one in there], abs=1e-4)


if __name__ == "__main__":
    print(json.dumps(entities(Path(sys.argv[1]))))
