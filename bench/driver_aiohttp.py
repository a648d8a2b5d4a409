"""An open-loop load by aiohttp, for bench/driver.py: ADDRESS RATE SECONDS, prints added seconds as JSON."""

import asyncio
import json
import sys
import time

import aiohttp


async def main(address: str, rate: float, seconds: float) -> None:
    added: list[float] = []
    failed = 0

    async def ask(session: aiohttp.ClientSession, due: float) -> None:
        nonlocal failed
        try:
            async with session.get(address) as answer:
                read, wrote = map(float, (await answer.json())["id"].split())
        except (aiohttp.ClientError, TimeoutError):
            failed += 1
            return
        added.append(time.monotonic() - due - (wrote - read))

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        began = time.monotonic() + 0.1
        tasks = set()
        for n in range(int(rate * seconds)):
            due = began + n / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(ask(session, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        took = time.monotonic() - began
    json.dump({"added": added, "failed": failed, "seconds": took}, sys.stdout)


asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
