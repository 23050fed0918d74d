"""`tfx-ner compile`: write the pipeline as YAML for Kubeflow Pipelines."""

from pathlib import Path

import click

from components.errors import UserError
from pipeline.commands import options


@click.command("compile")
@click.option(
    "--target",
    type=click.Choice(["kubeflow"]),
    required=True,
    help="The orchestrator: Kubeflow Pipelines, version 2.",
)
@click.option(
    "--image",
    metavar="NAME",
    help="Container image with tfx-ner; kubeflow.image in the settings.",
)
@click.option(
    "--output", metavar="FILE", help="Write the YAML to this file; to standard output if not given."
)
@click.option(
    "--data",
    metavar="PATH",
    help="Labelled text: its path in the steps; the starter corpus if not given.",
)
@click.option("--config", "config_file", metavar="FILE", help="Settings as YAML.")
@click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, as in kubeflow.train.memory=16Gi; may be repeated.",
)
@click.option(
    "--workdir",
    metavar="DIR",
    help="Folder for everything the steps make: an absolute path in the steps.",
)
@click.option(
    "--kfp-python",
    metavar="PYTHON",
    help="A Python that has kfp and kfp-kubernetes; if not given tfx-ner's own, or that of `make kubeflow`.",
)
def compile(
    target: str,
    image: str | None,
    output: str | None,
    data: str | None,
    config_file: str | None,
    assignments: tuple[str, ...],
    workdir: str | None,
    kfp_python: str | None,
) -> None:
    """Write the pipeline for another orchestrator: as YAML for Kubeflow Pipelines.

    Each step runs `tfx-ner run --until NODE` in the image, with the settings given here. The volume claim
    kubeflow.data_claim is mounted at the data, kubeflow.work_claim at the workdir. The workdir is as after any other run:
    `tfx-ner runs`, `models` and `report` read it, and servers read its folder serving. A refused model is no failure
    there. kubeflow.STEP.cpu, .memory and .gpu set the resources of data, transform, train, evaluate and publish.

    \b
      tfx-ner compile --target kubeflow --image registry.example.org/tfx-ner:0.2.0 \\
        --data /srv/tfx-ner/data --workdir /srv/tfx-ner/work --set kubeflow.train.gpu=1 --output ner.yaml
    """
    from pipeline import config
    from pipeline.kubeflow.compiler import compile_plan, recurring_run_command
    from pipeline.kubeflow.plan import make_plan

    options.refuse_unwritable(output)
    if output and not output.endswith((".yaml", ".yml")):
        raise UserError(
            f"--output {output}: expected a name that ends with .yaml, by which Kubeflow knows the format"
        )
    given = [*assignments, f"kubeflow.image={image}"] if image else assignments
    settings = config.load(config_file, given, {"data": data, "workdir": workdir})
    plan = make_plan(settings)
    text = compile_plan(plan, kfp_python)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    if not output:
        click.echo(text, nl=False)
        return
    options.write_text(text, output)
    click.echo(f"{output}: {', '.join(task.name for task in plan.tasks)}, in {plan.image}")
    click.echo(f"a recurring run: {recurring_run_command(str(Path(output)), settings.schedule)}")
