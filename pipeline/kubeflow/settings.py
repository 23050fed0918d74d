"""What can be set about Kubeflow Pipelines."""

from typing import Optional

from pydantic import Field

from components.settings import Settings

_CPU = r"^\d+(\.\d+)?m?$"
_MEMORY = r"^\d+(\.\d+)?([KMGTPE]i?)?$"


class Step(Settings):
    """What a step asks the cluster for."""

    cpu: Optional[str] = Field(
        "2", pattern=_CPU, description="cores it is sure of, as 2 or 500m; null for no request"
    )
    memory: Optional[str] = Field(
        "4Gi", pattern=_MEMORY, description="memory it gets, and may not pass; null for no limit"
    )
    gpu: int = Field(0, ge=0, le=64, description="NVIDIA's GPUs")


class Kubeflow(Settings):
    """Where the steps run. The fields named by steps are those of `pipeline.nodes.STEPS`."""

    image: Optional[str] = Field(
        None, min_length=1, description="the image that has tfx-ner in it, with its tag"
    )
    data_claim: str = Field(
        "ner-data", min_length=1, description="the volume claim that is mounted at data"
    )
    work_claim: str = Field(
        "ner-work", min_length=1, description="the volume claim that is mounted at workdir"
    )
    secret: Optional[str] = Field(
        None, min_length=1, description="the secret whose key password is the metadata database's"
    )
    data: Step = Field(default_factory=Step, description="the step up to DataGate")
    transform: Step = Field(default_factory=Step, description="the step of Transform")
    train: Step = Field(default_factory=Step, description="the step of Trainer")
    evaluate: Step = Field(default_factory=Step, description="the step of Evaluator and TypeGate")
    publish: Step = Field(default_factory=Step, description="the step of Pusher and Report")
