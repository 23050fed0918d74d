"""The sentences of speed measurements, their figures, and the cost of a command."""

import json
import sys

import pytest


def test_enough_repeats_the_sentences_if_there_are_too_few():
    from benchmarks.comparison.programs import enough

    assert enough([["a", "b"], ["c"]], 6) == [["a", "b"], ["c"]] * 2


def test_enough_stops_at_the_number_of_tokens():
    from benchmarks.comparison.programs import enough

    assert enough([["a", "b"], ["c"], ["d"] * 5], 3) == [["a", "b"], ["c"]]


def test_short_sentences_have_five_to_twelve_tokens():
    from benchmarks.comparison.programs import short

    sentences = [["a"] * length for length in (4, 5, 12, 13)]
    assert short(sentences) == sentences[1:3]


def test_the_shortest_sentence_is_taken_if_all_are_long():
    from benchmarks.comparison.programs import short

    assert short([["a"] * 40, ["b"] * 20, ["c"] * 30]) == [["b"] * 20]


def test_calls_that_warm_up_do_not_count(monkeypatch):
    from benchmarks.comparison import programs

    ticks = (tick for n in range(100) for tick in (0, 5 if n < 50 else 2))
    monkeypatch.setattr(programs.time, "perf_counter", lambda: next(ticks))
    asked = []
    assert programs.milliseconds(asked.append, ["a", "b", "c"]) == 2000
    assert asked[:4] == ["a", "b", "c", "a"] and len(asked) == 100


def test_figures_are_printed_as_json_and_the_first_call_does_not_count(capsys):
    from benchmarks.comparison import programs

    values = iter([1000.0, 2.5])
    programs.print_figures({"milliseconds": lambda: next(values)}, version="1.0")
    assert json.loads(capsys.readouterr().out) == {"version": "1.0", "milliseconds": 2.5}


@pytest.mark.parametrize("megabytes", [50, 150])
def test_the_cost_of_a_command_has_its_peak_memory(tmp_path, megabytes):
    from benchmarks.comparison import programs

    spent = programs.run_command(
        [sys.executable, "-c", f"b'x' * {megabytes}_000_000"], tmp_path / "held.log"
    )
    assert megabytes < spent.peak_mb < megabytes + 40


def test_the_error_of_a_failed_command_has_its_last_line_and_its_log(tmp_path):
    from benchmarks.comparison import programs

    log = tmp_path / "tool.log"
    command = [
        sys.executable,
        "-c",
        "import sys; print('all is well', flush=True); sys.exit('it broke')",
    ]
    with pytest.raises(programs.CommandFailed) as failed:
        programs.run_command(command, log)
    assert str(failed.value) == f"tool ended with 1: it broke; see {log}"
