"""`tfx-ner report`."""

from pathlib import Path
from typing import Optional

import click

from pipeline.commands import options


@click.command()
@click.argument("run", required=False)
@click.option(
    "--workdir",
    default="work",
    metavar="DIR",
    help="The work folder of the run; ./work if not given.",
)
@click.option("--compare", metavar="RUN", help="Compare with this other run.")
@options.json_file
def report(
    run: Optional[str], workdir: str, compare: Optional[str], json_file: Optional[str]
) -> None:
    """Write the report of a run again, or show two runs side by side.

    RUN is the name of a run's folder, or what it begins with; the newest one if not given. What is printed is the page's path.
    """
    from components.report import figures
    from pipeline import report as reports

    options.refuse_unwritable(json_file)
    folder = Path(workdir, "reports").resolve()
    place = reports.find(folder, run)
    other = reports.find(folder, compare) if compare else None
    found = reports.read(place)
    if other:
        before = reports.read(other)
        page = reports.write_comparison(before, found, place)
        options.write_json({"a": figures.as_dict(before), "b": figures.as_dict(found)}, json_file)
    else:
        page = reports.write_page(found, place)
        options.write_json(figures.as_dict(found), json_file)
    click.echo(page, err=json_file == "-")
