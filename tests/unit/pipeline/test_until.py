"""`tfx-ner run --until`: the outcome of a partial run, and refused options."""

import io

from rich.console import Console

from components.progress import NodeEnded
from pipeline import console
from pipeline.nodes import LAST, NODES, STEPS
from pipeline.outcome import PartialOutcome


def test_the_outcome_of_a_partial_run_names_the_next_node():
    file = io.StringIO()
    console.show_partial_outcome(Console(file=file), PartialOutcome("Transform", ()))
    assert (
        "Stopped after Transform (--until). Nothing is published; the next node is Trainer."
        in file.getvalue()
    )
    assert PartialOutcome(NODES[-1], ()).next == LAST[0]


def test_a_partial_outcome_is_recorded_with_its_last_node():
    nodes = (NodeEnded("CorpusExampleGen", 7, False, "first run", 1.234),)
    as_json = (
        {
            "node": "CorpusExampleGen",
            "execution": 7,
            "cached": False,
            "reason": "first run",
            "seconds": 1.23,
        },
    )
    part = PartialOutcome("CorpusExampleGen", nodes)
    assert (part.verdict, part.code) == ("up to CorpusExampleGen", 0)
    assert part.history_fields() == {"until": "CorpusExampleGen", "nodes": as_json}
    assert part.as_dict() == {
        "until": "CorpusExampleGen",
        "next": "StatisticsGen",
        "published": None,
        "nodes": as_json,
    }


def test_an_unknown_node_is_refused_with_the_known_ones(tfx_ner):
    answer = tfx_ner("run", "--until", "Publisher")
    assert answer.code == 2 and all(f"'{node}'" in answer.err for node in NODES)


def test_tune_together_with_until_is_refused(tfx_ner, tmp_path):
    answer = tfx_ner("run", "--until", "Trainer", "--tune", "3", "--workdir", tmp_path / "work")
    assert answer.code == 2 and "--until Trainer: found --tune too" in answer.err
    assert not (tmp_path / "work").exists()


def test_deployed_steps_stop_after_nodes_in_graph_order_and_the_last_runs_to_the_end():
    *stops, last = STEPS.values()
    assert last == "" and sorted(stops, key=NODES.index) == stops


def test_an_old_node_id_is_accepted_with_a_warning_that_names_the_new_one(tfx_ner, tmp_path):
    answer = tfx_ner("run", "--until", "Contract", "--tune", "3", "--workdir", tmp_path / "work")
    assert "tfx-ner: warning: --until Contract: this node is now CuratedSchema\n" in answer.err
    assert "--until CuratedSchema: found --tune too" in answer.err
