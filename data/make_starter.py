"""Makes the starter corpus: train.conll, dev.conll and test.conll, the same bytes every time.

python data/make_starter.py            writes them to data/starter
python data/make_starter.py --check    says whether the files there are what this program makes (exit code 1 if not)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from starter_grammar.corpus import build, conll

HERE = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Makes the starter corpus.")
    parser.add_argument(
        "--out",
        type=Path,
        default=HERE / "starter",
        help="folder of the files (default: data/starter)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; compare, and exit with 1 if a file differs",
    )
    options = parser.parse_args(arguments)
    files = {
        options.out / f"{split}.conll": conll(documents).encode("utf-8")
        for split, documents in build().items()
    }
    if options.check:
        return _check(files)
    options.out.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        path.write_bytes(content)
        print(f"{path}: {content.count(b'-DOCSTART-')} documents, {len(content) / 1000:.0f} kB")
    return 0


def _check(files: dict[Path, bytes]) -> int:
    stale = [
        path
        for path, content in files.items()
        if not path.is_file() or path.read_bytes() != content
    ]
    for path in stale:
        print(
            f"{path}: not what the program makes; run python data/make_starter.py", file=sys.stderr
        )
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
