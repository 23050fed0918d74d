"""Retrains the named-entity recogniser each night, step by step: a DAG for Airflow 3. Copy it into the folder of DAGs.

Each task runs `tfx-ner schedule`, which repeats failed runs and sends notifications itself. If nothing is new, all tasks
are skipped. The worker has tfx-ner in an environment of its own, because Airflow needs other versions of its libraries.
"""

import datetime
import itertools

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROGRAM = "/opt/tfx-ner/bin/tfx-ner"
SETTINGS = "/etc/tfx-ner/ner.yaml"

# Each task takes the results of the earlier ones from the cache and stops after its node; the last one publishes.
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
    description="Retrain the named-entity recogniser if there is something new",
    schedule="0 2 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["ner"],
) as dag:
    tasks = [
        BashOperator(
            task_id=name,
            # `exec`, so that the SIGTERM of Airflow reaches tfx-ner and not the shell.
            bash_command=f"exec {PROGRAM} schedule {how} --config {SETTINGS}",
            skip_on_exit_code=[3, 4],  # the gate refused the model; nothing is new
            retries=0,
            execution_timeout=datetime.timedelta(hours=30),
        )
        for name, how in TASKS.items()
    ]
    for before, task in itertools.pairwise(tasks):
        before >> task
