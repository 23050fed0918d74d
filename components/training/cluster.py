"""The machines that train together, read from TF_CONFIG, TensorFlow's environment variable."""

import json
from dataclasses import dataclass

from components.errors import UserError

VARIABLE = "TF_CONFIG"
_EXPECTED = (
    'expected {"cluster": {"worker": ["one.example:2222", "two.example:2222"]},'
    ' "task": {"type": "worker", "index": 0}}, with the same cluster on every machine'
)


@dataclass(frozen=True)
class ClusterTask:
    """This process among those that train together.

    Attributes:
        rank: its index; 0 is the chief.
        size: the number of processes.
        chief: the chief's address, host:port.
    """

    rank: int
    size: int
    chief: str

    @property
    def host(self) -> str:
        """The chief's host."""
        return self.chief.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The chief's port."""
        return int(self.chief.rpartition(":")[2])


def parse_tf_config(text: str | None) -> ClusterTask:
    """Parses the content of TF_CONFIG. Without a chief in the cluster, the first worker is the
    chief.

    Raises:
        UserError: it is missing or malformed.
    """
    if not text:
        raise UserError(
            f"{VARIABLE} is not set, and names the machines that train together; {_EXPECTED}"
        )
    try:
        config = json.loads(text)
        cluster, task = config["cluster"], config["task"]
        addresses = [*cluster.get("chief", ()), *cluster.get("worker", ())]
        same_type, index = cluster[task["type"]], int(task["index"])
        if set(cluster) - {"chief", "worker"} or not 0 <= index < len(same_type):
            raise ValueError
        for address in addresses:
            host, _, port = address.rpartition(":")
            if not host or not 0 < int(port) < 65536:
                raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UserError(f"{VARIABLE}: found {text}; {_EXPECTED}") from None
    chiefs = len(cluster.get("chief", ())) if task["type"] == "worker" else 0
    return ClusterTask(chiefs + index, len(addresses), addresses[0])
