"""`tfx-ner init-config`."""

from pathlib import Path

import click

from components.errors import UserError


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def init_config(file: Path | None) -> None:
    """Write a commented YAML file of all settings with their defaults.

    FILE must not exist yet; by default the YAML goes to standard output. Pass the file to
    `tfx-ner run --config FILE`.
    """
    from pipeline import settings_reference

    text = settings_reference.as_yaml()
    if file is None:
        click.echo(text, nl=False)
        return
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UserError(f"{file}: the file exists; name a new one") from None
    except OSError as error:
        problem = f"cannot write ({error.strerror}); name a file in a folder that exists"
        raise UserError(f"{file}: {problem}") from None
    click.echo(
        f"{file}: all settings with their defaults; use it with `tfx-ner run --config {file}`"
    )
