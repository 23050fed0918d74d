"""Resolvers: the model that a new one is compared with, and the one that training starts from."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def resolvers():
    from components.evaluation import resolvers

    return resolvers


class History:
    """A metadata store in memory, with models, their inputs and comparisons, and published versions."""

    def __init__(self, folder):
        from ml_metadata import metadata_store
        from ml_metadata.proto import metadata_store_pb2 as proto

        self.proto, self.folder = proto, folder
        config = proto.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(config)
        names = ("Model", "PushedModel", "TransformGraph")
        self.kinds = {
            name: self.store.put_artifact_type(proto.ArtifactType(name=name)) for name in names
        }
        names = ("tfx.Trainer", "tfx.Evaluator", "tfx.Pusher")
        self.steps = {
            name[4:]: self.store.put_execution_type(proto.ExecutionType(name=name))
            for name in names
        }

    def add_artifact(self, kind, **strings):
        one = self.proto.Artifact(type_id=self.kinds[kind])
        for key, value in strings.items():
            one.custom_properties[key].string_value = value
        [number] = self.store.put_artifacts([one])
        return number

    def add_execution(self, step, state="COMPLETE", output=None, **inputs):
        execution = self.proto.Execution(type_id=self.steps[step])
        execution.last_known_state = self.proto.Execution.State.Value(state)
        [number] = self.store.put_executions([execution])
        events = [(key, artifact, self.proto.Event.INPUT) for key, artifact in inputs.items()]
        events += [(*output, self.proto.Event.OUTPUT)] if output else []
        for key, artifact, kind in events:
            event = self.proto.Event(execution_id=number, artifact_id=artifact, type=kind)
            event.path.steps.add(key=key)
            self.store.put_events([event])

    def add_model(self, graph=None, start=None, compared_with=None):
        """A model made from a Transform graph and the weights of another, and compared with another."""
        number = self.add_artifact("Model")
        inputs = {"transform_graph": graph, "base_model": start}
        self.add_execution(
            "Trainer", output=("model", number), **{key: one for key, one in inputs.items() if one}
        )
        self.add_execution(
            "Evaluator",
            model=number,
            **({"baseline_model": compared_with} if compared_with else {}),
        )
        return number

    def publish(self, model, version):
        self.add_execution(
            "Pusher",
            model=model,
            output=("pushed_model", self.add_artifact("PushedModel", pushed_version=version)),
        )

    def artifacts(self, numbers, interface=None):
        """Models as a resolver is given them, each with its card."""
        from tfx.types import standard_artifacts

        from components.export import card

        found = []
        for number in numbers:
            one = standard_artifacts.Model()
            one.id, one.uri = number, str(self.folder / str(number))
            kept = card.Card(
                ("O", "B-X", "I-X"),
                "1",
                interface=card.INTERFACE if interface is None else interface,
            )
            card.save_card(kept, self.folder / str(number) / "Format-Serving")
            found.append(one)
        return found


@pytest.fixture
def history(tmp_path):
    return History(tmp_path)


def compared(history, resolvers, version, current, models, interface=None):
    given = {"current": history.artifacts([current]), "model": history.artifacts(models, interface)}
    return [
        one.id
        for one in resolvers.ServingModelStrategy(version).resolve_artifacts(history.store, given)[
            "model"
        ]
    ]


def test_a_model_is_compared_with_the_serving_one_rather_than_the_last_published(
    history, resolvers
):
    one, two, new = (history.add_model() for _ in range(3))
    history.publish(one, "17")
    history.publish(two, "18")
    assert compared(history, resolvers, "18", new, [one, two, new]) == [two]
    assert compared(history, resolvers, "17", new, [one, two, new]) == [one]  # after a rollback


def test_without_a_version_there_is_no_comparison(history, resolvers):
    one, new = history.add_model(), history.add_model()
    history.publish(one, "17")
    assert compared(history, resolvers, "", new, [one, new]) == []


def test_a_version_that_this_workdir_did_not_publish_is_not_compared_with(history, resolvers):
    one, new = history.add_model(), history.add_model()
    history.publish(one, "17")
    assert compared(history, resolvers, "16", new, [one, new]) == []


def test_the_serving_model_is_compared_with_its_own_baseline(history, resolvers):
    one = history.add_model()
    two = history.add_model(compared_with=one)
    history.publish(one, "17")
    assert compared(history, resolvers, "17", one, [one]) == []
    history.publish(two, "18")
    assert compared(history, resolvers, "18", two, [one, two]) == [one]


def test_the_latest_finished_evaluation_decides_the_baseline(history, resolvers):
    one, two = history.add_model(), history.add_model()
    new = history.add_model(compared_with=one)
    history.publish(new, "19")
    history.add_execution("Evaluator", model=new, baseline_model=two)
    assert compared(history, resolvers, "19", new, [one, two, new]) == [two]
    history.add_execution("Evaluator", "FAILED", model=new, baseline_model=one)
    assert compared(history, resolvers, "19", new, [one, two, new]) == [two]


def test_a_model_of_another_interface_is_not_compared_with(history, resolvers):
    one, new = history.add_model(), history.add_model()
    history.publish(one, "17")
    assert compared(history, resolvers, "17", new, [one, new], interface=0) == []


def test_a_deleted_model_is_not_compared_with(history, resolvers):
    one, new = history.add_model(), history.add_model()
    history.publish(one, "17")
    assert compared(history, resolvers, "17", new, [new]) == []


def started_from(history, resolvers, version, graph, models):
    from tfx.types import standard_artifacts

    current = standard_artifacts.TransformGraph()
    current.id = graph
    given = {"current": [current], "model": history.artifacts(models)}
    return [
        one.id
        for one in resolvers.WarmStartStrategy(version).resolve_artifacts(history.store, given)[
            "model"
        ]
    ]


def test_training_on_new_data_starts_from_the_serving_model(history, resolvers):
    old, new = history.add_artifact("TransformGraph"), history.add_artifact("TransformGraph")
    one = history.add_model(graph=old)
    history.publish(one, "17")
    assert started_from(history, resolvers, "17", new, [one]) == [one]
    assert started_from(history, resolvers, "", new, [one]) == []


def test_training_on_the_same_data_again_starts_from_the_same_weights(history, resolvers):
    first, second = history.add_artifact("TransformGraph"), history.add_artifact("TransformGraph")
    one = history.add_model(graph=first)
    history.publish(one, "17")
    assert started_from(history, resolvers, "17", first, [one]) == []
    two = history.add_model(graph=second, start=one)
    history.publish(two, "18")
    assert started_from(history, resolvers, "18", second, [one, two]) == [one]
