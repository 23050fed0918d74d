"""The output folder: shards are complete, annotations can be resumed, and a folder belongs to one annotation."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import components.atomic_io
from components.errors import UserError
from pipeline.annotation import output as outputs

ROOT = Path(__file__).resolve().parents[3]
MANY = "".join(f"{'Ada' * (n % 2)} number {n}\n" for n in range(200))


def test_shards_in_order_have_the_texts_of_the_input(write, annotate, parts):
    output, cut, summary = annotate(write("a.txt", MANY), size=300)
    assert [json.loads(line)["text"] for line in parts(output).splitlines()] == MANY.splitlines()
    assert [path.name for path in sorted(output.root.glob("part-*"))][:2] == [
        f"part-00000-of-{len(cut):05}.jsonl",
        f"part-00001-of-{len(cut):05}.jsonl",
    ]
    assert summary == {
        "shards": len(cut),
        "lines": 200,
        "texts": 200,
        "bad_lines": 0,
        "entities": {"NAME": 100},
        "minimum_score": 0.0,
        "seconds": 0.5,
    }
    assert json.loads(output.summary.read_text()) == summary


def test_bad_lines_have_their_number_in_their_file(write, annotate):
    lines = [f'{{"text": "{n}"}}' for n in range(100)]
    lines[41] = lines[99] = "{"
    first, second = write("a.jsonl", "\n".join(lines)), write("b.jsonl", "[1]\n" + "\n".join(lines))
    output, _, summary = annotate(first, second, form="jsonl", size=200)
    found = [json.loads(line) for line in output.bad_lines.read_text().splitlines()]
    assert [(one["file"], one["line"], one["raw"]) for one in found] == [
        (first, 42, "{"),
        (first, 100, "{"),
        (second, 1, "[1]"),
        (second, 43, "{"),
        (second, 101, "{"),
    ]
    assert set(found[0]) == {"file", "line", "found", "expected", "raw"}
    assert (summary["lines"], summary["texts"], summary["bad_lines"]) == (201, 196, 5)


def test_without_bad_lines_no_file_of_bad_lines_is_written(write, annotate):
    output, _, _ = annotate(write("a.txt", MANY))
    assert sorted(path.name for path in output.root.iterdir() if path.name.startswith("_")) == [
        "_annotation",
        "_summary.json",
    ]


def test_finished_shards_are_recognised_at_the_next_start(write, annotate):
    output, cut, _ = annotate(write("a.txt", MANY), size=300, without=(1, 3))
    assert sorted(output.finished(range(len(cut)))) == [
        shard.number for shard in cut if shard.number not in (1, 3)
    ]


def test_a_removed_shard_is_not_finished(write, annotate):
    output, cut, _ = annotate(write("a.txt", MANY), size=300)
    output.part(2).unlink()
    assert 2 not in output.finished(range(len(cut)))


class Killed(BaseException):
    pass


@pytest.mark.parametrize("moment", range(8))
def test_a_kill_at_any_step_leaves_a_shard_complete_or_absent(write, annotate, monkeypatch, moment):
    """The kill is before each step that writes or renames a file."""
    path, steps = write("a.txt", MANY), []

    def step(of):
        def run(*arguments):
            if len(steps) == moment:
                raise Killed
            steps.append(of)
            return of(*arguments)

        return run

    whole_shard = annotate(path, size=10**6)[0].part(0)
    expected = whole_shard.read_text()
    whole_shard.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(components.atomic_io, "sync", step(components.atomic_io.sync))
        patched.setattr(outputs, "write_shard", step(outputs.write_shard))
        patched.setattr(Path, "replace", step(Path.replace))
        with pytest.raises(Killed):
            annotate(path, size=10**6)
    assert not whole_shard.exists() or whole_shard.read_text() == expected
    output, cut, _ = annotate(path, size=10**6)
    assert whole_shard.read_text() == expected and len(output.finished(range(len(cut)))) == 1
    assert not list(outputs.internal_folder(output.root).glob("*.partial"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"model": "/models/ner/2"}, "with the model /models/ner/1, not the model /models/ner/2"),
        (
            {"model_hash": "def"},
            "with the model that was in /models/ner/1 before, not the one that is there now",
        ),
        ({"format": "conll"}, "with --format jsonl, not --format conll"),
        ({"shard_bytes": 5}, "with shards, in bytes, of 1000, not shards, in bytes, of 5"),
        ({"form": "jsonl"}, "with --input-format text, not --input-format jsonl"),
    ],
)
def test_the_output_of_another_annotation_is_refused(write, annotate, job, change, message):
    path = write("a.txt", MANY)
    output, _, _ = annotate(path)
    with (
        pytest.raises(UserError, match=f"belongs to another annotation, {message}"),
        outputs.locked(output.root, job(path, **change)),
    ):
        pass
    with outputs.locked(output.root, job(path)):
        pass


def test_a_folder_without_shards_may_be_used_by_another_annotation(write, annotate, job):
    path = write("a.txt", MANY)
    output, cut, _ = annotate(path, without=range(1000))
    with outputs.locked(output.root, job(path, model="/models/ner/2")):
        assert output.finished(range(len(cut))) == []
    with outputs.locked(output.root, job(path)):
        pass


def test_the_output_of_other_input_is_refused(write, annotate, job):
    path = write("a.txt", MANY)
    output, _, _ = annotate(path)
    os.utime(path, ns=(1, 1))
    with (
        pytest.raises(UserError, match=r"with the input .*a\.txt \(.* bytes, last changed"),
        outputs.locked(output.root, job(path)),
    ):
        pass


def test_a_folder_with_other_files_is_refused_and_not_changed(write, tmp_path, job):
    path = write("there/mine.txt", "x")
    with (
        pytest.raises(UserError, match="the folder holds other files"),
        outputs.locked(tmp_path / "there", job(path)),
    ):
        pass
    assert [one.name for one in (tmp_path / "there").iterdir()] == ["mine.txt"]
    with (
        pytest.raises(UserError, match="found a file; expected a folder"),
        outputs.locked(Path(path), job(path)),
    ):
        pass


def test_a_concurrent_annotation_is_refused(write, tmp_path, job):
    path = write("a.txt", "x\n")
    program = (
        "import sys; from pathlib import Path; import filelock\n"
        "lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    outputs.internal_folder(tmp_path / "out").mkdir(parents=True)
    command = [sys.executable, "-c", program, outputs.internal_folder(tmp_path / "out") / ".lock"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(UserError, match="another process works here"),
            outputs.locked(tmp_path / "out", job(path)),
        ):
            pass
        other.stdin.close()
    with outputs.locked(tmp_path / "out", job(path)):
        pass
