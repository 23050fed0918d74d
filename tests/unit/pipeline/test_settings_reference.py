"""The documentation that is generated from the settings."""

import itertools
from pathlib import Path

import yaml

from pipeline import settings_reference
from pipeline.config import Config, load

ROOT = Path(__file__).resolve().parents[3]


def test_the_yaml_is_the_default_configuration(write):
    file = write("a.yaml", settings_reference.as_yaml())
    assert load(file, (), {}) == Config()
    assert yaml.safe_load(Path(file).read_text()) == yaml.safe_load(
        yaml.safe_dump(Config().model_dump(mode="json", by_alias=True))
    )


def test_every_setting_has_a_comment_above_it():
    lines = settings_reference.as_yaml().splitlines()
    for comment, line in itertools.pairwise(lines):
        if line and not line.lstrip().startswith("#"):
            assert comment.lstrip().startswith("#"), line


def test_the_page_is_up_to_date():
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    command = "run `python -m pipeline.settings_reference > docs/configuration.md`"
    assert page == settings_reference.as_markdown(), command


def test_the_page_keeps_its_width_and_has_every_key():
    page = settings_reference.as_markdown()
    assert max(map(len, page.splitlines())) <= settings_reference.WIDTH
    for key in ("`data`", "`training.epochs`", "`kubeflow.train.gpu`", "`metadata.password`"):
        assert f"- {key}:" in page


def test_init_config_writes_a_file_that_run_takes_and_never_overwrites(tfx_ner, tmp_path):
    file = tmp_path / "ner.yaml"
    assert tfx_ner("init-config", file).code == 0
    assert load(str(file), (), {}) == Config()
    file.write_text("name: mine\n")
    answer = tfx_ner("init-config", file)
    assert answer.code == 2 and "the file exists" in answer.err
    assert file.read_text() == "name: mine\n"


def test_without_a_file_it_goes_to_standard_output_as_show_settings_does(tfx_ner):
    answer = tfx_ner("init-config")
    assert answer.out == tfx_ner("run", "--show-settings").out == settings_reference.as_yaml()
