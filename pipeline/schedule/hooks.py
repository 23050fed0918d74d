"""Notifications about the end of a run: a command or a webhook. A failed one changes nothing else."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

from pipeline.schedule.process import Clock

_WEBHOOK_SCHEMES = ("http://", "https://")
_WEBHOOK_TRIES = 3
_WEBHOOK_PAUSE_SECONDS = 5
_TEMPORARY_STATUSES = (408, 425, 429)  # and all from 500


def call(
    hook: Sequence[str], facts: Mapping[str, object], timeout: float, clock: Clock, log: str
) -> str | None:
    """Runs a command or calls a webhook.

    Args:
      hook: a command with its arguments, run without a shell, or the address of a webhook.
      facts: how the run ended. A command gets them as `TFX_NER_…` variables and as JSON on standard
        input; a webhook gets the JSON by POST.
      timeout: seconds that a command or a request may take.
      clock: waits between the tries of a webhook.
      log: path of a file for the output of a command; "" to discard it.

    Returns:
      What went wrong, or None.
    """
    if hook[0].startswith(_WEBHOOK_SCHEMES):
        return _post(hook[0], facts, timeout, clock)
    return _run(hook, facts, timeout, log)


def _run(
    command: Sequence[str], facts: Mapping[str, object], timeout: float, log: str
) -> str | None:
    variables = {
        f"TFX_NER_{name.upper()}": "" if fact is None else str(fact) for name, fact in facts.items()
    }
    with open(log or os.devnull, "ab") as output:
        try:
            process = subprocess.Popen(
                command,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            return f"{command[0]}: {error.strerror}"
        try:
            process.communicate(json.dumps(facts).encode(), timeout=timeout)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return f"{command[0]}: took longer than {timeout:g} s"
    return f"{command[0]}: ended with {process.returncode}" if process.returncode else None


def _post(url: str, facts: Mapping[str, object], timeout: float, clock: Clock) -> str | None:
    import httpx

    host = _without_secrets(url)
    for tries_left in reversed(range(_WEBHOOK_TRIES)):
        try:
            status = httpx.post(url, json=facts, timeout=timeout).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = f"{host}: {str(error) or type(error).__name__}"
        else:
            if status < 300:
                return None
            problem = f"{host}: answered {status}"
            if status < 500 and status not in _TEMPORARY_STATUSES:
                return problem
        if not tries_left or clock.wait(_WEBHOOK_PAUSE_SECONDS):
            break
    return problem


def _without_secrets(url: str) -> str:
    """Scheme and host of an address: a webhook's path and user name are secrets."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
