"""The `__main__` of the single-file runner: a worker, which needs few modules, or the runner itself.

An archive keeps no compiled modules, so what a worker does not need would be compiled at each of its starts.
"""

from __future__ import annotations

import sys

from condmix.runtime.bench.worker_process import WORKER_FLAG


def main() -> int:
    """The exit code."""
    if sys.argv[1:] == [WORKER_FLAG]:
        from condmix.runtime.bench.worker import main as work

        work()
        return 0
    from condmix.deploy.measure.runner_main import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
