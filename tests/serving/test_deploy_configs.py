"""The model configurations of the deployment, parsed as TensorFlow Serving parses them."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

DEPLOY = Path(__file__).resolve().parents[2] / "serving" / "deploy"


def models(path):
    """The base path of each model by name, after a check that it serves the latest version without labels."""
    proto = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((DEPLOY / path).read_text(encoding="utf-8"), proto)
    for model in proto.model_config_list.config:
        policy = model.model_version_policy
        assert policy.WhichOneof("policy_choice") == "latest" and policy.latest.num_versions == 1
        assert model.model_platform == "tensorflow" and not model.version_labels
    return {model.name: model.base_path for model in proto.model_config_list.config}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("config/models.config", {"ner": "/models/ner"}),
        ("config/both.config", {"ner": "/models/ner", "ner-canary": "/models/ner-canary"}),
        (
            "config/canary.config",
            {"ner": "/models/ner-canary", "ner-canary": "/models/ner-canary"},
        ),
        (
            "kubernetes/canary/models.config",
            {"ner": "/models/ner-canary", "ner-canary": "/models/ner-canary"},
        ),
    ],
)
def test_each_server_loads_its_own_models(path, expected):
    assert models(path) == expected
