"""Measuring commands as processes, and repeating a corpus to a given size."""

import pytest


def test_a_corpus_is_repeated_to_the_requested_size(tmp_path):
    from benchmarks.growth import repeat_corpus

    source, target = tmp_path / "source.conll", tmp_path / "target"
    source.write_text("Ada B-PER\n\nIn O\nRio B-LOC\n\n" * 20)
    repeat_corpus(str(source), 100, target, train_files=2)
    sentences = {
        path.name: path.read_text().count("\n\n") for path in (target / "corpus").iterdir()
    }
    assert sentences == {
        "train-000.conll": 40,
        "train-001.conll": 40,
        "dev.conll": 10,
        "test.conll": 10,
    }
    assert len((target / "texts.jsonl").read_text().splitlines()) == 100


def test_a_command_is_one_step(project):
    from benchmarks.growth import run_steps

    [(name, step)] = run_steps(["models", "--help"])
    assert name == "models"
    assert 0 < step.processor < 2 * step.seconds and 5 < step.peak_mb["command"] < 500


def test_a_failing_command_ends_the_benchmark_with_its_output(project):
    from benchmarks.growth import run_steps

    with pytest.raises(SystemExit, match="No such command 'no'"):
        list(run_steps(["no"]))
