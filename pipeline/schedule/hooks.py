"""Who is told of a run's end: a command, or a webhook. One that fails is noted in the run's log, and changes nothing."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from typing import Optional

from pipeline.schedule.clock import Clock

WEB = ("http://", "https://")
_TRIES = 3
_BETWEEN = 5  # seconds
_PASSING = (408, 425, 429)  # answers that may be others a little later, beside those from 500 on


def call(
    hook: Sequence[str], facts: Mapping[str, object], seconds: float, clock: Clock, log: str
) -> Optional[str]:
    """Tells one who wants to know, and returns what went wrong, None if nothing did.

    Args:
      hook: a command with its arguments, run without a shell, or the address of a webhook.
      facts: given to a command as `TFX_NER_…` in its environment and as JSON on its standard input, POSTed to a webhook.
      seconds: the longest that it may take.
      clock: to wait by between tries of a webhook.
      log: a file for what a command prints, "" for none.
    """
    return (
        _post(hook[0], facts, seconds, clock)
        if hook[0].startswith(WEB)
        else _run(hook, facts, seconds, log)
    )


def _run(
    command: Sequence[str], facts: Mapping[str, object], seconds: float, log: str
) -> Optional[str]:
    given = {
        f"TFX_NER_{name.upper()}": "" if fact is None else str(fact) for name, fact in facts.items()
    }
    with open(log or os.devnull, "ab") as out:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **given},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        try:
            process.communicate(json.dumps(facts).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{command[0]}: took longer than {seconds:g} s"
    return f"{command[0]}: ended with {process.returncode}" if process.returncode else None


def _post(url: str, facts: Mapping[str, object], seconds: float, clock: Clock) -> Optional[str]:
    import httpx

    where = _without_secrets(url)
    for left in reversed(range(_TRIES)):
        try:
            status = httpx.post(url, json=facts, timeout=seconds).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = f"{where}: {str(error) or type(error).__name__}"
        else:
            if status < 300:
                return None
            problem = f"{where}: answered {status}"
            if status < 500 and status not in _PASSING:
                return problem
        if not left or clock.wait(_BETWEEN):
            return problem


def _without_secrets(url: str) -> str:
    """Only where it goes: paths of webhooks, and names before an @, are as good as passwords."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
