"""Losses of a new model against the serving one, by entity type."""

from collections.abc import Iterable, Mapping

_NONE = {"f1": 0.0, "support": 0}


def losses(
    before: Mapping[str, Mapping[str, float]],
    now: Mapping[str, Mapping[str, float]],
    unlearnt: Iterable[str],
    tolerance: float,
    support: int,
) -> list[str]:
    """Finds the entity types that lost too much.

    Args:
      before: F1 and support by type, of the serving model.
      now: the same of the new model, on the same data.
      unlearnt: types that the serving model knows and the new one does not.
      tolerance: F1 that a type may lose.
      support: a type with fewer true entities is not judged by its F1.

    Returns:
      A phrase for each such type.
    """
    gone = sorted(unlearnt)
    phrases = [
        f"{type_}: the serving model knows this type, the new one does not (gate.type_tolerance)"
        for type_ in gone
    ]
    for type_ in sorted(set(before).difference(gone)):
        was, now_is = before[type_], now.get(type_, _NONE)
        if was["support"] >= support and was["f1"] - now_is["f1"] > tolerance:
            phrases.append(
                f"{type_}: F1 is {now_is['f1']:.4f}, the serving model's {was['f1']:.4f};"
                f" {tolerance:g} less is allowed (gate.type_tolerance)"
            )
    return phrases
