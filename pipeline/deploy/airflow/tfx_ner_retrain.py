"""Retrains the named-entity recogniser each night, step by step: a DAG for Airflow 3, to be copied into its folder of DAGs.

Each task calls the command line, which tries again by itself what can pass, and tells whoever waits. Where nothing is new
all are skipped. tfx-ner is installed in an environment of its own on the worker: Airflow's has other versions.
"""

import datetime
import itertools

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROGRAM = "/opt/tfx-ner/bin/tfx-ner"
SETTINGS = "/etc/tfx-ner/ner.yaml"

# Each task takes from the cache what those before it have done, and stops after a step of the pipeline; the last one publishes.
TASKS = {
    "look": "look",
    "data": "--once --until DataGate",
    "transform": "--once --until Transform",
    "train": "--once --until Trainer",
    "evaluate": "--once --until TypeGate",
    "publish": "--once",
}

with DAG(
    dag_id="tfx_ner_retrain",
    description="Retrain the named-entity recogniser where there is something new",
    schedule="0 2 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["ner"],
) as dag:
    tasks = [
        BashOperator(
            task_id=name,
            # Not a child of the shell: Airflow's signal to end has to reach it.
            bash_command=f"exec {PROGRAM} schedule {how} --config {SETTINGS}",
            skip_on_exit_code=[3, 4],  # the gate let nothing through; nothing is new
            retries=0,
            execution_timeout=datetime.timedelta(hours=30),
        )
        for name, how in TASKS.items()
    ]
    for before, task in itertools.pairwise(tasks):
        before >> task
