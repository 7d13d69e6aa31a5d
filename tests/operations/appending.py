"""Run as a script: a process that records a number of decisions while other processes decide too.

appending.py STORE NAME HOW_MANY
"""

from __future__ import annotations

import sys

from operations.ledger.ledger import LedgerConflictError
from operations.release.decisions import Decisions
from serving.stores.opening import open_artifact_store


def main() -> None:
    uri, name, many = sys.argv[1:4]
    decisions = Decisions(store=open_artifact_store(uri), model="ontime", by=name)
    for number in range(int(many)):
        while True:
            try:
                decisions.gated(f"{name}-{number}", passed=False, reasons=("no",), figures={})
            except LedgerConflictError:
                continue  # overtaken five times: again
            break


if __name__ == "__main__":
    main()
