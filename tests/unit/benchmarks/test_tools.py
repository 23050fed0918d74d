"""Training tfx-ner for a comparison, with fake commands that write the files of the real ones."""

import json

from benchmarks.comparison import tools
from benchmarks.comparison.programs import Cost
from benchmarks.comparison.results import Options
from benchmarks.comparison.tools import write_splits
from components.corpus.formats import conll
from components.corpus.options import ReadOptions

CORPUS = "a O\nb O\n\nin O\nRome B-LOC\n"


def test_each_seed_is_a_run_and_its_model_is_scored_on_the_corpus_as_read(tmp_path, monkeypatch):
    data, folder = tmp_path / "data", tmp_path / "folder"
    data.mkdir(), folder.mkdir()
    for split in ("train", "dev", "test"):
        (data / f"{split}.conll").write_text(CORPUS, encoding="utf-8")
    options = ReadOptions(scheme="IOB2", encoding="utf-8")
    corpus = write_splits(str(data), options, folder)

    def run(title, command, log):
        if title.endswith("pipeline"):
            run = folder / "work" / "runs" / str(len(list(folder.glob("work/runs/*"))))
            run.mkdir(parents=True)
            report = {"evaluation": {"reliability": {"error": 0.25}}}
            (run / "report.json").write_text(json.dumps(report), encoding="utf-8")
            outcome = {
                "report": str(run / "index.html"),
                "nodes": [{"node": "Trainer", "seconds": 3.0}],
                "published": str(run / "model"),
            }
            (run / "outcome.json").write_text(json.dumps(outcome), encoding="utf-8")
        else:
            for predictions in command[-2:]:
                with open(predictions, "w", encoding="utf-8") as file:
                    spans = [sentence.spans for sentence in corpus.gold]
                    conll.write_conll(file, corpus.gold, predictions=spans)
        return Cost(seconds=5.0, peak_mb=100.0)

    monkeypatch.setattr(tools, "_run", run)
    models = tools.train_tfx_ner(corpus, Options(2, (), None, "xx", None), folder)

    assert [model.tool for model in models] == ["tfx-ner", "tfx-ner"]
    for number, model in enumerate(models):
        assert model.figures["f1"] == 1
        assert model.figures["training_seconds"] == 3.0
        assert model.figures["calibration_error"] == 0.25
        path, read_options, published = model.speed_command[-3:]
        assert path == str(data)
        assert ReadOptions.model_validate_json(read_options) == options
        assert published.endswith(f"{number}/model")
    assert [model.figures["whole_seconds"] for model in models] == [5.0, None]
