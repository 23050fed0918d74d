"""Writes the YAML that Kubeflow Pipelines loads, by kfp's own compiler.

A program of its own, for kfp and TFX rarely agree on versions:

    python write.py FILE < plan.json

Reads a `pipeline.kubeflow.plan.Plan` as JSON. It imports nothing but kfp and kfp-kubernetes.
"""

import json
import sys

from kfp import compiler, dsl, kubernetes

_NVIDIA = "nvidia.com/gpu"


def write(plan: dict, file: str) -> None:
    """Compiles the plan into `file`, which ends with .yaml."""

    @dsl.pipeline(name=plan["name"], description=plan["description"])
    def pipeline():
        before = None
        for one in plan["tasks"]:
            task = _component(one, plan["image"])().set_display_name(one["name"])
            # TFX keeps a cache of its own, which looks into the data; Kubeflow's would see the same command and do nothing.
            task.set_caching_options(False)
            _ask_for(task, one)
            for name, value in plan["environment"].items():
                task.set_env_variable(name, value)
            for path, claim in plan["claims"].items():
                kubernetes.mount_pvc(task, pvc_name=claim, mount_path=path)
            if plan["secret"]:
                kubernetes.use_secret_as_env(
                    task,
                    secret_name=plan["secret"],
                    secret_key_to_env={"password": plan["password"]},
                )
            if before is not None:
                task.after(before)
            before = task

    compiler.Compiler().compile(pipeline, package_path=file)


def _component(task: dict, image: str):
    def container():
        return dsl.ContainerSpec(image=image, command=task["command"], args=task["arguments"])

    container.__name__ = task["name"]
    return dsl.container_component(container)


def _ask_for(task, wanted: dict) -> None:
    if wanted["cpu"]:
        task.set_cpu_request(wanted["cpu"])
    if wanted["memory"]:
        task.set_memory_request(wanted["memory"]).set_memory_limit(wanted["memory"])
    if wanted["gpu"]:
        task.set_accelerator_type(_NVIDIA).set_accelerator_limit(wanted["gpu"])


if __name__ == "__main__":
    write(json.load(sys.stdin), sys.argv[1])
