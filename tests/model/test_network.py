"""The network's input."""

from hypothesis import given, settings
from hypothesis import strategies as st

from components.settings import Model
from components.tagger.batch import unique_tokens_of_sentences
from components.tagger.network import Sizes, input_widths
from tests.model.conftest import make_tagger
from tests.model.test_learner import batch

DIMENSIONS = st.integers(1, 9)


@settings(max_examples=100)
@given(DIMENSIONS, DIMENSIONS, DIMENSIONS, DIMENSIONS, DIMENSIONS, DIMENSIONS, st.integers(0, 9))
def test_any_settings_give_an_even_input_width(
    words, units, filters, shapes, preceding, affixes, vectors
):
    model = Model(
        word_dimensions=words,
        vector_units=units,
        character_filters=filters,
        shape_dimensions=shapes,
        preceding_char_dimensions=preceding,
        affix_dimensions=affixes,
    )
    widths = input_widths(Sizes(5, 5, 5, vectors), model)
    assert sum(widths.values()) % 2 == 0
    assert widths["preceding_chars"] - preceding in (0, 1)
    assert widths["words"] == words and widths["affixes"] == 4 * affixes


def test_the_input_has_the_announced_widths():
    for tagger in (make_tagger(), make_tagger(others=("pear", "plum"))):
        unique = unique_tokens_of_sentences(batch([[1, 2, 3], [4, 5, 6]]))
        inputs = tagger.network.token_inputs(unique, training=False)
        assert inputs.shape == (6, sum(tagger.network.input_widths.values()))
        assert inputs.shape[1] % 2 == 0
