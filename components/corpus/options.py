"""Settings for reading a corpus, shared by `run`, `check`, `evaluate` and `convert`."""

from __future__ import annotations

import os
from typing import Literal, Optional

from pydantic import Field, field_validator

from components.ner.granularity import Granularity, parse_granularity
from components.ner.tags import scheme_named
from components.settings import Settings

REFUSE, SKIP = "refuse", "skip"
AUTO = "auto"


class ReadOptions(Settings):
    """How to read a corpus. A setting that is None is detected in each file and reported."""

    format: Optional[str] = None
    """Format of the files, as conll or jsonl; by default detected."""
    columns: Optional[str] = Field(None, pattern=r"^[^,]+,[^,]+$")
    """Columns of token and tag, by number (1 is the first, -1 the last) or by the header's names,
    as 2,-1 or word,tag; by default detected."""
    scheme: Optional[str] = None
    """IOB1, IOB2, BIOES, BILOU or BMES; by default detected."""
    tag_format: Optional[Literal["B-PER", "B_PER", "PER-B", "PER_B", "B", "PER"]] = None
    """How tags are written: B-PER, B_PER, PER-B, PER_B, B (no types) or PER (no B and I); by
    default detected."""
    entity_type: str = Field("ENTITY", min_length=1)
    """Type of all entities where tags are B and I alone."""
    outside_tag: Optional[str] = Field(None, min_length=1)
    """Tag of tokens outside entities; by default O, o or 0, whichever the file has."""
    label_names: Optional[str] = None
    """Names of integer labels, in their order from 0, as O,B-PER,I-PER; by default those in the
    features of the Parquet file or in dataset_info.json in the same folder."""
    offsets: Optional[
        Literal["code-points", "utf16", "utf8", "inclusive-end", "from-1", "crlf-as-1"]
    ] = None
    """How spans count characters: code-points (the default), utf16 (JavaScript, Java), utf8
    (bytes), inclusive-end, from-1, or crlf-as-1 (CR LF as one character)."""
    tokenizer: str = AUTO
    """Granularity of the model's tokens: words; fine, which also ends tokens between letters and
    digits; names of Unicode scripts whose letters are single tokens, as Hangul or
    fine,Arabic,Hebrew; or auto, the coarsest of these that the entities of train fit (words, with
    unaligned_spans=expand or drop)."""
    unaligned_spans: Literal["refuse", "expand", "drop"] = "refuse"
    """What to do about spans that begin or end inside a token: refuse the text, expand them to
    whole tokens, or drop the span alone."""
    overlapping_spans: Literal["refuse", "longest"] = "refuse"
    """What to do about nested and overlapping spans: refuse the text, or keep the longest."""
    split_shares: str = "80,10,10"
    """Shares of train, dev and test where the corpus has no splits of its own."""
    split_by: Optional[Literal["document", "sentence"]] = None
    """Unit by which a corpus without splits is split; by default the document if each split then has
    entities, else the sentence."""
    map: Optional[str] = None
    """Other names for types, as PER=PERSON,GPE=LOC (X= drops a type), or a file with one per line."""
    missing_breaks: Literal["stop", "allow"] = "stop"
    """What to do about a file without blank lines between sentences: stop, or read each document
    as one sentence."""
    token_mismatch: Literal["stop", "allow"] = "stop"
    """What to do where most entities do not fit the tokens that the model makes of text."""
    bad_lines: Literal["refuse", "skip"] = "refuse"
    """What to do about sentences that cannot be read."""
    encoding: str = "utf-8"
    """Encoding of text files."""

    @field_validator("map")
    @classmethod
    def _is_a_map(cls, text: Optional[str]) -> Optional[str]:
        """The map as OLD=NEW,…, also where it came from a file."""
        if not text:
            return None
        if "=" not in text or os.path.isfile(text):
            try:
                with open(text, encoding="utf-8-sig") as file:
                    parts = [line.strip() for line in file if line.strip() and line[0] != "#"]
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(
                    f"expected OLD=NEW,… or a file of lines OLD=NEW ({error})"
                ) from None
        else:
            parts = [part.strip() for part in text.split(",") if part.strip()]
        for part in parts:
            if not part.partition("=")[0].strip() or "=" not in part:
                raise ValueError(f"found {part!r}; expected OLD=NEW")
        return ",".join(parts)

    @property
    def type_map(self) -> dict[str, str]:
        """The new name of each type that has one, "" for types to drop."""
        pairs = (part.rpartition("=") for part in (self.map or "").split(",") if part)
        return {old.strip(): new.strip() for old, _, new in pairs}

    @field_validator("tokenizer", mode="before")
    @classmethod
    def _is_a_granularity(cls, value: object) -> object:
        """The usual spelling of a granularity, which may also be a list in YAML."""
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        if not isinstance(text, str) or text == AUTO:
            return text
        return str(parse_granularity(text))

    @property
    def granularity(self) -> Granularity | None:
        """The granularity that the setting names; None where the corpus decides."""
        return None if self.tokenizer == AUTO else parse_granularity(self.tokenizer)

    @field_validator("split_shares")
    @classmethod
    def _are_shares(cls, text: str) -> str:
        try:
            shares = [float(part) for part in text.split(",")]
        except ValueError:
            shares = []
        if len(shares) != 3 or min(shares) <= 0:
            raise ValueError("expected three positive numbers, as 80,10,10")
        return text

    @property
    def shares(self) -> tuple[float, float, float]:
        """The shares of train, dev and test, which add up to 1."""
        train, dev, test = (float(part) for part in self.split_shares.split(","))
        total = train + dev + test
        return train / total, dev / total, test / total

    @field_validator("scheme")
    @classmethod
    def _is_a_scheme(cls, scheme: Optional[str]) -> Optional[str]:
        return scheme if scheme is None else scheme_named(scheme)


DEFAULTS = ReadOptions()
