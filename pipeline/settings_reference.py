"""The settings as documentation: a commented YAML file, and docs/configuration.md.

python -m pipeline.settings_reference > docs/configuration.md
"""

import re
import textwrap
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from components.corpus.options import ReadOptions
from components.settings import REMOVED_KEYS, RENAMED_KEYS, Settings
from pipeline.config import Config

WIDTH = 100
_NO_BREAK = "\x00"
_TYPES = {str: "string", int: "integer", float: "number", bool: "true or false"}
_LIMITS = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}

_INTRODUCTION = """\
# Configuration

Settings come from a YAML file (`--config FILE`), from `--set KEY=VALUE` (`--set training.epochs=5`), and from options such
as `--data`; the later ones override the earlier. Settings that `tfx-ner run --tune N` found best (`WORKDIR/tuned.yaml`)
apply below all of them. `tfx-ner init-config FILE` writes a commented file with all defaults. An unknown key or a bad value
ends with exit code 2 and one line that names the file, the key and what it takes.

This page is generated from the settings: `python -m pipeline.settings_reference > docs/configuration.md`.
"""


def as_yaml(settings: type[Settings] = Config, indent: str = "") -> str:
    """All settings with their defaults as YAML that `--config` takes, each under its description.

    Args:
      settings: a group of settings.
      indent: spaces before each line.
    """
    lines: list[str] = []
    for key, field in _fields(settings):
        group = _group(field)
        comment = (
            _description(field) if group else f"{_description(field)[:-1]} ({_values(field)})."
        )
        lines += [
            "",
            *textwrap.wrap(
                comment,
                WIDTH,
                initial_indent=f"{indent}# ",
                subsequent_indent=f"{indent}# ",
                break_on_hyphens=False,
            ),
        ]
        if group:
            lines += [f"{indent}{key}:", as_yaml(group, f"{indent}  ").strip("\n")]
        else:
            lines.append(f"{indent}{key}: {_yaml_value(field.default)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def as_markdown() -> str:
    """The page docs/configuration.md."""
    blocks = _INTRODUCTION.strip().split("\n\n")
    general = [(key, field) for key, field in _fields(Config) if not _group(field)]
    for title, in_reading in (("## General", False), ("## Reading the corpus", True)):
        blocks.append(title)
        blocks += [
            _item(key, field)
            for key, field in general
            if (key in ReadOptions.model_fields) == in_reading
        ]
    for key, field in _fields(Config):
        if group := _group(field):
            blocks += [f"## {key}", _description(field), *_items(group, f"{key}.")]
    if RENAMED_KEYS or REMOVED_KEYS:
        blocks += ["## Renamed keys", "Old keys are read in this release, with a warning."]
        blocks += [f"- `{old}` is now `{new}`" for old, new in RENAMED_KEYS.items()]
        blocks += [f"- `{old}` has no effect any more: {now}" for old, now in REMOVED_KEYS.items()]
    text = "\n\n".join(_fill(block) for block in blocks)
    # No empty lines between the items of a list.
    return re.sub(r"(?m)^(- .*(?:\n  .*)*)\n\n(?=- )", r"\1\n", text) + "\n"


def _items(group: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in _fields(group):
        if inner := _group(field):
            yield from _items(inner, f"{prefix}{name}.")
        else:
            yield _item(f"{prefix}{name}", field)


def _item(key: str, field: FieldInfo) -> str:
    default = "not set" if field.default is None else f"`{_yaml_value(field.default)}`"
    return f"- `{key}`: {_values(field)}; default {default}. {_description(field)}"


def _fields(settings: type[Settings]) -> Iterator[tuple[str, FieldInfo]]:
    fields = settings.model_fields.items()
    if settings is Config:  # what is inherited comes last
        fields = sorted(fields, key=lambda item: item[0] in ReadOptions.model_fields)
    for name, field in fields:
        yield field.alias or name, field


def _group(field: FieldInfo) -> type[Settings] | None:
    annotation = field.annotation
    return annotation if isinstance(annotation, type) and issubclass(annotation, Settings) else None


def _description(field: FieldInfo) -> str:
    return " ".join((field.description or "").split())


def _values(field: FieldInfo) -> str:
    """What a setting takes, as "integer from 1 to 100"."""
    annotation, names = field.annotation, []
    is_union = get_origin(annotation) in (Union, UnionType)
    for kind in get_args(annotation) if is_union else (annotation,):
        if get_origin(kind) is Literal:
            names += map(str, get_args(kind))
        elif get_origin(kind) is tuple:
            names.append("list of strings")
        elif kind is not NoneType:
            names.append(_TYPES.get(kind, "string"))
    limits = {
        name: getattr(constraint, name)
        for constraint in field.metadata
        for name in _LIMITS
        if getattr(constraint, name, None) is not None
    }
    words = (f" {_LIMITS[name]} {limits[name]:_}" for name in _LIMITS if name in limits)
    return " or ".join(names) + "".join(words)


def _yaml_value(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").strip()


def _fill(block: str) -> str:
    """Wraps a paragraph or an item of Markdown, and keeps code on one line."""
    text = " ".join(block.split())
    text = re.sub("`[^`]*`", lambda code: code.group().replace(" ", _NO_BREAK), text)
    indent = "  " if text.startswith("- ") else ""
    return textwrap.fill(
        text, WIDTH, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    ).replace(_NO_BREAK, " ")


if __name__ == "__main__":
    print(as_markdown(), end="")
