"""`make api-key NAME=somebody`: a new API key, and the hash to configure."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from serving.http.access import new_key

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Print a new key, which is kept nowhere, and what to configure."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.api_key", description=__doc__)
    parser.add_argument("name", help="who will have it; told in the log of its requests")
    name = parser.parse_args(argv).name
    key, digest = new_key()
    print(
        f"The key of {name}, shown once and kept nowhere:\n  {key}\n"
        f"Its hash, for serving.access.keys in conf/, or for the environment:\n"
        f"  ONTIME_API_KEYS='{json.dumps({name: digest})}'"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
