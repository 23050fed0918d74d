"""The settings about spans and the corpus that a run reads."""

import pytest

from components.corpus.data_spans import Rules
from components.corpus.find_corpus import Choice
from components.corpus.reading import ReadOptions
from components.errors import UserError
from pipeline import config, preflight

LINE = "Ada\tB-PER\nspoke\tO\n\n"


@pytest.fixture
def days(write, tmp_path):
    for number in (1, 2, 3):
        for split in ("train", "dev", "test"):
            write(f"days/span-{number}/{split}.conll", LINE * number)
    return tmp_path / "days"


def look(days, *settings):
    choice = config.load(None, settings, {}).choice
    return preflight.survey_corpus(str(days), ReadOptions(), days.parent / "left-out.jsonl", choice)


def test_without_settings_the_choice_is_the_default():
    assert config.load(None, (), {}).choice == Choice()


def test_every_setting_reaches_the_choice():
    settings = (
        "window=3",
        "golden=golden.conll",
        "spans.first=1",
        "spans.last=9",
        "spans.newest=held-out",
        "spans.gaps=allow",
        "spans.marker=_SUCCESS",
        "spans.quiet_seconds=60",
    )
    expected = Choice(3, 1, 9, True, True, Rules("_SUCCESS", 60), "golden.conll")
    assert config.load(None, settings, {}).choice == expected


@pytest.mark.parametrize(
    "setting", ["window=0", "spans.newest=tested", "spans.last=-1", "spans.gaps=no", "drift=off"]
)
def test_an_invalid_setting_is_refused(setting):
    with pytest.raises(UserError, match=setting.partition("=")[0]):
        config.load(None, (setting,), {})


def test_the_spans_of_the_window_are_surveyed(days):
    assert look(days).sentences == {"train": 6, "dev": 6, "test": 6}
    assert look(days, "window=2").sentences == {"train": 5, "dev": 5, "test": 5}
    assert look(days, "window=1", "spans.newest=held-out").sentences == {
        "train": 2,
        "dev": 2,
        "test": 9,
    }


def test_a_missing_named_span_stops_the_run_before_reading(days):
    with pytest.raises(
        UserError, match=r"found no span 4, which spans\.last names; expected one of 1, 2, 3"
    ):
        look(days, "spans.last=4")


def test_a_span_without_its_marker_stops_the_run(days):
    for number in (1, 2):
        (days / f"span-{number}" / "_SUCCESS").touch()
    with pytest.raises(
        UserError, match=r"span-3: span 3 is not complete: _SUCCESS is not there yet"
    ):
        look(days, "spans.marker=_SUCCESS")
    assert [
        span.number for span in look(days, "spans.marker=_SUCCESS", "spans.last=2").splits.spans
    ] == [1, 2]


def test_the_fingerprint_depends_on_spans_and_versions(days, write):
    prints = {look(days, f"spans.last={last}", "window=1").fingerprint for last in (1, 2, 3)}
    before = look(days, "window=2").fingerprint
    for split in ("train", "dev", "test"):
        write(f"days/span-3/version-1/{split}.conll", LINE * 3)  # the same content
    prints.update((before, look(days, "window=2").fingerprint))
    assert len(prints) == 5


def test_the_fingerprint_of_spans_does_not_depend_on_their_path(days):
    before = look(days).fingerprint
    assert look(days.rename(days.with_name("moved"))).fingerprint == before


def test_tfx_s_pattern_names_the_same_spans(days):
    assert look(days / "span-{SPAN}").fingerprint == look(days).fingerprint
