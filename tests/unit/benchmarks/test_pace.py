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


def test_every_pass_has_sentences_made_anew_and_the_first_one_does_not_count(monkeypatch):
    from benchmarks.comparison import pace

    ticks = iter([0, 1, 10, 12, 20, 21])  # of three passes, the median takes one second
    monkeypatch.setattr(pace.time, "perf_counter", lambda: next(ticks))
    tagged = []
    made = iter("abcd")
    assert pace.tokens_per_second(tagged.append, lambda: next(made), 50) == 50
    assert tagged == ["a", "b", "c", "d"]


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
