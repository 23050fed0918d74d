"""Cache keys without absolute paths, and the private module of TFX that they rely on."""

import functools
import inspect
import json
from pathlib import Path

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.orchestration.portable import cache_utils, launcher
from tfx.types import standard_artifacts

from components.compat import tfx_private
from pipeline import launch
from pipeline.workdir import Workdir


@pytest.fixture
def roots(tmp_path):
    """The paths of one workdir before and after a move."""
    paths = tmp_path / "old", tmp_path / "new"
    for path in paths:
        path.mkdir()
        Workdir(path, "ner").write_location("")
    return paths


def parameters(root, data):
    splits = {"path": data, "files": {"train": [f"{data}/train.conll"]}, "test_is": ""}
    splits["spans"] = [{"number": 1, "version": 0, "path": f"{data}/span-1", "lacking": ""}]
    return {
        "corpus": json.dumps({"splits": splits, "fingerprint": "f"}),
        "path": f"{root}/schema/schema.pbtxt",
        "contract": f"{root}/schema/schema.pbtxt",
        "push_destination": f'{{"filesystem": {{"base_directory": "{root}/serving/ner"}}}}',
        "custom_config": json.dumps({"live": f"{root}/serving/ner", "vectors_content": "v"}),
        "epochs": 3,
    }


def model(root, updated):
    artifact = standard_artifacts.Model()
    record = artifact.mlmd_artifact
    record.id, record.uri = 4, f"{root}/artifacts/Trainer/model/8"
    record.custom_properties["current_model"].string_value = record.uri
    record.last_update_time_since_epoch = updated
    return artifact


def test_parameters_do_not_depend_on_the_paths_of_workdir_and_corpus(roots):
    old, new = roots
    before = launch.portable_parameters(parameters(old, "/data/toy"), old)
    after = launch.portable_parameters(parameters(new, "/mnt/toy"), new)
    assert before == after
    assert str(old) not in str(before) and "/data" not in str(before)
    assert before["epochs"] == 3 and '"fingerprint": "f"' in before["corpus"]


def test_the_path_of_a_schema_outside_the_workdir_is_not_in_the_key(roots):
    old, _ = roots
    assert "path" not in launch.portable_parameters({"path": "/etc/schema.pbtxt"}, old)
    assert launch.portable_parameters({"path": f"{old}/schema/schema.pbtxt"}, old)["path"]


def test_a_different_fingerprint_is_a_different_parameter(roots):
    old, _ = roots
    corpus = {"splits": {"path": "/data"}, "fingerprint": "f"}
    other = {**corpus, "fingerprint": "g"}
    first, second = (
        launch.portable_parameters({"corpus": json.dumps(values)}, old)
        for values in (corpus, other)
    )
    assert first != second


def test_artifacts_do_not_depend_on_the_path_of_the_workdir_and_are_not_changed(roots):
    old, new = roots
    [before] = launch.portable_artifacts({"model": [model(old, 1)]}, old)["model"]
    given = model(new, 2)
    [after] = launch.portable_artifacts({"model": [given]}, new)["model"]
    assert before.mlmd_artifact == after.mlmd_artifact
    assert given.uri == f"{new}/artifacts/Trainer/model/8"
    assert given.mlmd_artifact.last_update_time_since_epoch == 2


def test_workdirs_that_share_a_database_have_separate_keys(tmp_path):
    paths = tmp_path / "a", tmp_path / "b"
    for path in paths:
        path.mkdir()
        Workdir(path, "ner").write_location("mysql://db:3306/tfx_ner")
    keys = [launch.portable_parameters(parameters(path, "/data"), path) for path in paths]
    assert keys[0] != keys[1]


def test_tfx_computes_its_keys_with_the_function_that_is_replaced(roots):
    """The launcher looks up the function in its module and passes keyword arguments."""
    assert launcher.cache_utils is cache_utils
    named = inspect.signature(cache_utils.get_cache_context).parameters
    assert {"input_artifacts", "output_artifacts", "parameters"} <= set(named)
    source = inspect.getsource(launcher.Launcher._prepare_execution)
    assert "cache_utils.get_cache_context(" in source
    for name in ("input_artifacts=input_artifacts", "parameters=exec_properties"):
        assert name in source.replace(" ", "")


def test_keys_are_portable_inside_the_context_and_those_of_tfx_after_it(roots, monkeypatch):
    given = []
    monkeypatch.setattr(cache_utils, "get_cache_context", lambda **named: given.append(named))
    original, root = cache_utils.get_cache_context, roots[0]
    with tfx_private.cache_keys(
        functools.partial(launch.portable_artifacts, root=root),
        functools.partial(launch.portable_parameters, root=root),
    ):
        cache_utils.get_cache_context(
            input_artifacts={"model": [model(root, 1)]},
            parameters=parameters(root, "/data"),
            pipeline_node="node",
        )
    assert cache_utils.get_cache_context is original
    [named] = given
    assert str(root) not in str(named["parameters"]) and named["pipeline_node"] == "node"
    [artifact] = named["input_artifacts"]["model"]
    assert artifact.uri == "workdir:/artifacts/Trainer/model/8"
    assert isinstance(artifact.mlmd_artifact, pb.Artifact)


def test_every_irrelevant_key_is_set_in_the_graph():
    """A parameter renamed in the graph would silently become part of the keys again."""
    source = Path(launch.__file__).with_name("graph.py").read_text()
    components = Path(launch.__file__).parents[1] / "components"
    source += "".join(path.read_text() for path in components.glob("*/*.py"))
    for key in launch.IRRELEVANT:
        name = key.rpartition(".")[2]
        assert f'"{name}"' in source or f"{name}=" in source or f"{name}:" in source, key
