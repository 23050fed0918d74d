"""Runs that are killed in given nodes, for tests that look at what came of them."""

from pathlib import Path

from tests.e2e.program import Program

HOOKS = Path(__file__).with_name("hooks")
TRAINING = ("--set=training.epochs=6", "--set=training.patience=6")  # all six, however good dev is


def with_hooks(program: Program, **variables: str) -> Program:
    """The program with `tests/e2e/hooks/sitecustomize.py`, which `variables` control."""
    return Program(program.source, **program.variables, PYTHONPATH=str(HOOKS), **variables)


def kill_in_nodes(teller, nodes, also_beside=""):
    """Starts the same run again and again, kills it in each node in turn, and lets it through in the end.

    Each is killed when the node's executor has ended and ML Metadata does not know it yet; training is
    killed in its third epoch, a node without an executor before it starts.

    Args:
      teller: the story's.
      nodes: where to kill.
      also_beside: the node during which a second run is tried in the same workdir; "" for none.

    Returns each try's result by the node, those of the runs after them as "last" and "after", and of the
    second run as "beside", with the process that held the workdir as "holder".
    """
    data, work, program = teller.corpus("data", train=150), teller.folder / "work", teller.program
    kept = {"work": work}
    for node in nodes:
        paused = teller.folder / f"paused-{node}"
        hooked = with_hooks(program, TEST_PAUSE_NODE=node, TEST_PAUSED=str(paused))
        starter = program if node == "Trainer" else hooked
        with starter.started(data, work, *TRAINING) as process:
            if node == "Trainer":
                reached = process.wait_for(lambda process=process: "epoch   2/6" in process.out)
            else:
                reached = process.wait_for(paused.exists)
            assert reached, process.result()
            if node == also_beside:
                kept["beside"] = program.run(data, work, *TRAINING)
                kept["holder"] = process.id
            process.kill()
            kept[node] = process.result()
    kept["last"] = program.run(data, work, *TRAINING)
    kept["after"] = program.run(data, work, *TRAINING)
    return kept
