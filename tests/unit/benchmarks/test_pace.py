"""What a pace is measured on, and what a command costs."""

import sys

import pytest


def test_enough_starts_over_where_there_are_too_few_sentences():
    from benchmarks.comparison.pace import enough

    assert enough(["a", "b"], [2, 1], 6) == ["a", "b", "a", "b"]


def test_enough_stops_where_there_are_more_sentences():
    from benchmarks.comparison.pace import enough

    assert enough(["a", "b", "c"], [2, 1, 5], 3) == ["a", "b"]


def test_short_sentences_have_five_to_twelve_tokens():
    from benchmarks.comparison.pace import short

    assert short([4, 5, 12, 13]) == [1, 2]


def test_the_shortest_sentence_stands_in_where_none_is_short():
    from benchmarks.comparison.pace import short

    assert short([40, 20, 30]) == [1]


def test_calls_that_warm_up_do_not_count(monkeypatch):
    from benchmarks.comparison import pace

    ticks = (tick for n in range(100) for tick in (0, 5 if n < 50 else 2))
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(ticks))
    asked = []
    assert pace.milliseconds(asked.append, ["a", "b", "c"]) == 2000
    assert asked[:4] == ["a", "b", "c", "a"] and len(asked) == 100


# Answers 1000 at first, then 1, 2, 3, …, and notes in the file at sys.argv[1] who was asked what.
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
    """A program that tells so many measures."""
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
def test_a_program_that_does_not_answer_is_told_with_its_log(answering, tmp_path, code):
    from benchmarks.comparison import cost, in_turn

    broken = answering("B", "x", code=code)
    with pytest.raises(cost.Failed) as failed:
        in_turn.measure([answering("A", "x"), broken])
    assert (
        str(failed.value)
        == f"B ended with 1: it broke. The log has the whole story: {tmp_path / 'B.log'}"
    )


@pytest.mark.parametrize("megabytes", [50, 150])
def test_a_command_costs_the_memory_that_it_held(tmp_path, megabytes):
    from benchmarks.comparison import cost

    spent = cost.of([sys.executable, "-c", f"b'x' * {megabytes}_000_000"], tmp_path / "held.log")
    assert megabytes < spent.peak_mb < megabytes + 40


def test_a_command_that_fails_is_told_with_its_last_line_and_its_log(tmp_path):
    from benchmarks.comparison import cost

    log = tmp_path / "tool.log"
    command = [sys.executable, "-c", "import sys; print('all is well'); sys.exit('it broke')"]
    with pytest.raises(cost.Failed) as failed:
        cost.of(command, log)
    assert str(failed.value) == f"tool ended with 1: it broke. The log has the whole story: {log}"
