"""A fake `tfx-ner run` that ends as `plan.json` next to the workdir defines, and records its arguments in `calls.jsonl`.

The plan is a list of endings; the last one is used for all further calls. An ending may have the keys `code`, `published`,
`says`, `reasons`, `held`, `seconds`, `waits_for` (a file), `deaf` (ignores SIGTERM) and `until` (stops before the Pusher).
"""

import datetime
import json
import signal
import sys
import time
from pathlib import Path


def main(work: Path, arguments: list[str]) -> int:
    plan = json.loads((work.parent / "plan.json").read_text())
    calls = work.parent / "calls.jsonl"
    before = len(calls.read_text().splitlines()) if calls.exists() else 0
    ending = plan[min(before, len(plan) - 1)]
    if ending.get("deaf"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with calls.open("a") as file:
        file.write(json.dumps(arguments) + "\n")
    run = work / "runs" / datetime.datetime.now().strftime("%Y%m%d-%H%M%S-%f")
    run.mkdir(parents=True)
    time.sleep(ending.get("seconds", 0))
    while "waits_for" in ending and not Path(ending["waits_for"]).exists():
        time.sleep(0.05)
    if ending["code"] in (0, 3):
        published = None
        if version := ending.get("published"):
            published = work / "serving" / "ner" / version
            published.mkdir(parents=True, exist_ok=True)
        outcome = {
            "published": published and str(published),
            "overall": {"f1": ending.get("f1", 0.5)},
            "reasons": ending.get("reasons", []),
            "held": ending.get("held", ""),
            "nothing_ran": ending.get("nothing_ran", False),
        }
        if until := ending.get("until"):
            outcome = {"until": until, "next": "Pusher", "published": None}
        (run / "outcome.json").write_text(json.dumps(outcome))
    print("some output")
    print(ending.get("says", ""), file=sys.stderr)
    return ending["code"]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
