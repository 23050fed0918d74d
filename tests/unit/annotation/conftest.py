"""Shared by the tests of batch annotation: reads the shards of a file and writes them without a model."""

from pathlib import Path

import pytest

from components.export.entity import Entity
from pipeline.annotation import output as outputs
from pipeline.annotation import shards
from pipeline.annotation.output import AnnotationSpec, OutputFolder
from pipeline.annotation.shards import InputFormat


def find_names(texts):
    """Predicts every word with an initial capital as an entity, in place of a model."""
    found = []
    for text in texts:
        offset, entities = 0, []
        for word in text.split(" "):
            if word[:1].isupper():
                entities.append(Entity(word, "NAME", offset, offset + len(word), 0.9123456789))
            offset += len(word) + 1
        found.append(tuple(entities))
    return found


@pytest.fixture
def read_all():
    """A function that reads a file in shards of `size` bytes and returns the content of each."""

    def read(path, form="text", size=1000, field="text", longest=1000):
        cut = shards.cut_shards([shards.SourceFile.of(path)], form, size)
        return [shards.read_shard(shard, InputFormat(form, field, longest)) for shard in cut]

    return read


@pytest.fixture
def job():
    """A function that returns the annotation spec of a file."""

    def make(*paths, form="text", **changes):
        facts = {
            "format": "jsonl",
            "model": "/models/ner/1",
            "model_hash": "abc",
            "shard_bytes": 1000,
            **changes,
        }
        return AnnotationSpec(
            tuple(map(shards.SourceFile.of, paths)), InputFormat(form, "text", 1000), **facts
        )

    return make


@pytest.fixture
def annotate(tmp_path, read_all, job):
    """Annotates files into the folder `out` there without a model; gives the output, its shards, and the summary."""

    def run(*paths, form="text", to="jsonl", size=1000, without=()):
        cut = shards.cut_shards(list(map(shards.SourceFile.of, paths)), form, size)
        output = OutputFolder(tmp_path / "out", to, len(cut))
        with outputs.locked(output.root, job(*paths, form=form, format=to, shard_bytes=size)):
            for shard in cut:
                if shard.number not in without:
                    texts = shards.read_shard(shard, InputFormat(form, "text", 1000))
                    outputs.store_shard(output, texts, find_names(texts.texts))
            return output, cut, None if without else outputs.finish(output, cut, 0.5)

    return run


@pytest.fixture
def parts():
    """A function that returns the concatenated content of the shards."""

    def read(output: OutputFolder) -> str:
        return "".join(
            path.read_text(encoding="utf-8") for path in sorted(Path(output.root).glob("part-*"))
        )

    return read
