"""Writes the YAML of Kubeflow Pipelines with kfp's compiler.

A separate program, since kfp and TFX rarely agree on versions:

    python kfp_program.py FILE < plan.json

Reads a `pipeline.kubeflow.Plan` as JSON. Imports nothing but kfp and kfp-kubernetes.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from kfp import compiler, dsl, kubernetes

_NVIDIA = "nvidia.com/gpu"


def write_yaml(plan: dict[str, Any], file: str) -> None:
    """Compiles the plan into `file`, whose name ends with .yaml."""

    @dsl.pipeline(name=plan["name"], description=plan["description"])
    def pipeline() -> None:
        previous = None
        for step in plan["tasks"]:
            task = _component(step, plan["image"])().set_display_name(step["name"])
            # Kubeflow's cache compares commands, not data. TFX's own cache is used instead.
            task.set_caching_options(False)
            _set_resources(task, step)
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
            if previous is not None:
                task.after(previous)
            previous = task

    compiler.Compiler().compile(pipeline, package_path=file)


def _component(step: dict[str, Any], image: str) -> Callable:
    def container() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image=image, command=step["command"], args=step["arguments"])

    container.__name__ = step["name"]
    return dsl.container_component(container)


def _set_resources(task: Any, step: dict[str, Any]) -> None:
    if step["cpu"]:
        task.set_cpu_request(step["cpu"])
    if step["memory"]:
        task.set_memory_request(step["memory"]).set_memory_limit(step["memory"])
    if step["gpu"]:
        task.set_accelerator_type(_NVIDIA).set_accelerator_limit(step["gpu"])


if __name__ == "__main__":
    write_yaml(json.load(sys.stdin), sys.argv[1])
