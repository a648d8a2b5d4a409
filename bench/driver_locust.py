"""A load by Locust, for bench/driver.py: ADDRESS RATE SECONDS, prints added seconds as JSON.

Locust knows no due times, so added is counted from when it sent the request.
"""

import gevent.monkey

gevent.monkey.patch_all()

import json  # noqa: E402  Locust wants its patches first
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from locust import constant_throughput, task  # noqa: E402
from locust.contrib.fasthttp import FastHttpUser  # noqa: E402
from locust.env import Environment  # noqa: E402

USERS = 50
ADDRESS, RATE, SECONDS = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
added: list[float] = []
failed: list[int] = []


class Caller(FastHttpUser):
    host = ADDRESS
    wait_time = constant_throughput(RATE / USERS)

    @task
    def ask(self) -> None:
        sent = time.monotonic()
        with self.client.get("/", catch_response=True) as answer:
            done = time.monotonic()
            if answer.status_code != 200:
                failed.append(answer.status_code)
                return
            read, wrote = map(float, answer.json()["id"].split())
        added.append(done - sent - (wrote - read))


environment = Environment(user_classes=[Caller])
runner = environment.create_local_runner()
began = time.monotonic()
runner.start(USERS, spawn_rate=USERS * 10)
gevent.sleep(SECONDS)
took = time.monotonic() - began
count = len(added)
runner.quit()
json.dump({"added": added[:count], "failed": len(failed), "seconds": took}, sys.stdout)
