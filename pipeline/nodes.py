"""The ids of the pipeline's nodes, in the order in which they run. Does not import TFX.

The command line and the files for Airflow and Kubeflow need them, and must start fast. A test compares them with
`pipeline.graph`.
"""

LATEST_ACCEPTED_STATISTICS = "LatestAcceptedStatistics"
WARM_START_RESOLVER = "WarmStartResolver"
SERVING_MODEL_RESOLVER = "ServingModelResolver"
RESOLVERS = (LATEST_ACCEPTED_STATISTICS, WARM_START_RESOLVER, SERVING_MODEL_RESOLVER)

LOOKS_UP = "looks up artifacts each time"  # the reason why a resolver ran

# Nodes after which `--until` can stop a run. Resolvers are not among them: they only look artifacts up.
NODES = (
    "CorpusExampleGen",
    "StatisticsGen",
    "CuratedSchema",
    "ExampleValidator",
    "DataGate",
    "Transform",
    "Trainer",
    "Evaluator",
    "TypeGate",
)
# A run cannot stop before these: the Pusher publishes.
LAST = ("Pusher", "Report")
REPORT = "Report"

# The tasks of an external orchestrator (Airflow, Kubeflow): task name -> node to stop after, "" to run to the end.
STEPS = {
    "data": "DataGate",
    "transform": "Transform",
    "train": "Trainer",
    "evaluate": "TypeGate",
    "publish": "",
}

# Ids of the last release -> today's. `--until` takes both; records of old runs keep the old ids.
RENAMED_NODES = {
    "Contract": "CuratedSchema",
    "DataBefore": LATEST_ACCEPTED_STATISTICS,
    "ModelBefore": SERVING_MODEL_RESOLVER,
    "WeightsBefore": WARM_START_RESOLVER,
}


def following(node: str) -> str:
    """The node that runs after `node`, resolvers left out."""
    return (*NODES, *LAST)[NODES.index(node) + 1]
