"""Retrains the named-entity recogniser each night: a DAG for Airflow 3, to be copied into its folder of DAGs.

The one task calls the command line, which looks whether there is anything new, tries again by itself what can pass, and
tells whoever waits. tfx-ner is installed in an environment of its own on the worker: Airflow's has other versions.
"""

import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROGRAM = "/opt/tfx-ner/bin/tfx-ner"
SETTINGS = "/etc/tfx-ner/ner.yaml"

with DAG(
    dag_id="tfx_ner_retrain",
    description="Retrain the named-entity recogniser where there is something new",
    schedule="0 2 * * *",
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    catchup=False,
    max_active_runs=1,
    tags=["ner"],
) as dag:
    BashOperator(
        task_id="retrain",
        # Not a child of the shell: Airflow's signal to end has to reach it.
        bash_command=f"exec {PROGRAM} schedule --once --config {SETTINGS}",
        skip_on_exit_code=3,  # the gate let nothing through
        retries=0,
        execution_timeout=datetime.timedelta(hours=30),
    )
