"""`tfx-ner annotate`."""

import click

from components.errors import UserError
from pipeline import exits
from pipeline.commands import options


@click.command()
@click.option(
    "--input",
    "input_",
    required=True,
    metavar="GLOB",
    help="Texts: a file, a folder, or a pattern in quotes, as 'texts/*.jsonl'; ** goes into folders.",
)
@click.argument("more", nargs=-1, metavar="")
@click.option(
    "--output", required=True, metavar="DIR", help="Folder for the shards; made if it is not there."
)
@click.option(
    "--model", required=True, metavar="DIR", help="A published version, or the folder of versions."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "conll", "parquet"]),
    default="jsonl",
    show_default=True,
    help="What to write.",
)
@click.option(
    "--input-format",
    type=click.Choice(["text", "jsonl", "parquet"]),
    help="What to read, where the files' names do not say it; text has a text on each line.",
)
@click.option(
    "--text-field",
    default="text",
    show_default=True,
    metavar="NAME",
    help="The field of JSON Lines, or the column of Parquet, that holds the text.",
)
@click.option(
    "--longest",
    type=click.IntRange(min=1),
    default=200_000,
    show_default=True,
    metavar="N",
    help="Characters of the longest text that is taken.",
)
@click.option(
    "--shard-mb",
    type=click.FloatRange(min=0, min_open=True, max=1024),
    metavar="N",
    help="Input for each shard, in megabytes; about a hundredth of all, from 0.26 to 8.4.",
)
@options.minimum_score
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help="Settings as YAML, of which the group beam is read.",
)
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, as in beam.workers=2 or beam.runner=flink; may be given again.",
)
@options.json_file
def annotate(
    input_: str,
    more: tuple[str, ...],
    output: str,
    model: str,
    form: str,
    input_format: str | None,
    text_field: str,
    longest: int,
    shard_mb: float | None,
    minimum_score: float,
    config_file: str | None,
    assignments: tuple[str, ...],
    json_file: str | None,
) -> None:
    """Find the entities in many texts: a batch, in shards, by Apache Beam.

    Text has a text on each line, JSON Lines an object with one, Parquet a column of them. Fields and columns beside it are kept
    in JSON Lines and Parquet, an `id` in CoNLL too, as a comment; the entities come as `entities`, in place of such a field.

    Shards are called part-00000-of-00090.jsonl and so on: in the order of their names they are in the order of the input.
    Each appears when it is whole. The same command again does only those that are missing.

    A line that holds no text, is no UTF-8, or is too long is left out and put into DIR/_bad-lines.jsonl with its file, its
    number and what is wrong with it. If no line could be used, the command ends with 2.

    Input, output and model may lie on S3, Google Cloud Storage or HDFS: 's3://bucket/texts/*.jsonl', gs://…, hdfs://….
    """
    if more:
        raise click.UsageError(
            f"found {more[0]} behind the options; put a pattern in quotes, as --input 'texts/*.jsonl'"
        )
    options.refuse_unwritable(json_file)

    from rich.console import Console

    from components.storage import remote
    from pipeline import config
    from pipeline.annotation.annotate import AnnotationRequest, show_summary
    from pipeline.annotation.annotate import annotate as annotate_texts

    for assignment in assignments:
        if not assignment.startswith("beam."):
            raise UserError(
                f"--set {assignment}: expected a setting of beam here, as in beam.workers=2"
            )
    beam = config.load(config_file, assignments, {}).beam
    console = Console(stderr=json_file == "-", highlight=False)
    request = AnnotationRequest(
        input=input_,
        output=remote.as_path(output),
        model=model,
        format=form,
        input_format=input_format,
        field=text_field,
        longest=longest,
        shard_bytes=round((shard_mb or 0) * 1e6),
        minimum_score=minimum_score,
    )
    exits.use_own_temporary_folder()
    summary = annotate_texts(request, beam, console)
    show_summary(summary, request.output, console)
    options.write_json(summary, json_file)
    exits.leave(exits.BAD_INPUT if summary["bad_lines"] and not summary["texts"] else exits.DONE)
