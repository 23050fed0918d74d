"""Figures of splits and their overlap, and of TensorFlow Data Validation's anomalies and statistics."""

from itertools import pairwise

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.ner.sentence import Sentence, Span
from components.report.data import anomaly_figures, split_figures, statistics_figures
from components.report.figures import Anomaly, FeatureStatistics


def sentence(text, *spans, document=""):
    return Sentence(tuple(text.split()), spans, document)


ADA = Span(0, 1, "PER")


def test_sizes_and_shares_of_unknown_tokens_and_entities():
    (train, test), _ = split_figures(
        {
            "train": [
                sentence("Ada saw", ADA, document="a"),
                sentence("Ada Lovelace", Span(0, 2, "PER"), document="b"),
            ],
            "test": [sentence("Ada sang", ADA), sentence("Bob saw Ada", ADA, Span(2, 3, "LOC"))],
        }
    )
    assert (train.sentences, train.tokens, train.entities, train.documents, train.longest) == (
        2,
        4,
        2,
        2,
        2,
    )
    assert (train.unknown_tokens, train.unknown_entities) == (None, None)
    assert test.types == {"LOC": 1, "PER": 2}
    assert test.unknown_tokens == pytest.approx(2 / 5)  # sang, Bob
    assert test.unknown_entities == pytest.approx(2 / 3)  # Bob, and Ada as LOC


def test_the_overlap_of_splits():
    long = "Ada saw a very long film"
    _, (overlap,) = split_figures(
        {"train": [sentence(long, ADA)], "test": [sentence(long, ADA), sentence("Ada", ADA)]}
    )
    assert (overlap.left, overlap.right) == ("train", "test")
    assert (overlap.sentences, overlap.sentence_share) == (1, 0.5)
    assert (overlap.entities, overlap.entity_share) == (2, 1.0)


def test_train_is_read_first():
    test, train = [sentence("Ada saw", ADA)], [sentence("Ada sang", ADA)]
    (of_test, of_train), _ = split_figures({"test": test, "train": train})
    assert (of_test.name, of_test.unknown_tokens) == (
        "test",
        0.5,
    ) and of_train.unknown_tokens is None


@settings(deadline=None)
@given(st.lists(st.integers(1, 300), max_size=20))
def test_every_sentence_is_in_the_bin_of_its_length(lengths):
    (train,), _ = split_figures({"train": [sentence("a " * length) for length in lengths]})
    assert sum(part.count for part in train.lengths) == len(lengths)
    for part in train.lengths:
        assert part.count == sum(part.low <= length <= part.high for length in lengths)
    assert all(later.low == earlier.high + 1 for earlier, later in pairwise(train.lengths))


def test_figures_of_an_empty_split():
    (train, test), (overlap,) = split_figures({"train": [], "test": []})
    assert (train.sentences, test.unknown_tokens, overlap.sentence_share, train.lengths) == (
        0,
        0,
        0,
        (),
    )


STATISTICS = """
datasets { num_examples: 3 name: "arrival_newest" features { path { step: "tags" } type: STRING } }
datasets {
  num_examples: 9
  features {
    path { step: "tags" } type: STRING
    string_stats {
      common_stats { num_non_missing: 8 num_missing: 1 tot_num_values: 40 avg_num_values: 5 }
      unique: 3
      top_values { value: "O" frequency: 35 }
      top_values { value: "B-PER" frequency: 5 }
    }
  }
  features {
    name: "starts" type: INT
    num_stats { common_stats { num_non_missing: 9 tot_num_values: 40 avg_num_values: 4.5 } }
  }
}
"""
ANOMALIES = """
anomaly_info { key: "tags" value { reason { description: "Unexpected value B-X. " } reason { description: "And B-Y." } } }
dataset_anomaly_info { description: "Few examples." }
"""


def test_statistics_are_those_of_all_examples_of_a_split():
    found = text_format.Parse(STATISTICS, statistics_pb2.DatasetFeatureStatisticsList())
    assert list(statistics_figures({"dev": found})) == [
        FeatureStatistics("dev", "tags", 8, 1, 40, 3, 5.0, {"O": 35, "B-PER": 5}),
        FeatureStatistics("dev", "starts", 9, 0, 40, None, 4.5, {}),
    ]


def test_each_reason_is_an_anomaly():
    found = text_format.Parse(ANOMALIES, anomalies_pb2.Anomalies())
    assert list(anomaly_figures({"train": anomalies_pb2.Anomalies(), "dev": found})) == [
        Anomaly("dev", "tags", "Unexpected value B-X."),
        Anomaly("dev", "tags", "And B-Y."),
        Anomaly("dev", "", "Few examples."),
    ]
