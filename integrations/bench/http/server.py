"""The HTTP server as asyncio's users write it for speed: uvloop, a Protocol, httptools.

Usage: server.py CPU. Prints its port; answers each line of its input with the CPU time used, user
and system in nanoseconds; ends with its input. Started by the benchmark `http`.

Not here: anything that the reply does not need. A framework would cost several times as much.
"""

import asyncio
import os
import resource
import sys
import threading
import time
from email.utils import formatdate

import httptools
import uvloop

REPLY = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n"
    b"date: %s\r\n\r\nHello, world!"
)


class Date:
    """The reply with the date of this second, as hyper keeps it too."""

    def __init__(self, loop):
        self.loop = loop
        self.renew()

    def renew(self):
        self.reply = REPLY % formatdate(time.time(), usegmt=True).encode()
        self.loop.call_later(1 - time.time() % 1, self.renew)


class Connection(asyncio.Protocol):
    def __init__(self, date):
        self.date = date

    def connection_made(self, transport):
        self.transport = transport  # asyncio and uvloop set TCP_NODELAY
        self.parser = httptools.HttpRequestParser(self)
        self.requests = 0

    def data_received(self, data):
        self.parser.feed_data(data)
        # Requests that came in one piece are answered in one: each write is a system call.
        self.transport.write(self.date.reply * self.requests)
        self.requests = 0
        if not self.parser.should_keep_alive():
            self.transport.close()

    def on_message_complete(self):
        self.requests += 1


def answer_with_cpu_time():
    for _ in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(round(used.ru_utime * 1e9), round(used.ru_stime * 1e9), flush=True)
    os._exit(0)


async def main():
    loop = asyncio.get_running_loop()
    date = Date(loop)
    server = await loop.create_server(lambda: Connection(date), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    threading.Thread(target=answer_with_cpu_time, daemon=True).start()
    await server.serve_forever()


os.sched_setaffinity(0, {int(sys.argv[1])})
uvloop.run(main())
