"""The Evaluator's metric in a Beam pipeline, on hand-made examples, against seqeval."""

import pytest

pytestmark = pytest.mark.slow

# True tags and predicted tags, in IOB2.
CASES = {
    "all correct": ("B-PER I-PER O B-LOC", "B-PER I-PER O B-LOC"),
    "no entities, no predictions": ("O O O", "O O O"),
    "no predictions": ("B-PER O B-LOC", "O O O"),
    "spurious entities": ("O O O", "B-PER O B-LOC"),
    "another type": ("B-PER I-PER O", "B-LOC I-LOC O"),
    "too long": ("B-PER O O", "B-PER I-PER O"),
    "too short": ("B-PER I-PER I-PER", "B-PER I-PER O"),
    "one entity predicted as two": ("B-PER I-PER", "B-PER B-PER"),
    "two entities predicted as one": ("B-PER B-PER", "B-PER I-PER"),
    "an I- after O opens an entity": ("O B-PER I-PER", "O I-PER I-PER"),
    "an I- of another type opens an entity": ("B-PER B-LOC", "B-PER I-LOC"),
    "an I- at the beginning": ("B-LOC O", "I-LOC O"),
    "ill-formed true tags": ("O I-ORG I-ORG", "O B-ORG I-ORG"),
    "a hyphen in the type": (
        "B-creative-work I-creative-work O",
        "B-creative-work I-creative-work O",
    ),
    "the last token": ("O O B-MISC", "O O B-MISC"),
    "one token": ("B-PER", "B-PER"),
}


@pytest.fixture(scope="module")
def assert_metrics():
    """Evaluates cases (true tags, predicted tags, entity_seen) in a pipeline and checks the metrics with a name prefix.

    Predictions are padded with "" after the end of a sentence, as the model pads them.
    """
    import apache_beam as beam
    import tensorflow_model_analysis as tfma
    from apache_beam.testing.util import assert_that
    from tensorflow_model_analysis.metrics import metric_types

    from components.evaluation import entity_metric

    def evaluate(cases, expected, prefix="entity_"):
        longest = max(len(true.split()) for true, _, _ in cases)
        inputs = []
        for true, predicted, seen in cases:
            tags = [tag.encode() for tag in predicted.split()]
            inputs.append(
                metric_types.StandardMetricInputs(
                    {
                        tfma.LABELS_KEY: [tag.encode() for tag in true.split()],
                        tfma.PREDICTIONS_KEY: {
                            "tags": tags + [b""] * (longest - len(tags)),
                            "scores": [0.5] * longest,
                        },
                        tfma.FEATURES_KEY: {"entity_seen": seen} if seen else {},
                    }
                )
            )
        [computation] = entity_metric.EntityScores(name="entity_f1").computations()

        def check(outputs):
            [metrics] = outputs
            actual = {
                key.name: value for key, value in metrics.items() if key.name.startswith(prefix)
            }
            assert actual.keys() == expected.keys(), actual
            for name, value in expected.items():
                assert abs(actual[name] - value) < 1e-9, (name, actual[name], value)

        with beam.Pipeline() as pipeline:
            parts = [pipeline | f"Part{n}" >> beam.Create(inputs[n::3]) for n in range(3)]
            assert_that(
                tuple(parts) | beam.Flatten() | beam.CombineGlobally(computation.combiner), check
            )

    return evaluate


def seqeval_of(cases):
    from seqeval.metrics import classification_report

    report = classification_report(
        [true.split() for true, _ in cases],
        [predicted.split() for _, predicted in cases],
        output_dict=True,
        zero_division=0,
    )
    rows = {
        "": report.pop("micro avg"),
        **{f"/{name}": row for name, row in report.items() if not name.endswith(" avg")},
    }
    return {
        f"entity_{part}{name}": row[key]
        for name, row in rows.items()
        for part, key in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("f1", "f1-score"),
            ("support", "support"),
        )
    }


def test_all_cases_together_equal_seqeval(assert_metrics):
    assert_metrics([(*case, []) for case in CASES.values()], seqeval_of(CASES.values()))


@pytest.mark.parametrize("name", CASES)
def test_counts_of_each_case_equal_seqeval(name):
    """The counts alone, without Beam."""
    from components.evaluation import entity_metric

    true, predicted = CASES[name]
    actual = dict(
        entity_metric._named(entity_metric.counts_of(true.split(), predicted.split(), []))
    )
    if "B-" in true + predicted or "I-" in true + predicted:
        assert actual == pytest.approx(seqeval_of([CASES[name]]), abs=1e-9)
    else:
        assert actual == {
            "entity_f1": 0,
            "entity_precision": 0,
            "entity_recall": 0,
            "entity_support": 0,
        }


def test_recall_is_reported_by_whether_train_has_the_entity(assert_metrics):
    cases = [
        ("B-PER O B-LOC", "B-PER O O", [1, 0]),
        ("B-PER B-PER", "B-PER B-PER", [1, 2]),
        ("B-LOC", "O", [1]),
        ("O", "O", []),
    ]
    expected = {
        "entity_recall_seen": 2 / 3,
        "entity_recall_seen_as_other": 1,
        "entity_recall_unseen": 0,
    }
    assert_metrics(cases, expected, prefix="entity_recall_")
