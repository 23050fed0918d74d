"""Workdirs with the folders, ML Metadata and versions of runs, created without TFX."""

import os
from dataclasses import replace
from pathlib import Path

from ml_metadata.proto import metadata_store_pb2 as pb

from components.export import card
from components.publishing import changes
from pipeline import metadata_store
from pipeline.config import Metadata
from pipeline.history.runs import TYPE, Facts, Record
from pipeline.workdir import Workdir

SCORES = {"precision": 0.75, "recall": 0.5, "f1": 0.6, "support": 8}


class RunHistory:
    """Creates runs of two nodes: a Trainer, which may be cached, and a Pusher that publishes its model."""

    def __init__(self, root, metadata=None):
        self.workdir = Workdir(root / "work", "ner")
        self.workdir.make()
        self.connection = metadata_store.connection(metadata or Metadata(), self.workdir)
        self.store = metadata_store.opened(self.connection)
        self.count = len(self.store.get_contexts_by_type(TYPE))

    def record(self, **facts):
        """Records the start of a run."""
        self.count += 1
        name = f"20260101-0000{self.count:02d}-000000"
        folder = self.workdir.runs / name
        folder.mkdir()
        (folder / "config.yaml").write_text(f"training: {{epochs: {self.count}}}\n")
        known = Facts(
            run=name,
            workdir=str(self.workdir.root),
            reason="by hand",
            corpus="toy",
            data="/data/toy",
            started=1_767_225_600.0 + self.count,
            process=1,
            host="elsewhere",
            config_hash="c",
            code_hash="d",
        )
        return Record(self.connection, replace(known, **facts))

    def add_run(
        self,
        cached=None,
        publish=True,
        verdict="published",
        weights="",
        compared_with=None,
        **facts,
    ):
        """Creates a finished run and returns its model.

        `cached` is the model of an earlier run, `compared_with` the baseline model of a resolver.
        """
        record = self.record(**facts)
        name = record.facts.run
        context = self._context("pipeline_run", name)

        def train(folder):
            _saved_model(folder / "Format-Serving", weights or name)
            return {}

        def push(folder):
            nonlocal version
            version = changes.publish(
                Path(model.uri) / "Format-Serving", self.workdir.versions
            ).name
            return {"pushed_version": version}

        version = ""
        model = self._node(context, "Trainer", "Model", "model", train, cached=cached)
        if compared_with:
            self._resolve(context, {"model": compared_with, "current": model})
        if publish:
            self._node(context, "Pusher", "PushedModel", "pushed_model", push, inputs=[model.id])
        (self.workdir.runs / name / "outcome.json").write_text("{}")
        record.end(
            verdict,
            0,
            version=version,
            overall=SCORES,
            per_type={"PER": SCORES},
            evaluated_on="test",
        )
        return model

    def _context(self, kind, name):
        type_id = self.store.put_context_type(pb.ContextType(name=kind))
        [number] = self.store.put_contexts([pb.Context(type_id=type_id, name=name)])
        return number

    def _node_context(self, node):
        name = f"tfx-ner.{node}"
        known = self.store.get_context_by_type_and_name("node", name)
        return known.id if known else self._context("node", name)

    def _node(self, context, node, kind, key, work, inputs=(), cached=None):
        """Runs a node as TFX does: registers the execution, writes the folder, then publishes both in one step."""
        execution = self._begin(context, node, inputs, key)
        artifact = cached or pb.Artifact(
            type_id=self.store.put_artifact_type(pb.ArtifactType(name=kind))
        )
        if cached is None:
            artifact.uri = str(self.workdir.artifacts / node / key / str(execution.id))
            os.makedirs(artifact.uri)
            for name, value in work(Path(artifact.uri)).items():
                artifact.custom_properties[name].string_value = value
            artifact.state = pb.Artifact.LIVE
        execution.last_known_state = (
            pb.Execution.COMPLETE if cached is None else pb.Execution.CACHED
        )
        event = pb.Event(type=pb.Event.OUTPUT)
        event.path.steps.add().key = key
        _, [artifact.id], _ = self.store.put_execution(execution, [(artifact, event)], [])
        self.store.put_attributions_and_associations(
            [pb.Attribution(artifact_id=artifact.id, context_id=context)], []
        )
        return artifact

    def _begin(self, context, node, inputs, key):
        type_id = self.store.put_execution_type(pb.ExecutionType(name=f"toy.{node}"))
        execution = pb.Execution(type_id=type_id, last_known_state=pb.Execution.RUNNING)
        [execution.id] = self.store.put_executions([execution])
        self.store.put_attributions_and_associations(
            [], [pb.Association(execution_id=execution.id, context_id=context)]
        )
        self.store.put_attributions_and_associations(
            [], [pb.Association(execution_id=execution.id, context_id=self._node_context(node))]
        )
        for one in inputs:
            event = pb.Event(artifact_id=one, execution_id=execution.id, type=pb.Event.INPUT)
            event.path.steps.add().key = key
            self.store.put_events([event])
        return execution

    def _resolve(self, context, found):
        execution = self._begin(context, "ServingModelResolver", (), "model")
        execution.last_known_state = pb.Execution.COMPLETE
        for key, artifact in found.items():
            event = pb.Event(type=pb.Event.INTERNAL_OUTPUT)
            event.path.steps.add().key = key
            self.store.put_execution(execution, [(artifact, event)], [])

    def add_unfinished_run(self, **facts):
        """Creates an unfinished run with a node in state RUNNING and the node's incomplete output."""
        record = self.record(**facts)
        execution = self._begin(
            self._context("pipeline_run", record.facts.run), "Trainer", (), "model"
        )
        folder = self.workdir.artifacts / "Trainer" / "model" / str(execution.id)
        os.makedirs(folder)
        (folder / "half").write_text("half a model")
        return record


def _saved_model(path, weights):
    (path / "variables").mkdir(parents=True)
    for name in (
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ):
        (path / name).write_text(weights)
    card.save_card(card.Card(("O", "B-PER", "I-PER"), "0"), path)
