"""`tfx-ner annotate`."""

from typing import Any

import click

from components.errors import UserError
from pipeline import exits
from pipeline.commands import options


@click.command()
@click.option(
    "--input",
    required=True,
    metavar="GLOB",
    help="Texts: a file, a folder, or a pattern in quotes, as 'texts/*.jsonl'; ** matches folders.",
)
@click.argument("more", nargs=-1, metavar="")
@click.option("--output", required=True, metavar="DIR", help="Folder for the shards.")
@click.option(
    "--model", required=True, metavar="DIR", help="A published version, or the folder of versions."
)
@click.option(
    "--format",
    type=click.Choice(["jsonl", "conll", "parquet"]),
    default="jsonl",
    show_default=True,
    help="Output format.",
)
@click.option(
    "--input-format",
    type=click.Choice(["text", "jsonl", "parquet"]),
    help="Input format; by default by the names of the files.",
)
@click.option(
    "--text-field",
    "field",
    default="text",
    show_default=True,
    metavar="NAME",
    help="Field of JSON Lines, or column of Parquet, with the text.",
)
@click.option(
    "--longest",
    type=click.IntRange(min=1),
    default=200_000,
    show_default=True,
    metavar="N",
    help="Maximum length of a text, in characters.",
)
@click.option(
    "--shard-mb",
    type=click.FloatRange(min=0, min_open=True, max=1024),
    metavar="N",
    help="Megabytes of input per shard; by default a hundredth of the input, from 0.26 to 8.4.",
)
@options.minimum_score
@options.settings("beam.workers=2", "YAML file of settings; only its group beam is used.")
@options.json_file
def annotate(
    more: tuple[str, ...],
    output: str,
    shard_mb: float | None,
    config_file: str | None,
    assignments: tuple[str, ...],
    json_file: str | None,
    **others: Any,
) -> None:
    """Find the entities in many texts with Apache Beam, and write them in shards.

    Input is plain text with one text per line, JSON Lines with one object per line, or Parquet with
    one text per row. JSON Lines and Parquet keep the other fields or columns; CoNLL keeps `id`, as a
    comment. The entities are written to the field `entities` and replace a field of that name.

    Shards are named part-00000-of-00090.jsonl and so on, in the order of the input. A shard appears
    when it is complete. Run the same command again to continue after an interruption.

    A line that has no text, is not UTF-8, or is too long is left out and written to
    DIR/_bad-lines.jsonl with its file, its line number and the reason. The exit code is 2 if no line
    could be used.

    Input, output and model may be local or on S3, Google Cloud Storage or HDFS:
    's3://bucket/texts/*.jsonl', gs://…, hdfs://….
    """
    if more:
        hint = "put a pattern in quotes, as --input 'texts/*.jsonl'"
        raise click.UsageError(f"found {more[0]} after the options; {hint}")
    options.refuse_unwritable(json_file)

    from rich.console import Console

    from components.storage import remote
    from pipeline import config
    from pipeline.annotation.annotate import AnnotationRequest, show_summary
    from pipeline.annotation.annotate import annotate as annotate_texts

    for assignment in assignments:
        if not assignment.startswith("beam."):
            problem = "expected a setting of beam here, as in beam.workers=2"
            raise UserError(f"--set {assignment}: {problem}")
    beam = config.load(config_file, assignments, {}).beam
    console = Console(stderr=json_file == "-", highlight=False)
    request = AnnotationRequest(
        output=remote.as_path(output),
        shard_bytes=round((shard_mb or 0) * 1e6),
        **others,  # as the fields are named
    )
    exits.use_own_temporary_folder()
    summary = annotate_texts(request, beam, console)
    show_summary(summary, request.output, console)
    options.write_json(summary, json_file)
    exits.leave(exits.BAD_INPUT if summary["bad_lines"] and not summary["texts"] else exits.DONE)
