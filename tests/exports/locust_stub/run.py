"""Runs a locustfile without Locust: python run.py FILE HOST TASKS USERS, its settings in the environment.

Prints what was counted, what was not, and how the file judged it.
"""

import json
import runpy
import sys
from types import SimpleNamespace
from typing import Any

from locust import events  # type: ignore[import-not-found]  # this stub
from locust.event import EventHook  # type: ignore[import-not-found]  # this stub

file, host, tasks, users = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
tally: dict[str, dict[str, Any]] = {}


def count(name: str, status: int, problem: str | None) -> None:
    entry = tally.setdefault(name, {"sent": 0, "failed": 0, "statuses": {}})
    entry["sent"] += 1
    entry["failed"] += problem is not None
    entry["statuses"][str(status)] = entry["statuses"].get(str(status), 0) + 1


found = runpy.run_path(file, run_name="locustfile")
request = EventHook()
request.add_listener(count)
environment = SimpleNamespace(
    host=host,
    events=SimpleNamespace(request=request),
    runner=None,
    parsed_options=SimpleNamespace(expect_workers=1, processes=None),
    stop_timeout=0,
    process_exit_code=None,
)
events.init.fire(environment=environment)
events.test_start.fire(environment=environment)
caller = found["Caller"]
caller.host = host
callers = [caller(environment) for _ in range(users)]
for each in callers:
    each.on_start()
    each.act()
for n in range(tasks):
    callers[n % users].wait_time()
    callers[n % users].act()
sent = sum(entry["sent"] for entry in tally.values())
failed = sum(entry["failed"] for entry in tally.values())
total = SimpleNamespace(
    num_requests=sent, fail_ratio=failed / max(1, sent), get_response_time_percentile=lambda share: 1.0
)
environment.stats = SimpleNamespace(total=total)
events.quitting.fire(environment=environment)
shape = found["Stages"]()
first = shape.tick()
told = {
    "load": tally,
    "exit": environment.process_exit_code,
    "users": first[0],
    "stop_timeout": environment.stop_timeout,
}
sys.stdout.write(json.dumps(told))
