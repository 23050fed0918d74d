"""What a new model is compared with and started from: the model that serves, by what ML Metadata knows of it."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def baselines():
    from components.evaluation import resolvers

    return resolvers


class Told:
    """A metadata store of its own, told of models, what they were made from and compared with, and what was published."""

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

    def artifact(self, kind, **strings):
        one = self.proto.Artifact(type_id=self.kinds[kind])
        for key, value in strings.items():
            one.custom_properties[key].string_value = value
        [number] = self.store.put_artifacts([one])
        return number

    def ran(self, step, state="COMPLETE", output=None, **inputs):
        execution = self.proto.Execution(type_id=self.steps[step])
        execution.last_known_state = self.proto.Execution.State.Value(state)
        [number] = self.store.put_executions([execution])
        events = [(key, artifact, self.proto.Event.INPUT) for key, artifact in inputs.items()]
        events += [(*output, self.proto.Event.OUTPUT)] if output else []
        for key, artifact, kind in events:
            event = self.proto.Event(execution_id=number, artifact_id=artifact, type=kind)
            event.path.steps.add(key=key)
            self.store.put_events([event])

    def model(self, graph=None, start=None, compared_with=None):
        """A model made from a Transform graph and the weights of another, and compared with another."""
        number = self.artifact("Model")
        inputs = {"transform_graph": graph, "base_model": start}
        self.ran(
            "Trainer", output=("model", number), **{key: one for key, one in inputs.items() if one}
        )
        self.ran(
            "Evaluator",
            model=number,
            **({"baseline_model": compared_with} if compared_with else {}),
        )
        return number

    def published(self, model, version):
        self.ran(
            "Pusher",
            model=model,
            output=("pushed_model", self.artifact("PushedModel", pushed_version=version)),
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
            card.write(kept, self.folder / str(number) / "Format-Serving")
            found.append(one)
        return found


@pytest.fixture
def told(tmp_path):
    return Told(tmp_path)


def compared(told, baselines, version, current, models, interface=None):
    given = {"current": told.artifacts([current]), "model": told.artifacts(models, interface)}
    return [
        one.id
        for one in baselines.ModelBefore(version).resolve_artifacts(told.store, given)["model"]
    ]


def test_the_model_that_serves_is_compared_with_and_not_the_one_published_last(told, baselines):
    one, two, new = (told.model() for _ in range(3))
    told.published(one, "17")
    told.published(two, "18")
    assert compared(told, baselines, "18", new, [one, two, new]) == [two]
    assert compared(told, baselines, "17", new, [one, two, new]) == [one]  # after a rollback


def test_where_nothing_serves_or_no_comparison_is_wanted_there_is_none(told, baselines):
    one, new = told.model(), told.model()
    told.published(one, "17")
    assert compared(told, baselines, "", new, [one, new]) == []


def test_a_version_that_this_workdir_has_not_published_is_not_compared_with(told, baselines):
    one, new = told.model(), told.model()
    told.published(one, "17")
    assert compared(told, baselines, "16", new, [one, new]) == []


def test_a_model_that_serves_itself_is_compared_with_what_it_was_when_it_was_new(told, baselines):
    one = told.model()
    two = told.model(compared_with=one)
    told.published(one, "17")
    assert compared(told, baselines, "17", one, [one]) == []
    told.published(two, "18")
    assert compared(told, baselines, "18", two, [one, two]) == [one]


def test_of_several_evaluations_the_latest_that_ended_counts(told, baselines):
    one, two = told.model(), told.model()
    new = told.model(compared_with=one)
    told.published(new, "19")
    told.ran("Evaluator", model=new, baseline_model=two)
    assert compared(told, baselines, "19", new, [one, two, new]) == [two]
    told.ran("Evaluator", "FAILED", model=new, baseline_model=one)
    assert compared(told, baselines, "19", new, [one, two, new]) == [two]


def test_a_model_of_another_interface_is_not_compared_with(told, baselines):
    one, new = told.model(), told.model()
    told.published(one, "17")
    assert compared(told, baselines, "17", new, [one, new], interface=0) == []


def test_a_model_that_is_gone_is_not_compared_with(told, baselines):
    one, new = told.model(), told.model()
    told.published(one, "17")
    assert compared(told, baselines, "17", new, [new]) == []


def started_from(told, baselines, version, graph, models):
    from tfx.types import standard_artifacts

    current = standard_artifacts.TransformGraph()
    current.id = graph
    given = {"current": [current], "model": told.artifacts(models)}
    return [
        one.id
        for one in baselines.WeightsBefore(version).resolve_artifacts(told.store, given)["model"]
    ]


def test_training_on_new_data_starts_from_the_model_that_serves(told, baselines):
    old, new = told.artifact("TransformGraph"), told.artifact("TransformGraph")
    one = told.model(graph=old)
    told.published(one, "17")
    assert started_from(told, baselines, "17", new, [one]) == [one]
    assert started_from(told, baselines, "", new, [one]) == []


def test_training_on_the_same_data_again_starts_where_it_did(told, baselines):
    first, second = told.artifact("TransformGraph"), told.artifact("TransformGraph")
    one = told.model(graph=first)
    told.published(one, "17")
    assert started_from(told, baselines, "17", first, [one]) == []
    two = told.model(graph=second, start=one)
    told.published(two, "18")
    assert started_from(told, baselines, "18", second, [one, two]) == [one]
