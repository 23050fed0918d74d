"""A corpus, texts and a model on a local S3 server."""

import json

import pytest

from components.publishing.versions import Folders
from pipeline import remote_inputs
from tests.e2e import object_store
from tests.e2e.program import Program

pytestmark = pytest.mark.slow

TEXTS = [f"Ada Turinson lives in Basel window {n} ." for n in range(400)]


def use_s3(context):
    """Publishes a model to S3, checks a corpus there, and annotates texts from S3 to S3."""
    if not object_store.installed():
        return None
    with object_store.object_store() as store:
        first, cache = context.first(), context.folder / "cache"
        remote_inputs.publish(
            Folders(first.version.parent, context.folder), str(store / "ner"), lambda line: None
        )
        for path in first.data.iterdir():
            (store / "corpora/small" / path.name).upload(path)
        for name, lines in (("a.txt", TEXTS[:300]), ("more/b c%20é.txt", TEXTS[300:])):
            (store / "texts" / name).write_text("\n".join(lines) + "\n")
        program = Program(
            context.program.source,
            XDG_CACHE_HOME=str(cache),
            **context.program.variables,
            **store.variables,
        )
        command = ("annotate", "--input", store / "texts/**/*.txt", "--output", store / "annotated")
        return {
            "version": first.version,
            "published": store.names("ner"),
            "checked": [program.command("check", store / "corpora/small") for _ in range(2)],
            "missing": program.command("check", store / "none"),
            "annotated": program.command(*command, "--model", store / "ner", "--shard-mb", "0.005"),
            "shards": {
                name: (store / f"annotated/{name}").read_text() for name in store.names("annotated")
            },
        }


SCENARIOS = {"s3": use_s3}


@pytest.fixture
def results(scenario_result):
    results = scenario_result("s3")
    if results is None:
        pytest.skip(object_store.MISSING)
    return results


def test_a_published_version_has_the_files_of_the_local_one(results):
    version = results["version"]
    local = sorted(
        f"{version.name}/{path.relative_to(version)}"
        for path in version.rglob("*")
        if path.is_file()
    )
    assert results["published"] == local and f"{version.name}/saved_model.pb" in local


def test_a_remote_corpus_is_downloaded_once(results):
    first, second = results["checked"]
    assert (first.code, second.code) == (0, 0), first
    assert "corpora/small: 3 files" in first.err and second.err == ""


def test_a_missing_remote_path_is_refused_in_one_line(results):
    missing = results["missing"]
    assert missing.code == 2 and missing.err.endswith(
        "/none: no such file or folder; expected an existing one\n"
    )


def test_remote_texts_are_annotated_in_order_by_a_remote_model(results):
    assert results["annotated"].code == 0, results["annotated"]
    shards = [text for name, text in sorted(results["shards"].items()) if name.startswith("part-")]
    records = [json.loads(line) for line in "".join(shards).splitlines()]
    assert len(shards) > 2 and [record["text"] for record in records] == TEXTS
    assert {entity["type"] for record in records for entity in record["entities"]} == {"PER", "LOC"}
