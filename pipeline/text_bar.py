"""The bar that shows how far work on texts is."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


def text_bar(console: Console, redirect_stderr: bool = True) -> Progress:
    """A bar whose tasks have the fields `lines`, how many texts are done, and `speed`, how many a second."""
    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} texts, {task.fields[speed]:,.0f} a second"),
        TimeRemainingColumn(),
    )
    return Progress(
        *columns, console=console, redirect_stdout=False, redirect_stderr=redirect_stderr
    )
