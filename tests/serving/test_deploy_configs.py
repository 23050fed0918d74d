"""The deployment's models.config files, read as TensorFlow Serving reads them."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from components.export import formats

DEPLOY = Path(formats.__file__).parent / "deploy"


def parsed(path):
    proto = model_server_config_pb2.ModelServerConfig()
    text_format.Parse((DEPLOY / path).read_text(encoding="utf-8"), proto)
    [model] = proto.model_config_list.config
    return model


@pytest.mark.parametrize(
    "path", ["config/models.config", "config/labels.config", "kubernetes/canary/models.config"]
)
def test_every_file_serves_the_model_from_where_it_is_mounted(path):
    model = parsed(path)
    assert (model.name, model.base_path, model.model_platform) == (
        "ner",
        "/models/ner",
        "tensorflow",
    )


def test_the_default_serves_the_newest_version_alone():
    policy = parsed("config/models.config").model_version_policy
    assert policy.WhichOneof("policy_choice") == "latest" and policy.latest.num_versions == 1


def test_labels_go_on_versions_that_are_served():
    model = parsed("config/labels.config")
    assert model.version_labels.keys() == {"stable", "canary"}
    assert set(model.version_labels.values()) == set(model.model_version_policy.specific.versions)


def test_the_canary_is_the_version_that_labels_call_so():
    [version] = parsed("kubernetes/canary/models.config").model_version_policy.specific.versions
    assert version == parsed("config/labels.config").version_labels["canary"]
