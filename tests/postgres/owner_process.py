"""Another process that holds a server: `owner_process.py DATA_DIR [fork]`.

Starts it, prints one JSON object, and stops it when standard input ends. With `fork` it first leaves a forked child
behind, which outlives it until its own standard input ends.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapters.postgres import embedded


def main(data_dir: str, *options: str) -> None:
    try:
        server = embedded.start(Path(data_dir))
    except embedded.EmbeddedPostgresError as error:
        _say(error=type(error).__name__, message=str(error))
        return
    child = os.fork() if "fork" in options else -1
    if child != 0:
        _say(url=server.owner_url, uid=os.geteuid(), child=child)
    sys.stdin.read()
    server.stop()


def _say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


main(*sys.argv[1:])
