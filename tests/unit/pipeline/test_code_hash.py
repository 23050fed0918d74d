"""Hashes of the project's sources: a step's hash changes with the modules it imports and with no others."""

import ast
import shutil
from pathlib import Path

import pytest

from pipeline import code_hash

ROOT = Path(__file__).resolve().parents[3]
ENTRIES = (
    "components.ingest.example_gen",
    "components.validation.schema_component",
    "components.validation.data_gate",
    "components.features.preprocessing",
    "components.training.run",
    "components.evaluation.entity_metric",
    "components.evaluation.resolvers",
    "components.publishing.pusher",
    "components.report.component",
)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A copy of the hashed sources."""
    for name in ("components", "serving"):
        shutil.copytree(ROOT / name, tmp_path / name)
    monkeypatch.setattr(code_hash, "_ROOT", tmp_path)
    code_hash.code_hash.cache_clear()
    yield tmp_path
    code_hash.code_hash.cache_clear()


def hashes():
    code_hash.code_hash.cache_clear()
    return {entry: code_hash.code_hash(entry) for entry in ENTRIES}


def changed_by(path, text="\n# A remark.\n"):
    before = hashes()
    path.write_text(path.read_text() + text)
    after = hashes()
    return {entry.partition(".")[2] for entry in ENTRIES if before[entry] != after[entry]}


def test_the_same_sources_have_the_same_hash(tree):
    assert hashes() == hashes()


def test_different_steps_have_different_hashes(tree):
    assert len(set(hashes().values())) == len(ENTRIES)


@pytest.mark.parametrize(
    ("module", "steps"),
    [
        ("components/evaluation/entity_metric.py", {"evaluation.entity_metric"}),
        ("components/publishing/pusher.py", {"publishing.pusher"}),
        ("components/training/callbacks.py", {"training.run"}),
        ("components/tagger/network.py", {"training.run"}),
        ("components/ingest/example_gen.py", {"ingest.example_gen"}),
        ("components/ingest/source.py", {"ingest.example_gen"}),
        ("components/ingest/examples.py", {"ingest.example_gen", "report.component"}),
        ("components/report/alignment.py", {"report.component"}),
        ("components/report/card.py", set()),
        ("components/corpus/formats/conll.py", {"ingest.example_gen"}),
        ("components/export/signatures.py", {"training.run"}),
    ],
)
def test_a_change_reaches_the_steps_that_import_it_and_no_others(tree, module, steps):
    assert changed_by(tree / module) == steps


@pytest.mark.parametrize(
    ("module", "some"),
    [
        (
            "components/ner/tags.py",
            {
                "ingest.example_gen",
                "validation.schema_component",
                "features.preprocessing",
                "training.run",
                "evaluation.entity_metric",
            },
        ),
        ("components/features/text_ops.py", {"features.preprocessing", "training.run"}),
        ("components/__init__.py", {entry.partition(".")[2] for entry in ENTRIES}),
    ],
)
def test_a_change_of_a_shared_module_changes_the_hash_of_every_step_that_imports_it(
    tree, module, some
):
    assert some <= changed_by(tree / module)


def test_a_new_import_is_followed(tree):
    (tree / "components" / "publishing" / "extra.py").write_text("X = 1\n")
    assert changed_by(
        tree / "components/publishing/pusher.py", "from components.publishing import extra\n"
    )
    assert changed_by(tree / "components/publishing/extra.py") == {"publishing.pusher"}


def test_a_change_of_a_library_changes_every_hash(tree, monkeypatch):
    before = hashes()
    monkeypatch.setattr(code_hash.importlib.metadata, "version", lambda library: "0.0")
    assert not set(before.values()) & set(hashes().values())


@pytest.mark.parametrize(
    "module",
    ["components/training/run.py", "components/ner/tags.py", "components/export/signatures.py"],
)
def test_the_whole_hash_changes_with_any_source(tree, module):
    (tree / "pipeline").mkdir()
    (tree / "pipeline" / "graph.py").write_text("X = 1\n")
    before = code_hash.whole_hash()
    assert code_hash.whole_hash() == before
    (tree / module).write_text("X = 2\n")
    assert code_hash.whole_hash() != before


def test_imports_within_functions_are_followed():
    assert "components.corpus.reading" in code_hash.reachable("components.ingest.source")


def test_the_graph_hashes_every_module_of_the_components_that_its_steps_run():
    """Modules that no entry reaches must not be run by any step."""
    hashed = {
        constant.value
        for node in ast.walk(ast.parse((ROOT / "pipeline" / "graph.py").read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "code_hash"
        for constant in node.args
        if isinstance(constant, ast.Constant)
    }
    covered = code_hash.reachable(*hashed)
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "components").rglob("*.py")
    }
    by_commands_only = {
        *(f"components.corpus.{name}" for name in ("check", "convert", "find_corpus")),
        "components.export.output_formats",
    }
    after_the_run = {name for name in modules if name.startswith("components.report.page")} | {
        "components.report.card"
    }
    # A resolver runs every time and is never cached.
    resolvers = {"components.evaluation.resolvers"}
    launches_nodes = {f"components.compat.{name}_private" for name in ("tfx", "beam")}
    assert modules - covered == by_commands_only | after_the_run | resolvers | launches_nodes


def test_no_module_is_imported_relatively():
    """`reachable` does not follow relative imports: there must be none.

    The client has them, as it is installed under another name too; no step imports it.
    """
    relative = [
        path
        for name in ("components", "serving", "pipeline")
        for path in (ROOT / name).rglob("*.py")
        if path.parent != ROOT / "serving" / "client"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
