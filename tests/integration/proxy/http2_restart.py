#!/usr/bin/python3
"""A proxy ends while a client of HTTP/2 is at work, Node.js here, and its successor serves the same socket: every request is
answered, and none reaches the API twice. The client repeats what was refused with REFUSED_STREAM, and nothing else."""
import collections
import contextlib
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

PROGRAM = pathlib.Path(os.environ["SPILLWAY_BIN_DIR"]) / "proxy/spillway"
READY = "admitting"

# Asks for each path that it reads, and prints path, status (0: failed) and how often the request was refused.
CLIENT = """
const http2 = require('http2');
const refused = http2.constants.NGHTTP2_REFUSED_STREAM;
let session;
const connect = () => {
  const made = session = http2.connect(process.argv[1]);
  const leave = () => { if (session === made) connect(); };
  made.on('goaway', leave).on('close', leave).on('error', leave);
};
const ask = (path, refusals) => {
  const request = session.request({':path': path});
  let status = 0;
  request.on('response', (fields) => { status = fields[':status']; }).on('error', () => {}).resume();
  request.on('close', () => {
    if (status === 0 && request.rstCode === refused) return ask(path, refusals + 1);
    console.log(JSON.stringify({path, status: request.rstCode === 0 ? status : 0, refusals}));
  });
};
connect();
require('readline').createInterface({input: process.stdin})
  .on('line', (path) => ask(path, 0)).on('close', () => process.exit(0));
"""


class Api(http.server.BaseHTTPRequestHandler):
    """Answers, and counts each path. `/held` waits for its release."""
    protocol_version = "HTTP/1.1"
    seen = collections.Counter()
    held = threading.Event()
    release = threading.Event()

    def do_GET(self):
        self.seen[self.path] += 1
        if self.path == "/held":
            self.held.set()
            self.release.wait(60)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        with contextlib.suppress(OSError):  # the proxy has left
            self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Restart(unittest.TestCase):
    def setUp(self):
        Api.seen.clear()
        Api.held.clear()
        Api.release.clear()
        http.server.ThreadingHTTPServer.request_queue_size = 1024
        self.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=self.api.serve_forever, daemon=True).start()
        self.addCleanup(self.api.server_close)
        self.addCleanup(self.api.shutdown)
        self.addCleanup(Api.release.set)
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.addCleanup(self.listener.close)

    def start_proxy(self, name, more=""):
        config = pathlib.Path(self.folder.name) / name  # one file each: it is watched
        config.write_text(f"listen: {{address: \"fd:{self.listener.fileno()}\", http2: true}}\n"
                          "admin: {listen: 127.0.0.1:0}\n"
                          f"upstream: {{address: 127.0.0.1:{self.api.server_port}, health: {{mode: tcp}}}}\n{more}",
                          encoding="utf-8")
        proxy = subprocess.Popen([PROGRAM, "--config", config], stdout=subprocess.PIPE, text=True,
                                 pass_fds=[self.listener.fileno()])
        self.addCleanup(proxy.stdout.close)
        self.addCleanup(proxy.wait)
        self.addCleanup(proxy.kill)
        lines = ""
        while READY not in lines:
            lines += proxy.stdout.readline()
        self.admin = re.search(r"admin on (\S+:\d+)", lines)[1]
        threading.Thread(target=lambda: collections.deque(proxy.stdout, 0), daemon=True).start()
        return proxy

    def start_client(self):
        client = subprocess.Popen(["node", "-e", CLIENT, f"http://127.0.0.1:{self.listener.getsockname()[1]}"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.addCleanup(client.wait)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stdin.close)
        return client

    def result(self, client):
        result = json.loads(client.stdout.readline())
        self.assertEqual(result["status"], 200, result)
        return result

    def await_queue(self, length):
        for _ in range(600):
            with urllib.request.urlopen(f"http://{self.admin}/stats") as stats:
                if f'"queue_length":{length},' in stats.read().decode():
                    return
            time.sleep(0.05)
        self.fail(f"{length} requests do not wait")

    def end(self, proxy):
        self.assertEqual(proxy.wait(60), 0)

    def test_no_request_is_lost_or_done_twice(self):
        first = self.start_proxy("first", "timeouts: {drain: 30s}\n")
        client = self.start_client()
        asked = 0

        def ask():
            nonlocal asked
            client.stdin.write(f"/{asked}\n")
            asked += 1

        for _ in range(20):
            ask()
        second = None
        for answered in range(400):
            self.result(client)
            if answered == 100:
                second = self.start_proxy("second")
                first.send_signal(signal.SIGTERM)
            ask()
        for _ in range(20):
            self.result(client)
        self.end(first)
        self.assertEqual([Api.seen[f"/{i}"] for i in range(asked)], [1] * asked)
        second.terminate()
        self.end(second)

    def test_what_waits_for_a_slot_at_the_end_is_refused_and_repeated(self):
        first = self.start_proxy("first", "timeouts: {drain: 1s}\n"
                                 "admission: {max_concurrent: 1, shed_at: 1, queue: {max_wait: 1m, patience: 1m}}\n")
        client = self.start_client()
        client.stdin.write("/held\n")
        self.assertTrue(Api.held.wait(30))
        for i in range(10):
            client.stdin.write(f"/{i}\n")
        self.await_queue(10)
        second = self.start_proxy("second")
        first.send_signal(signal.SIGTERM)
        # What the API holds is cut in the end. The others are served elsewhere.
        answers = [json.loads(client.stdout.readline()) for _ in range(11)]
        answers = [answer for answer in answers if answer["path"] != "/held"]
        for answer in answers:
            self.assertEqual((answer["status"], answer["refusals"]), (200, 1), answer)
        self.assertEqual(sorted(Api.seen.items()), sorted([("/held", 1)] + [(f"/{i}", 1) for i in range(10)]))
        self.end(first)
        second.terminate()
        self.end(second)


if __name__ == "__main__":
    unittest.main()
