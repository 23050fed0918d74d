"""The machines that train together, as the variable TF_CONFIG names them, which is TensorFlow's way."""

import json
from dataclasses import dataclass

from components.errors import UserError

VARIABLE = "TF_CONFIG"
_EXPECTED = (
    'expected {"cluster": {"worker": ["one.example:2222", "two.example:2222"]}, "task": {"type": "worker", "index": 0}},'
    " with the same cluster on every machine"
)


@dataclass(frozen=True)
class Place:
    """Where a process stands among those that train together.

    `number` counts from 0, which is the chief; `of` is how many there are; `chief` is that one's address, host and port.
    """

    number: int
    of: int
    chief: str

    @property
    def host(self) -> str:
        return self.chief.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.chief.rpartition(":")[2])


def place(text: str | None) -> Place:
    """Reads the content of TF_CONFIG; a cluster has workers, and may have a chief, else the first worker is it.

    Raises UserError where it is none.
    """
    if not text:
        raise UserError(
            f"{VARIABLE} is not set, and names the machines that train together; {_EXPECTED}"
        )
    try:
        found = json.loads(text)
        cluster, task = found["cluster"], found["task"]
        addresses = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        of_type, number = cluster[task["type"]], int(task["index"])
        if set(cluster) - {"chief", "worker"} or not 0 <= number < len(of_type):
            raise ValueError
        if not all(
            host and 0 < int(port) < 65536
            for host, _, port in (one.rpartition(":") for one in addresses)
        ):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{VARIABLE}: found {text}; {_EXPECTED}") from None
    before = len(cluster.get("chief", ())) if task["type"] == "worker" else 0
    return Place(before + number, len(addresses), addresses[0])
