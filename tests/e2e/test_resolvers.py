"""The resolvers of the baseline model and of the model that training starts from."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def resolvers():
    from components.evaluation import resolvers

    return resolvers


class MetadataHistory:
    """A metadata store in memory with models, their inputs, evaluations and published versions."""

    def __init__(self, folder):
        from ml_metadata import metadata_store
        from ml_metadata.proto import metadata_store_pb2 as proto

        self.proto, self.folder = proto, folder
        config = proto.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        names = ("Model", "PushedModel", "TransformGraph")
        self.artifact_types = {
            name: self.store.put_artifact_type(proto.ArtifactType(name=name)) for name in names
        }
        names = ("tfx.Trainer", "tfx.Evaluator", "tfx.Pusher")
        self.execution_types = {
            name[4:]: self.store.put_execution_type(proto.ExecutionType(name=name))
            for name in names
        }

    def add_artifact(self, kind, **strings):
        artifact = self.proto.Artifact(type_id=self.artifact_types[kind])
        for key, value in strings.items():
            artifact.custom_properties[key].string_value = value
        [artifact_id] = self.store.put_artifacts([artifact])
        return artifact_id

    def add_execution(self, step, state="COMPLETE", output=None, **inputs):
        execution = self.proto.Execution(type_id=self.execution_types[step])
        execution.last_known_state = self.proto.Execution.State.Value(state)
        [execution_id] = self.store.put_executions([execution])
        events = [(key, artifact, self.proto.Event.INPUT) for key, artifact in inputs.items()]
        events += [(*output, self.proto.Event.OUTPUT)] if output else []
        for key, artifact, kind in events:
            event = self.proto.Event(execution_id=execution_id, artifact_id=artifact, type=kind)
            event.path.steps.add(key=key)
            self.store.put_events([event])

    def add_model(self, graph=None, start=None, compared_with=None):
        """Adds a model with its Transform graph, start model and baseline; returns its artifact id."""
        model = self.add_artifact("Model")
        inputs = {"transform_graph": graph, "base_model": start}
        self.add_execution(
            "Trainer",
            output=("model", model),
            **{key: value for key, value in inputs.items() if value},
        )
        self.add_execution(
            "Evaluator",
            model=model,
            **({"baseline_model": compared_with} if compared_with else {}),
        )
        return model

    def publish(self, model, version):
        self.add_execution(
            "Pusher",
            model=model,
            output=("pushed_model", self.add_artifact("PushedModel", pushed_version=version)),
        )

    def artifacts(self, ids, interface=None):
        """The Model artifacts that a resolver gets, each with its card."""
        from tfx.types import standard_artifacts

        from components.export import card

        models = []
        for model_id in ids:
            model = standard_artifacts.Model()
            model.id, model.uri = model_id, str(self.folder / str(model_id))
            model_card = card.Card(
                ("O", "B-X", "I-X"),
                "1",
                interface=card.INTERFACE if interface is None else interface,
            )
            card.save_card(model_card, self.folder / str(model_id) / "Format-Serving")
            models.append(model)
        return models


@pytest.fixture
def history(tmp_path):
    return MetadataHistory(tmp_path)


def baseline_ids(history, resolvers, version, current, models, interface=None):
    given = {"current": history.artifacts([current]), "model": history.artifacts(models, interface)}
    return [
        artifact.id
        for artifact in resolvers.ServingModelStrategy(version).resolve_artifacts(
            history.store, given
        )["model"]
    ]


def test_the_baseline_is_the_serving_model_rather_than_the_last_published(history, resolvers):
    first, second, new = (history.add_model() for _ in range(3))
    history.publish(first, "17")
    history.publish(second, "18")
    assert baseline_ids(history, resolvers, "18", new, [first, second, new]) == [second]
    # After a rollback:
    assert baseline_ids(history, resolvers, "17", new, [first, second, new]) == [first]


def test_without_a_serving_version_there_is_no_baseline(history, resolvers):
    first, new = history.add_model(), history.add_model()
    history.publish(first, "17")
    assert baseline_ids(history, resolvers, "", new, [first, new]) == []


def test_a_version_that_the_workdir_did_not_publish_is_no_baseline(history, resolvers):
    first, new = history.add_model(), history.add_model()
    history.publish(first, "17")
    assert baseline_ids(history, resolvers, "16", new, [first, new]) == []


def test_the_serving_model_keeps_its_own_baseline(history, resolvers):
    first = history.add_model()
    second = history.add_model(compared_with=first)
    history.publish(first, "17")
    assert baseline_ids(history, resolvers, "17", first, [first]) == []
    history.publish(second, "18")
    assert baseline_ids(history, resolvers, "18", second, [first, second]) == [first]


def test_the_latest_finished_evaluation_decides_the_baseline(history, resolvers):
    first, second = history.add_model(), history.add_model()
    new = history.add_model(compared_with=first)
    history.publish(new, "19")
    history.add_execution("Evaluator", model=new, baseline_model=second)
    assert baseline_ids(history, resolvers, "19", new, [first, second, new]) == [second]
    history.add_execution("Evaluator", "FAILED", model=new, baseline_model=first)
    assert baseline_ids(history, resolvers, "19", new, [first, second, new]) == [second]


def test_a_model_with_another_interface_is_no_baseline(history, resolvers):
    first, new = history.add_model(), history.add_model()
    history.publish(first, "17")
    assert baseline_ids(history, resolvers, "17", new, [first, new], interface=0) == []


def test_a_deleted_model_is_no_baseline(history, resolvers):
    first, new = history.add_model(), history.add_model()
    history.publish(first, "17")
    assert baseline_ids(history, resolvers, "17", new, [new]) == []


def start_model_ids(history, resolvers, version, graph, models):
    from tfx.types import standard_artifacts

    current = standard_artifacts.TransformGraph()
    current.id = graph
    given = {"current": [current], "model": history.artifacts(models)}
    return [
        artifact.id
        for artifact in resolvers.WarmStartStrategy(version).resolve_artifacts(
            history.store, given
        )["model"]
    ]


def test_training_on_new_data_starts_from_the_serving_model(history, resolvers):
    old, new = history.add_artifact("TransformGraph"), history.add_artifact("TransformGraph")
    first = history.add_model(graph=old)
    history.publish(first, "17")
    assert start_model_ids(history, resolvers, "17", new, [first]) == [first]
    assert start_model_ids(history, resolvers, "", new, [first]) == []


def test_training_on_the_same_data_again_starts_from_the_same_weights(history, resolvers):
    first_graph, second_graph = (history.add_artifact("TransformGraph") for _ in range(2))
    first = history.add_model(graph=first_graph)
    history.publish(first, "17")
    assert start_model_ids(history, resolvers, "17", first_graph, [first]) == []
    second = history.add_model(graph=second_graph, start=first)
    history.publish(second, "18")
    assert start_model_ids(history, resolvers, "18", second_graph, [first, second]) == [first]
