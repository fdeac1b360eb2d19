"""INCR one after the other, by redis-py on uvloop.

Usage: client.py --client NAME URL 1 EACH CPU. Prints nanoseconds, user and system CPU time.
Started by the benchmark `redis`.

Not here: several commands at once on one connection, which redis-py has only as a batch.
"""

import os
import resource
import sys
import time

import redis.asyncio
import uvloop


async def commands(client, each):
    for _ in range(each):
        await client.incr("counter")


async def main(url, each):
    client = redis.asyncio.Redis.from_url(url, single_connection_client=True)
    await commands(client, max(1, each // 10))
    counter = int(await client.get("counter"))
    start, before = time.perf_counter_ns(), resource.getrusage(resource.RUSAGE_SELF)
    await commands(client, each)
    elapsed, after = time.perf_counter_ns() - start, resource.getrusage(resource.RUSAGE_SELF)
    assert int(await client.get("counter")) == counter + each
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(elapsed, round(user * 1e9), round(system * 1e9))
    await client.aclose()


_, _, _, url, _, each, cpu = sys.argv
os.sched_setaffinity(0, {int(cpu)})
uvloop.run(main(url, int(each)))
