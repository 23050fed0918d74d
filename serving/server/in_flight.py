"""How many calls are being answered, for an orderly end."""

import asyncio
import contextlib


class InFlight:
    """Calls that are being answered. Streams of the health service are none: they last as long as their watchers like."""

    def __init__(self):
        self._number, self._none = 0, asyncio.Event()
        self._none.set()

    def __enter__(self):
        self._number += 1
        self._none.clear()

    def __exit__(self, *_):
        self._number -= 1
        if not self._number:
            self._none.set()

    async def wait_for_none(self, seconds: float) -> None:
        """Until all are answered, or so long."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._none.wait(), seconds)
