"""The sentences that speed is measured on, programs that are asked in turn, and what a command costs."""

import sys

import pytest


def test_enough_starts_over_where_there_are_too_few_sentences():
    from benchmarks.comparison.pace import enough

    assert enough([["a", "b"], ["c"]], 6) == [["a", "b"], ["c"]] * 2


def test_enough_stops_where_there_are_more_sentences():
    from benchmarks.comparison.pace import enough

    assert enough([["a", "b"], ["c"], ["d"] * 5], 3) == [["a", "b"], ["c"]]


def test_short_sentences_have_five_to_twelve_tokens():
    from benchmarks.comparison.pace import short

    sentences = [["a"] * length for length in (4, 5, 12, 13)]
    assert short(sentences) == sentences[1:3]


def test_the_shortest_sentence_is_taken_where_all_are_long():
    from benchmarks.comparison.pace import short

    assert short([["a"] * 40, ["b"] * 20, ["c"] * 30]) == [["b"] * 20]


def test_calls_that_warm_up_do_not_count(monkeypatch):
    from benchmarks.comparison import pace

    ticks = (tick for n in range(100) for tick in (0, 5 if n < 50 else 2))
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(ticks))
    asked = []
    assert pace.milliseconds(asked.append, ["a", "b", "c"]) == 2000
    assert asked[:4] == ["a", "b", "c", "a"] and len(asked) == 100


# Answers 1000 at first, then 1, 2, 3, …, and notes in the file at sys.argv[1] which program was asked for what.
ANSWERING = """
import sys
from itertools import chain, count
from benchmarks.comparison import pace
_, notes, name, *names = sys.argv

def measure(what, values):
    with open(notes, "a") as file:
        file.write(name + what + " ")
    return next(values)

pace.answer({what: lambda what=what, values=chain([1000], count(1)): measure(what, values) for what in names}, version=name)
"""


@pytest.fixture
def answering(project, tmp_path):
    """Makes a program with the given measures."""
    from benchmarks.comparison.in_turn import Program

    def program(name, *measures, code=ANSWERING):
        return Program(
            [sys.executable, "-c", code, str(tmp_path / "notes"), name, *measures],
            tmp_path / f"{name}.log",
            project,
        )

    return program


def test_programs_are_asked_in_turn_and_the_first_round_does_not_count(answering, tmp_path):
    from benchmarks.comparison import in_turn

    found = in_turn.measure([answering("A", "x", "y"), answering("B", "y")], rounds=3)
    assert found == [{"version": "A", "x": 2.0, "y": 2.0}, {"version": "B", "y": 2.0}]
    assert (tmp_path / "notes").read_text().split() == ["Ax", "Ay", "By"] * 4


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit('it broke')",
        ANSWERING.replace("return next(values)", "sys.exit('it broke')"),
    ],
)
def test_the_error_of_a_program_that_does_not_answer_names_its_log(answering, tmp_path, code):
    from benchmarks.comparison import cost, in_turn

    broken = answering("B", "x", code=code)
    with pytest.raises(cost.CommandFailed) as failed:
        in_turn.measure([answering("A", "x"), broken])
    assert str(failed.value) == f"B ended with 1: it broke; see {tmp_path / 'B.log'}"


@pytest.mark.parametrize("megabytes", [50, 150])
def test_a_command_costs_the_memory_that_it_held(tmp_path, megabytes):
    from benchmarks.comparison import cost

    spent = cost.run_command(
        [sys.executable, "-c", f"b'x' * {megabytes}_000_000"], tmp_path / "held.log"
    )
    assert megabytes < spent.peak_mb < megabytes + 40


def test_the_error_of_a_failed_command_has_its_last_line_and_its_log(tmp_path):
    from benchmarks.comparison import cost

    log = tmp_path / "tool.log"
    command = [sys.executable, "-c", "import sys; print('all is well'); sys.exit('it broke')"]
    with pytest.raises(cost.CommandFailed) as failed:
        cost.run_command(command, log)
    assert str(failed.value) == f"tool ended with 1: it broke; see {log}"
