"""Losses of a new model against the serving model, by entity type."""

from collections.abc import Iterable, Mapping


def losses(
    baseline: Mapping[str, Mapping[str, float]],
    candidate: Mapping[str, Mapping[str, float]],
    unlearnt: Iterable[str],
    tolerance: float,
    support: int,
) -> list[str]:
    """Finds the entity types that lost too much.

    Args:
      baseline: F1 and support by type, of the serving model.
      candidate: the same of the new model, on the same data.
      unlearnt: types that the serving model knows and the new one does not.
      tolerance: F1 that a type may lose.
      support: a type with fewer true entities is not judged by its F1.

    Returns:
      A phrase for each of these types.
    """
    unlearnt = sorted(unlearnt)
    phrases = [
        f"{type_}: the serving model knows this type, the new one does not (gate.type_tolerance)"
        for type_ in unlearnt
    ]
    for type_ in sorted(set(baseline).difference(unlearnt)):
        old_f1, new_f1 = baseline[type_]["f1"], candidate.get(type_, {"f1": 0.0})["f1"]
        if baseline[type_]["support"] >= support and old_f1 - new_f1 > tolerance:
            phrases.append(
                f"{type_}: F1 is {new_f1:.4f}, the serving model's {old_f1:.4f};"
                f" {tolerance:g} less is allowed (gate.type_tolerance)"
            )
    return phrases
