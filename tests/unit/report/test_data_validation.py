"""Anomalies and statistics of TensorFlow Data Validation as figures."""

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components.report.data import anomaly_figures, statistics_figures
from components.report.figures import Anomaly, FeatureStatistics

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
