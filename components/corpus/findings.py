"""Findings from the counts of a corpus: each good, a warning or a failure, with its remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from components.corpus.counts import DUPLICATE_LENGTH, LONG_SENTENCE, CorpusCounts, Tally

GOOD, WARNING, FAILURE = "good", "warning", "failure"
_ORDER = (FAILURE, WARNING, GOOD)
_SHOWN_TYPES = 5

FEW_EXAMPLES = 50
"""Entities of a type in train: with fewer the type is hardly learnt (spaCy's `debug data` has the same limit)."""
FEW_SENTENCES = 500
"""Sentences in train: with fewer, scores are low."""
FEW_MEASURED = 20
"""Entities of a type in dev or test: with fewer its score is mostly chance."""
MUCH_OVERLAP = 0.01
"""Share of dev or test that is also in train, above which scores are too high."""
LITTLE_NEW = 0.2
"""Share of the entities of dev or test that are not in train, below which a list of entities would score well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: str
    """good, warning or failure."""
    text: str


def judge(found: CorpusCounts, skip_bad: bool = False) -> tuple[Finding, ...]:
    """All findings: failures first, then warnings, then good ones.

    Args:
      found: the counts of the corpus.
      skip_bad: whether a run leaves bad sentences out, so that they are not a failure.
    """
    checks: tuple[Callable[[CorpusCounts], Iterator[Finding]], ...] = (
        _notices,
        _mismatch,
        _empty_splits,
        _sizes,
        _types,
        _measured_types,
        _spellings_of_types,
        _tallies,
        _overlaps,
        _unseen,
        _odd,
    )
    findings = [
        *_bad_lines(found, skip_bad),
        *(finding for check in checks for finding in check(found)),
    ]
    return worst_first(findings)


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings in the order in which they are shown."""
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.level)))


def _bad_lines(found: CorpusCounts, skip_bad: bool) -> Iterator[Finding]:
    if found.first_bad:
        text = f"{_number(found.bad, 'sentence')} cannot be read, the first: {found.first_bad}."
        remedy = f"{found.remedy or 'Correct them'}, or leave them out with --set bad_lines=skip."
        yield (
            Finding(WARNING, f"{text} They are left out.")
            if skip_bad
            else Finding(FAILURE, f"{text} {remedy}")
        )
    elif not found.unreadable_files:
        yield Finding(GOOD, "Every line can be read.")
    if found.unused.count:
        yield Finding(
            GOOD,
            f"{_number(found.unused, 'text')} not accepted by the annotators and left out, first at "
            f"{found.unused.first}.",
        )


def _notices(found: CorpusCounts) -> Iterator[Finding]:
    for what, tally in found.notices.items():
        yield Finding(WARNING, f"{tally.count} {what}, the first at {tally.first}.")


def _empty_splits(found: CorpusCounts) -> Iterator[Finding]:
    if found.unreadable_files or found.bad.count:
        return  # the finding about these explains it
    for name, counts in found.splits.items():
        if not counts.sentences:
            yield Finding(
                FAILURE,
                f"{name} has no sentence. Add more sentences or documents, or a file with {name} in its name.",
            )
        elif not counts.entities:
            where = "" if found.texts else ", or name the columns of token and tag (--set columns=)"
            yield Finding(FAILURE, f"{name} has no entity. Label some{where}.")


def _sizes(found: CorpusCounts) -> Iterator[Finding]:
    sentences = found.train.sentences
    if 0 < sentences < FEW_SENTENCES:
        yield Finding(
            WARNING,
            f"train has {sentences} sentence{'s' * (sentences > 1)}, fewer than {FEW_SENTENCES}. Scores will be low and"
            " vary from run to run; label more.",
        )
    elif sentences:
        yield Finding(GOOD, f"train has {sentences} sentences.")


def _types(found: CorpusCounts) -> Iterator[Finding]:
    train = found.train
    few = {type_: count for type_, count in train.types.items() if count < FEW_EXAMPLES}
    if few:
        rarest = min(few, key=few.__getitem__)
        yield Finding(
            WARNING,
            f"{_types_listed(few)} fewer than {FEW_EXAMPLES} times in train, the first {rarest} at"
            f" {train.first_of_type[rarest]}. Label more, or merge types (--set map=OLD=NEW).",
        )
    elif train.types:
        yield Finding(
            GOOD,
            f"Each of the {len(train.types)} types has {FEW_EXAMPLES} examples in train, or more.",
        )


def _measured_types(found: CorpusCounts) -> Iterator[Finding]:
    train = found.train.types
    for name, counts in found.splits.items():
        if name == "train" or not counts.entities or not train:
            continue
        new = {type_: counts.types[type_] for type_ in counts.types if type_ not in train}
        if new:
            first = min(new)
            yield Finding(
                WARNING,
                f"{_types_listed(new)} in {name} and not in train, the first {first} at"
                f" {counts.first_of_type[first]}: they cannot be learnt. Label some in train.",
            )
        absent = dict.fromkeys((type_ for type_ in train if not counts.types[type_]), 0)
        if absent:
            yield Finding(
                WARNING,
                f"{_types_listed(absent, counts=False)} in train and not in {name}, where they go unmeasured. Label some in"
                f" {name}.",
            )
        few = {
            type_: counts.types[type_] for type_ in train if 0 < counts.types[type_] < FEW_MEASURED
        }
        if few:
            yield Finding(
                WARNING,
                f"{_types_listed(few)} fewer than {FEW_MEASURED} times in {name}: their scores there are mostly chance."
                " Label more.",
            )


def _types_listed(types: Mapping[str, int], counts: bool = True) -> str:
    """Types with their counts, the rarest first, a few of them, with a verb."""
    rarest = sorted(types, key=lambda type_: (types[type_], type_))
    few = [f"{type_} ({types[type_]})" if counts else type_ for type_ in rarest[:_SHOWN_TYPES]]
    if len(rarest) == 1:
        return f"{few[0]} is"
    if len(rarest) <= _SHOWN_TYPES:
        return f"{', '.join(few[:-1])} and {few[-1]} are"
    return f"{len(rarest)} types ({', '.join(few)}, …) are"


def _mismatch(found: CorpusCounts) -> Iterator[Finding]:
    mismatch = found.mismatch
    if mismatch.is_useless and not found.allow_mismatch:
        yield Finding(
            FAILURE,
            f"{mismatch}: a model of it would be useless. Train on words, or continue with --set token_mismatch=allow.",
        )
    elif mismatch.is_worth_a_warning:
        yield Finding(WARNING, f"{mismatch}: scores on these tokens are too high.")


def _spellings_of_types(found: CorpusCounts) -> Iterator[Finding]:
    spellings: dict[str, dict[str, str]] = {}
    for counts in found.splits.values():
        for type_, where in counts.first_of_type.items():
            spellings.setdefault(type_.casefold(), {}).setdefault(type_, where)
    for forms in spellings.values():
        if len(forms) > 1:
            listed = ", ".join(
                f"{type_} (first at {where})" for type_, where in sorted(forms.items())
            )
            yield Finding(
                WARNING,
                f"Types that differ in upper and lower case only are different types: {listed}. Write them alike.",
            )


def _tallies(found: CorpusCounts) -> Iterator[Finding]:
    """A warning for each problem that is counted sentence by sentence, or a good finding if its number is 0."""
    longest = max(counts.longest for counts in found.splits.values())
    blank_lines = (
        "." if found.texts else "; check whether blank lines between sentences are missing."
    )
    checks = (
        (
            found.ill_formed,
            "ill-formed tag",
            "read as CoNLL does (an entity begins at each tag that cannot continue one). Check these entities.",
            "No tag sequence is ill-formed.",
        ),
        (
            found.conflicts,
            "sentence",
            "with other entities than the same sentence before. Label them alike, or the model learns neither.",
            "No sentence is labelled in two ways.",
        ),
        (
            found.duplicates,
            "sentence",
            f"of {DUPLICATE_LENGTH} tokens or more that the same split had before. Remove repetitions, unless they"
            " are as frequent where the model is used.",
            "No sentence is in a split twice.",
        ),
        (
            found.long,
            "sentence",
            f"of more than {LONG_SENTENCE} tokens. Long sentences slow training down{blank_lines}",
            f"The longest sentence has {longest} tokens.",
        ),
        (
            found.edges,
            "entity",
            "beginning or ending with white space or punctuation. Check their boundaries.",
            "No entity begins or ends with white space or punctuation.",
        ),
    )
    for tally, what, text, good in checks:
        yield _finding(tally, what, text) if tally.count else Finding(GOOD, good)


def _overlaps(found: CorpusCounts) -> Iterator[Finding]:
    for (left, right), tally in sorted(found.overlaps.items()):
        share = tally.count / max(1, found.splits[right].sentences)
        text = (
            f"{_number(tally, 'sentence')} of {DUPLICATE_LENGTH} tokens or more in both {left} and "
            f"{right} ({share:.1%} of {right}), first at {tally.first}"
        )
        if share > MUCH_OVERLAP:
            yield Finding(
                WARNING, f"{text}: scores on {right} are too high. Remove them from {left}."
            )
        else:
            yield Finding(GOOD, f"{text}: too few to matter.")
    if not found.overlaps:
        yield Finding(GOOD, "The splits share no sentence.")


def _unseen(found: CorpusCounts) -> Iterator[Finding]:
    train = found.train.surfaces
    for name, counts in found.splits.items():
        if name == "train" or not counts.entities or not train:
            continue
        share = unseen_share(found, name)
        text = f"{share:.0%} of the entities in {name} are not in train (type and words)"
        if share < LITTLE_NEW:
            yield Finding(
                WARNING, f"{text}: scores say little about new names. Split by document or by time."
            )
        else:
            yield Finding(GOOD, f"{text}.")


def unseen_share(found: CorpusCounts, name: str) -> float:
    """The share, from 0 to 1, of a split's entities that train does not have with the same type and words."""
    train, surfaces = found.train.surfaces, found.splits[name].surfaces
    return sum(count for surface, count in surfaces.items() if surface not in train) / max(
        1, surfaces.total()
    )


def _odd(found: CorpusCounts) -> Iterator[Finding]:
    odd = {kind: tally for kind, tally in found.odd.items() if tally.count}
    for kind, tally in odd.items():
        text = (
            f"with {kind}. Check how the text was converted; text that the model gets later must be written the same"
            " way."
        )
        yield _finding(tally, "token", text)
    if not odd:
        yield Finding(GOOD, "No token has odd characters.")


def _finding(tally: Tally, what: str, text: str) -> Finding:
    """A warning with the number and the first position."""
    return Finding(WARNING, f"{_number(tally, what)}, first at {tally.first}, {text}")


def _number(tally: Tally, what: str) -> str:
    plural = what[:-1] + "ies" if what.endswith("y") else what + "s"
    return f"{tally.count} {what if tally.count == 1 else plural}"
