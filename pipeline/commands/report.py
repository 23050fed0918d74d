"""`tfx-ner report`."""

from dataclasses import asdict
from pathlib import Path

import click

from pipeline.commands import options


@click.command()
@click.argument("run", required=False)
@click.option("--workdir", default="work", metavar="DIR", help="The workdir; by default ./work.")
@click.option("--compare", metavar="RUN", help="Compare with this other run.")
@options.json_file
def report(run: str | None, workdir: str, compare: str | None, json_file: str | None) -> None:
    """Write the report of a run again, or show two runs side by side.

    RUN is the name of a run's folder, or its beginning; by default the newest. Prints the path of
    the page.
    """
    from pipeline import report as reports

    options.refuse_unwritable(json_file)
    all_reports = Path(workdir, "reports").resolve()
    folder = reports.find(all_reports, run)
    loaded = reports.read(folder)
    if compare:
        other = reports.read(reports.find(all_reports, compare))
        page = reports.write_comparison(other, loaded, folder)
        options.write_json({"a": asdict(other), "b": asdict(loaded)}, json_file)
    else:
        page = reports.write_page(loaded, folder)
        options.write_json(asdict(loaded), json_file)
    click.echo(page, err=json_file == "-")
