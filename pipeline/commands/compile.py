"""`tfx-ner compile`: write the pipeline as YAML for Kubeflow Pipelines."""

from dataclasses import replace

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
@click.option("--image", metavar="NAME", help="Container image with tfx-ner (kubeflow.image).")
@click.option("--output", metavar="FILE", help="File for the YAML; by default standard output.")
@options.run
@click.option(
    "--kfp-python",
    metavar="PYTHON",
    help="A Python that has kfp and kfp-kubernetes; by default tfx-ner's own, or that of `make kubeflow`.",
)
def compile(
    target: str,
    image: str | None,
    output: str | None,
    given: options.RunOptions,
    kfp_python: str | None,
) -> None:
    """Write the pipeline as YAML for Kubeflow Pipelines.

    Each step runs `tfx-ner run --until NODE` in the image, with the settings given here. --data and
    --workdir are paths in the steps, where the volume claims kubeflow.data_claim and
    kubeflow.work_claim are mounted. The workdir is as after any other run: `tfx-ner runs`, `models`
    and `report` read it, and servers read its folder serving. A refused model does not fail the
    pipeline. kubeflow.STEP.cpu, .memory and .gpu set the resources of data, transform, train,
    evaluate and publish.

    \b
      tfx-ner compile --target kubeflow --image registry.example.org/tfx-ner:0.2.0 \\
        --data /srv/tfx-ner/data --workdir /srv/tfx-ner/work --set kubeflow.train.gpu=1 --output ner.yaml
    """
    from pipeline.kubeflow import compile_plan, make_plan, recurring_run_command

    options.refuse_unwritable(output)
    if output and not output.endswith((".yaml", ".yml")):
        problem = "expected a name that ends with .yaml, by which Kubeflow knows the format"
        raise UserError(f"--output {output}: {problem}")
    if image:
        given = replace(given, assignments=(*given.assignments, f"kubeflow.image={image}"))
    settings = given.load()
    plan = make_plan(settings)
    text = compile_plan(plan, kfp_python)
    for note in plan.notes:
        click.echo(f"note: {note}", err=True)
    if not output:
        click.echo(text, nl=False)
        return
    options.write_text(text, output)
    click.echo(f"{output}: {', '.join(task.name for task in plan.tasks)}, in {plan.image}")
    click.echo(f"a recurring run: {recurring_run_command(output, settings.schedule)}")
