"""The report of a run: assembled, written, located and compared, without TFX."""

import json
from dataclasses import replace
from functools import cache

import pytest

from components.report import figures
from pipeline import config, report
from pipeline.history.runs import Facts
from tests.unit.pipeline.sample_outcomes import make_outcome
from tests.unit.pipeline.test_help import HEAVY, RUN
from tests.unit.report import sample_figures

OLD, NEW = "20261121-020000-000000", "20261122-020000-000000"


DRIFT = {
    "of": "tags",
    "measure": "L1",
    "value": 0.1,
    "threshold": 0.2,
    "between": "a and b",
    "past": False,
}


def facts(run=NEW, **more):
    values = {
        "run": run, "workdir": "/w", "reason": "by hand", "corpus": "made", "data": "/d", "started": 1_795_000_000.0,
        "process": 1, "host": "here", "config_hash": "c0", "code_hash": "c1", "packages": {"tfx": "1.16.0"}, "data_hash": "d0",
    }  # fmt: skip
    return Facts(**{**values, **more})


@cache
def named(run, seed=1):
    made = sample_figures.figures(seed=seed)
    return replace(made, verdict=replace(made.verdict, run=run))


@pytest.fixture
def workdir(tmp_path):
    """A workdir with the reports of two runs."""
    for seed, run in enumerate((OLD, NEW)):
        report.write(named(run, seed), tmp_path / "reports")
    return tmp_path


def assembled(outcome=None, settings=(), before=()):
    made = sample_figures.figures()
    measured = figures.Measured(
        made.evaluation, replace(made.data, drift=(), spans=()), made.training
    )
    spans = (figures.SpanFigures(4, 1, 9, {"PER": 3}),)
    values = config.load(None, ["workdir=/w", *settings], {})
    return report.assemble(
        measured, spans, facts(), values, outcome or make_outcome(drift=(DRIFT,)), before
    ), measured


def test_a_report_combines_the_evaluation_with_the_facts_of_the_run():
    assembled_report, measured = assembled(
        settings=["gate.minimum_f1=0.7", "card.licence=CC BY 4.0"]
    )
    assert (assembled_report.evaluation, assembled_report.training) == (
        measured.evaluation,
        measured.training,
    )
    assert (
        assembled_report.verdict.run,
        assembled_report.verdict.corpus,
        assembled_report.verdict.published,
    ) == (
        NEW,
        "made",
        "/w/serving/ner/17",
    )
    assert (
        assembled_report.verdict.minimum_f1,
        assembled_report.provenance.configuration["gate"]["minimum_f1"],
    ) == (
        0.7,
        0.7,
    )
    assert assembled_report.provenance.hashes == {"data": "d0", "configuration": "c0", "code": "c1"}
    assert assembled_report.provenance.nodes == (figures.Node("Trainer", 1.5, False, "first run"),)
    assert assembled_report.data.drift == (figures.Drift("tags", "L1", 0.1, 0.2, "a and b"),)
    assert [span.number for span in assembled_report.data.spans] == [4]
    assert (assembled_report.card.details.version, assembled_report.card.details.licence) == (
        "17",
        "CC BY 4.0",
    )


def test_a_report_has_no_password():
    assembled_report, _ = assembled(settings=["metadata.password=hush-hush"])
    assert "hush-hush" not in figures.as_json(assembled_report)


def test_a_refused_run_has_its_reasons():
    assembled_report, _ = assembled(
        make_outcome(
            published=None, version="", reasons=("F1 is 0.1",), held="held since the rollback"
        )
    )
    assert assembled_report.verdict.published is None and assembled_report.verdict.reasons == (
        "F1 is 0.1",
        "held since the rollback",
    )


def test_earlier_runs_are_those_with_an_evaluation():
    score = {"precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 10}
    before = [
        facts("a", overall=score, verdict="published", evaluated_on="test"),
        facts("b", verdict="bad input"),
        facts("c", overall={**score, "f1": 0.4}, verdict="refused"),
    ]
    assembled_report, _ = assembled(before=before)
    assert [(one.run, one.f1, one.published) for one in assembled_report.verdict.history] == [
        ("a", 0.5, True),
        ("c", 0.4, False),
    ]


def test_a_written_report_can_be_read(workdir):
    assert report.read(workdir / "reports" / NEW) == named(NEW, 1)
    assert sorted(path.name for path in (workdir / "reports" / NEW).iterdir()) == [
        "index.html", "model-card.json", "report.json",
    ]  # fmt: skip


def test_the_newest_report_is_written_again(tfx_ner, workdir):
    page = workdir / "reports" / NEW / "index.html"
    written = page.read_text()
    page.unlink()
    answer = tfx_ner("report", "--workdir", workdir)
    assert (answer.code, answer.out.strip(), answer.err) == (0, str(page), "")
    assert page.read_text() == written


def test_a_run_is_named_by_a_prefix(tfx_ner, workdir):
    answer = tfx_ner("report", OLD[:8], "--workdir", workdir)
    assert answer.out.strip() == str(workdir / "reports" / OLD / "index.html")


def test_two_runs_side_by_side(tfx_ner, workdir):
    answer = tfx_ner("report", "--compare", OLD, "--workdir", workdir)
    page = workdir / "reports" / NEW / f"against-{OLD}.html"
    assert answer.out.strip() == str(page)
    assert OLD in page.read_text() and NEW in page.read_text()


def test_the_figures_go_to_a_file_or_to_standard_output(tfx_ner, workdir, tmp_path):
    tfx_ner("report", "--workdir", workdir, "--json", tmp_path / "out.json")
    answer = tfx_ner("report", "--workdir", workdir, "--json", "-")
    assert json.loads(answer.out) == json.loads((tmp_path / "out.json").read_text())
    assert figures.parse_figures(answer.out) == named(NEW, 1) and "index.html" in answer.err
    both = json.loads(tfx_ner("report", "--compare", OLD, "--workdir", workdir, "--json", "-").out)
    assert (both["a"]["verdict"]["run"], both["b"]["verdict"]["run"]) == (OLD, NEW)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], f"nothing: no such run; expected one of {OLD}, {NEW}"),
        (["2026"], f"2026: 2 runs begin with it; expected one of {OLD}, {NEW}"),
        (["--compare", "1999"], "1999: no such run"),
        (["--json", "/no/such/folder/x.json"], "/no/such/folder/x.json: cannot write there"),
    ],
)
def test_a_missing_run_or_report_is_reported_in_one_line(tfx_ner, workdir, arguments, message):
    answer = tfx_ner("report", *arguments, "--workdir", workdir)
    assert answer.code == 2 and message in answer.err and answer.err.count("\n") == 1


def test_a_folder_without_reports_is_reported_in_one_line(tfx_ner, tmp_path):
    answer = tfx_ner("report", "--workdir", tmp_path)
    assert answer.code == 2 and "no report is here" in answer.err and answer.err.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{", '{"format": 1}', "\0"])
def test_a_damaged_report_is_reported_in_one_line(tfx_ner, workdir, text):
    (workdir / "reports" / NEW / "report.json").write_text(text)
    answer = tfx_ner("report", "--workdir", workdir)
    assert (
        answer.code == 2
        and "report.json: not a report" in answer.err
        and answer.err.count("\n") == 1
    )


def test_a_report_needs_no_tensorflow(in_a_process, workdir):
    output = in_a_process(RUN.format(arguments=["report", "--workdir", str(workdir)], heavy=HEAVY))
    assert "index.html" in output and "heavy: []" in output
