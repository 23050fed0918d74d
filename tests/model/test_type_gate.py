"""F1 losses of single types against the serving model."""

import pytest

from components.evaluation.type_gate import losses


def scores(**f1):
    return {type_: {"f1": value, "support": 100} for type_, value in f1.items()}


def test_a_type_with_too_large_a_loss_is_named_with_both_scores():
    [reason] = losses(scores(LOC=0.7, ORG=0.8), scores(LOC=0.69, ORG=0.5), (), 0.1, 50)
    assert (
        reason
        == "ORG: F1 is 0.5000, the serving model's 0.8000; 0.1 less is allowed (gate.type_tolerance)"
    )


@pytest.mark.parametrize(("now", "count"), [(0.75, 0), (0.875, 0), (0.5, 0), (0.49, 1)])
def test_a_loss_within_the_tolerance_is_accepted(now, count):
    assert len(losses(scores(ORG=0.75), scores(ORG=now), (), 0.25, 50)) == count


def test_a_type_with_little_support_is_not_judged():
    before = {"ORG": {"f1": 1.0, "support": 49}}
    assert losses(before, scores(ORG=0.0), (), 0.1, 50) == []
    assert len(losses(before, scores(ORG=0.0), (), 0.1, 49)) == 1


def test_a_type_that_the_new_model_never_predicts_has_f1_0():
    assert len(losses(scores(ORG=0.8), {}, (), 0.1, 50)) == 1


def test_a_type_that_only_the_serving_model_has_is_a_loss():
    [reason] = losses(scores(PER=0.8), scores(PER=0.8), {"ORG"}, 1.0, 50)
    assert reason.startswith("ORG: the serving model knows this type, the new one does not")


def test_a_new_type_is_accepted():
    assert losses(scores(PER=0.8), scores(PER=0.8, ORG=0.1), (), 0.1, 50) == []
