"""`tfx-ner compile`."""

from pathlib import Path
from typing import Optional

import click

from components.errors import UserError
from pipeline.commands import options


@click.command("compile")
@click.option(
    "--target",
    type=click.Choice(["kubeflow"]),
    required=True,
    help="What runs it: Kubeflow Pipelines, version 2.",
)
@click.option(
    "--image",
    metavar="NAME",
    help="The image that has tfx-ner in it: kubeflow.image in the settings.",
)
@click.option(
    "--output", metavar="FILE", help="Write the YAML here; without it, to standard output."
)
@click.option(
    "--data",
    metavar="PATH",
    help="Labelled text, as the steps see it; the starter corpus if not given.",
)
@click.option("--config", "config_file", metavar="FILE", help="Settings as YAML.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, as in kubeflow.train.memory=16Gi; may be given again.",
)
@click.option(
    "--workdir",
    metavar="DIR",
    help="Folder for everything the steps make, as they see it: a whole path.",
)
@click.option(
    "--kfp-python",
    metavar="PYTHON",
    help="A Python that has kfp and kfp-kubernetes; if not given tfx-ner's own, or that of `make kubeflow`.",
)
def compile(
    target: str,
    image: Optional[str],
    output: Optional[str],
    data: Optional[str],
    config_file: Optional[str],
    assignments: tuple[str, ...],
    workdir: Optional[str],
    kfp_python: Optional[str],
) -> None:
    """Write the pipeline for another orchestrator: as YAML for Kubeflow Pipelines.

    Each step calls `tfx-ner run --until NODE` in the image, with the settings given here. The claim kubeflow.data_claim
    is mounted at the data, kubeflow.work_claim at the workdir, where everything lies as after any other run: `tfx-ner
    runs`, `models` and `report` read it, and servers its folder serving. A model that the gate holds back is no failure
    there. kubeflow.STEP.cpu, .memory and .gpu say what each of data, transform, train, evaluate and publish gets.

    \b
      tfx-ner compile --target kubeflow --image registry.example.org/tfx-ner:0.2.0 \\
        --data /srv/tfx-ner/data --workdir /srv/tfx-ner/work --set kubeflow.train.gpu=1 --output ner.yaml
    """
    from pipeline import config
    from pipeline.kubeflow.compiled import compiled, recurring
    from pipeline.kubeflow.plan import plan

    options.refuse_unwritable(output)
    if output and not output.endswith((".yaml", ".yml")):
        raise UserError(
            f"--output {output}: Kubeflow takes it by its name; expected one that ends with .yaml"
        )
    given = [*assignments, f"kubeflow.image={image}"] if image else assignments
    settings = config.load(config_file, given, {"data": data, "workdir": workdir})
    planned = plan(settings)
    text = compiled(planned, kfp_python)
    for note in planned.notes:
        click.echo(f"note: {note}", err=True)
    if not output:
        click.echo(text, nl=False)
        return
    options.write_text(text, output)
    click.echo(f"{output}: {', '.join(task.name for task in planned.tasks)}, in {planned.image}")
    click.echo(f"a recurring run: {recurring(str(Path(output)), settings.schedule)}")
