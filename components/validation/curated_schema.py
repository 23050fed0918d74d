"""The curated schema: inferred by the first run, then edited by the user.

A schema that TFDV infers closes the domain of every string feature that it saw, which is wrong for
tokens. This schema lists the features of this project's examples (`components.ingest.examples`) and
has one closed domain, that of tags. The file is in the text format of
`tensorflow_metadata.proto.v0.schema_pb2.Schema`, as TFDV reads and writes it.
"""

from collections.abc import Iterable
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components import atomic_io
from components.errors import UserError
from components.ingest import features
from components.ner.tags import OUTSIDE, label_map, types_of

# Thresholds of drift: Jensen-Shannon divergences (base 2, from 0 to 1), and L-infinity norms, which
# are the largest change of a value's share. Adjacent parts of 100 to 1,000 sentences of one corpus
# (wnut17, wikigold, btc, bc5cdr) have distances of up to 0.043, 0.086, 0.053 and 0.244, because
# sentences of one document, or one day, are similar.
TAG_DRIFT = 0.05
LENGTH_DRIFT = 0.1
TOKEN_DRIFT = 0.06
FAMILIAR_DRIFT = 0.25

_HEADER = """\
# The schema of this corpus. Each run checks its data against it before training.
# It was inferred from the data of the first run; edit it and keep it under version control.
# To allow a new entity type, add its B- and I- tag to the domain named "tags".
"""


def make_schema(types: Iterable[str]) -> schema_pb2.Schema:
    """Makes the schema of a corpus with these entity types, in any order."""
    schema = schema_pb2.Schema()
    schema.string_domain.add(name="tags", value=label_map(types))
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


def with_all_features(schema: schema_pb2.Schema) -> schema_pb2.Schema:
    """Adds the features that the schemas of older releases do not have."""
    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    known = {entry.name for entry in schema.feature}
    result.feature.extend(
        entry for entry in make_schema(entity_types(schema)).feature if entry.name not in known
    )
    return result


_TYPES = {"bytes": schema_pb2.BYTES, "int": schema_pb2.INT}


def write_schema(schema: schema_pb2.Schema, path: Path) -> None:
    """Writes a schema atomically, with a comment for its user."""
    atomic_io.write_text(path, _HEADER + text_format.MessageToString(schema, as_utf8=True))


def read_schema(path: str | Path) -> schema_pb2.Schema:
    """Reads a schema.

    Raises:
      UserError: the file is missing, is not a schema, or has no closed domain of tags.
    """
    path = Path(path)
    try:
        schema = text_format.Parse(path.read_text(encoding="utf-8"), schema_pb2.Schema())
    except OSError as error:
        raise UserError(
            f"{path}: cannot read the schema ({error.strerror}); give an existing file with"
            " --set schema=FILE, or omit it to infer a schema"
        ) from None
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a schema in text format ({error}); expected tensorflow_metadata's Schema"
            " as TFDV writes it"
        ) from None
    entity_types(schema, str(path))
    return schema


def entity_types(schema: schema_pb2.Schema, path: str = "the schema") -> tuple[str, ...]:
    """The entity types that a schema allows, in alphabetical order.

    Args:
      schema: the schema.
      path: its file, for messages.

    Raises:
      UserError: there is no closed domain of tags, or it has tags that are not IOB2.
    """
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    for feature in schema.feature:
        if feature.name == features.TAGS:
            values = domains.get(feature.domain, list(feature.string_domain.value))
            wrong = [
                value for value in values if value != OUTSIDE and value[:2] not in ("B-", "I-")
            ]
            if wrong:
                raise UserError(
                    f"{path}: the domain of tags holds {wrong[0]!r}; expected O, B-TYPE and I-TYPE"
                )
            types = types_of(values)
            if types:
                return types
    raise UserError(
        f"{path}: no domain of tags; expected a feature named tags with a string_domain that lists"
        " O, and B- and I- of each entity type"
    )
