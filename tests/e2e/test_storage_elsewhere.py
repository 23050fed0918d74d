"""Data, texts and a model on S3, as a server on this machine speaks it."""

import json

import pytest

from components.publishing.versions import Folders
from pipeline import remote_inputs
from tests.e2e import object_store
from tests.e2e.program import Program

pytestmark = pytest.mark.slow

TEXTS = [f"Ada Turinson lives in Basel window {n} ." for n in range(400)]


def on_s3(teller):
    """A model is published there; it annotates texts from there to there. A corpus is looked at there."""
    if not object_store.installed():
        return None
    with object_store.object_store() as store:
        first, cache = teller.first(), teller.folder / "cache"
        remote_inputs.publish(
            Folders(first.version.parent, teller.folder), str(store / "ner"), lambda line: None
        )
        for path in first.data.iterdir():
            (store / "corpora/small" / path.name).upload(path)
        for name, lines in (("a.txt", TEXTS[:300]), ("more/b c%20é.txt", TEXTS[300:])):
            (store / "texts" / name).write_text("\n".join(lines) + "\n")
        program = Program(
            teller.program.source,
            XDG_CACHE_HOME=str(cache),
            **teller.program.variables,
            **store.variables,
        )
        command = ("annotate", "--input", store / "texts/**/*.txt", "--output", store / "found")
        return {
            "version": first.version,
            "published": store.names("ner"),
            "checked": [program.command("check", store / "corpora/small") for _ in range(2)],
            "missing": program.command("check", store / "none"),
            "annotated": program.command(*command, "--model", store / "ner", "--shard-mb", "0.005"),
            "found": {name: (store / f"found/{name}").read_text() for name in store.names("found")},
        }


STORIES = {"on s3": on_s3}


@pytest.fixture
def kept(told):
    story = told("on s3")
    if story is None:
        pytest.skip(object_store.MISSING)
    return story


def test_a_version_is_there_as_it_is_here(kept):
    version = kept["version"]
    here = sorted(
        f"{version.name}/{path.relative_to(version)}"
        for path in version.rglob("*")
        if path.is_file()
    )
    assert kept["published"] == here and f"{version.name}/saved_model.pb" in here


def test_a_corpus_there_is_fetched_once(kept):
    first, second = kept["checked"]
    assert (first.code, second.code) == (0, 0), first
    assert "corpora/small: 3 files" in first.err and second.err == ""


def test_what_is_not_there_is_refused_in_one_line(kept):
    missing = kept["missing"]
    assert missing.code == 2 and missing.err.endswith(
        "/none: no such file or folder; expected one that is there\n"
    )


def test_texts_there_are_annotated_in_order_by_a_model_from_there(kept):
    assert kept["annotated"].code == 0, kept["annotated"]
    shards = [text for name, text in sorted(kept["found"].items()) if name.startswith("part-")]
    found = [json.loads(line) for line in "".join(shards).splitlines()]
    assert len(shards) > 2 and [one["text"] for one in found] == TEXTS
    assert {entity["type"] for one in found for entity in one["entities"]} == {"PER", "LOC"}
