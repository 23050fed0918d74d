"""The contract: a curated schema that is written once and then kept by its owner.

A schema that is inferred closes the domain of every feature whose values it saw, which for tokens is never meant. The
contract is therefore made from what this project's examples hold (`components.ingest.examples`), with one closed domain,
on tags. The format is the text format of `tensorflow_metadata.proto.v0.schema_pb2.Schema`, as TFDV reads and writes it.
"""

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components.errors import UserError
from components.ingest import features
from components.ner import labels

# Distances from the data before above which the gate speaks of drift: Jensen-Shannon divergences (base 2, 0 to 1), and
# L-infinity norms, which are the largest change of one value's share. Neighbouring cuts of 100 to 1,000 sentences of one corpus
# (wnut17, wikigold, btc, bc5cdr), in the order in which they stand there, lie up to 0.043, 0.086, 0.053 and 0.244 apart: what
# comes from one document, or one day, is alike.
TAG_DRIFT = 0.05
LENGTH_DRIFT = 0.1
TOKEN_DRIFT = 0.06
FAMILIAR_DRIFT = 0.25

_HEADER = """\
# The contract on this corpus: what a run checks its data against before it trains.
# It was inferred from the first run's data; edit it and keep it under version control.
# To allow a new entity type, add its B- and I- tag to the domain named "tags".
"""


def make(types: Iterable[str]) -> schema_pb2.Schema:
    """The contract for a corpus with these entity types, in any order."""
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="tags", value=labels.label_map(types))
    for feature in features.FEATURES:
        entry = schema.feature.add(name=feature.name, type=_TYPES[feature.kind])
        if feature.always:
            entry.presence.min_fraction = 1.0
            entry.presence.min_count = 1
            entry.value_count.min = 1
        if feature.one:
            entry.value_count.max = 1
    by_name = {entry.name: entry for entry in schema.feature}
    by_name[features.TAGS].domain = "tags"
    for name, threshold in ((features.TAGS, TAG_DRIFT), (features.LENGTH, LENGTH_DRIFT)):
        by_name[name].drift_comparator.jensen_shannon_divergence.threshold = threshold
    for name, threshold in ((features.TOKENS, TOKEN_DRIFT), (features.FAMILIAR, FAMILIAR_DRIFT)):
        by_name[name].drift_comparator.infinity_norm.threshold = threshold
    return schema


def completed(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """The contract with the features that this project has come to write since it was made."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    known = {entry.name for entry in schema.feature}
    result.feature.extend(
        entry for entry in make(types_of(schema)).feature if entry.name not in known
    )
    return result


_TYPES = {"bytes": schema_pb2.BYTES, "int": schema_pb2.INT}


def write(schema: schema_pb2.Schema, path: str | Path) -> None:
    """Writes a contract with a header for its reader; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    beside.write_text(_HEADER + text_format.MessageToString(schema, as_utf8=True), encoding="utf-8")
    beside.replace(path)


def read(path: str | Path) -> schema_pb2.Schema:
    """Reads a contract.

    Raises:
      UserError: there is no such file, it is not a schema, or it lacks the closed domain on tags.
    """
    path = Path(path)
    try:
        schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except OSError as error:
        raise UserError(
            f"{path}: cannot read the schema ({error.strerror}); give an existing file with --set schema=FILE,"
            " or leave it out to have one inferred"
        ) from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a schema in text format ({error}); expected tensorflow_metadata's Schema, as TFDV writes it"
        ) from None
    types_of(schema, str(path))
    return schema


def types_of(schema: schema_pb2.Schema, path: str = "the schema") -> tuple[str, ...]:
    """The entity types that a contract allows, in alphabetical order.

    Raises:
      UserError: no closed domain on tags, or tags in it that are not IOB2.
    """
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    for feature in schema.feature:
        if feature.name == features.TAGS:
            values = domains.get(feature.domain, list(feature.string_domain.value))
            wrong = [
                value
                for value in values
                if value != labels.OUTSIDE and value[:2] not in ("B-", "I-")
            ]
            if wrong:
                raise UserError(
                    f"{path}: the domain of tags holds {wrong[0]!r}; expected O, B-TYPE and I-TYPE"
                )
            types = labels.types_of(values)
            if types:
                return types
    raise UserError(
        f"{path}: no domain of tags; expected a feature named tags with a string_domain that lists O,"
        " and B- and I- of each entity type"
    )
