"""Stands in for `tfx-ner schedule …` in a DAG: notes how it was called, and ends as `endings.json` beside it says for the step."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent

arguments = sys.argv[1:]
with (HERE / "calls.jsonl").open("a") as file:
    file.write(json.dumps(arguments) + "\n")
what = arguments[arguments.index("--until") + 1] if "--until" in arguments else arguments[1]
sys.exit(json.loads((HERE / "endings.json").read_text()).get(what, 0))
