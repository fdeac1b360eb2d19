"""Queries one after the other, by asyncpg on uvloop.

Usage: client.py --client NAME URL 1 EACH CPU. Prints nanoseconds, user and system CPU time.
Started by the benchmark `postgres`.

Not here: several queries at once, which asyncpg refuses on one connection.
"""

import os
import resource
import sys
import time

import asyncpg
import uvloop


async def queries(statement, each):
    for number in range(each):
        assert await statement.fetchval(number) == number


async def main(url, each):
    connection = await asyncpg.connect(url)
    statement = await connection.prepare("SELECT $1::int")
    await queries(statement, max(1, each // 10))
    start, before = time.perf_counter_ns(), resource.getrusage(resource.RUSAGE_SELF)
    await queries(statement, each)
    elapsed, after = time.perf_counter_ns() - start, resource.getrusage(resource.RUSAGE_SELF)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    print(elapsed, round(user * 1e9), round(system * 1e9))
    await connection.close()


_, _, _, url, _, each, cpu = sys.argv
os.sched_setaffinity(0, {int(cpu)})
uvloop.run(main(url, int(each)))
