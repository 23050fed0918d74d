"""What a new model loses type by type against the one that serves. Plain Python."""

from collections.abc import Iterable, Mapping

_NONE = {"f1": 0.0, "support": 0}


def losses(
    before: Mapping[str, Mapping[str, float]],
    now: Mapping[str, Mapping[str, float]],
    unlearnt: Iterable[str],
    tolerance: float,
    support: int,
) -> list[str]:
    """A phrase for each type that has lost too much.

    Args:
      before: f1 and support by type, of the model that serves.
      now: the same of the new one, on the same data.
      unlearnt: types that the serving model knows and the new one does not.
      tolerance: F1 that a type may lose.
      support: true entities below which a type's F1 says too little to judge by.
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
