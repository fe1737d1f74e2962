#!/usr/bin/python3
"""Clients of HTTP/2 that others wrote meet the proxy: curl, nghttp, h2load, python3-h2, Node.js. The API behind it echoes."""
import hashlib
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.request

import h2.config
import h2.connection
import h2.events

PROGRAM = pathlib.Path(os.environ["SPILLWAY_BIN_DIR"]) / "proxy/spillway"
BODY = bytes(range(256)) * 4000


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(self.path.encode())

    def do_POST(self):
        size = self.headers["Content-Length"]
        if size is not None:
            return self.answer(self.rfile.read(int(size)))
        body = b""
        while chunk := int(self.rfile.readline(), 16):
            body += self.rfile.read(chunk)
            self.rfile.readline()
        self.rfile.readline()
        self.answer(body)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        http.server.ThreadingHTTPServer.request_queue_size = 1024
        cls.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        threading.Thread(target=cls.api.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(cls.folder.name) / "proxy.yaml"
        config.write_text("listen: {address: 127.0.0.1:0, http2: true}\nadmin: {listen: 127.0.0.1:0}\n"
                          f"upstream: {{address: 127.0.0.1:{cls.api.server_port}, health: {{mode: tcp}}}}\n"
                          "limits: {body: 0}\nlog: {format: json}\n", encoding="utf-8")
        cls.proxy = subprocess.Popen([PROGRAM, "--config", config], stdout=subprocess.PIPE, text=True)
        lines = ""
        while "admitting" not in lines:
            lines += cls.proxy.stdout.readline()
        threading.Thread(target=cls.proxy.stdout.read, daemon=True).start()
        cls.port, cls.admin = (int(re.search(rf"{word} (?:on )?127\.0\.0\.1:(\d+)", lines)[1]) for word in ("listening", "admin"))
        cls.url = f"http://127.0.0.1:{cls.port}"

    @classmethod
    def tearDownClass(cls):
        with urllib.request.urlopen(f"http://127.0.0.1:{cls.admin}/stats") as stats:
            counts = json.load(stats)["requests"]
        cls.proxy.terminate()
        assert cls.proxy.wait(60) == 0
        cls.folder.cleanup()
        assert counts["parsed"] == counts["answered_by_api"] + counts["answered_by_proxy"] + counts["aborted"], counts
        assert counts["aborted"] == 0, counts

    def run_client(self, *command, **more):
        done = subprocess.run(command, capture_output=True, check=False, timeout=240, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_curl(self):
        curl = ("curl", "--silent", "--show-error", "--http2-prior-knowledge")
        self.assertEqual(self.run_client(*curl, self.url + "/a"), b"/a")
        for more in ((), ("-H", "Content-Length:")):
            self.assertEqual(self.run_client(*curl, "--data-binary", "@-", *more, self.url, input=BODY), BODY)

    def test_nghttp(self):
        self.assertEqual(self.run_client("nghttp", *(f"{self.url}/{i}" for i in range(50))).count(b"/"), 50)
        with tempfile.NamedTemporaryFile() as file:
            file.write(BODY)
            file.flush()
            self.assertEqual(self.run_client("nghttp", "-d", file.name, self.url), BODY)

    def test_h2load(self):
        out = self.run_client("h2load", "-n", "2000", "-c", "4", "-m", "20", self.url + "/x").decode()
        self.assertIn("2000 succeeded, 0 failed", out)

    def test_python(self):
        wire = socket.create_connection(("127.0.0.1", self.port))
        client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        client.initiate_connection()
        sizes = {}
        for stream in range(1, 21, 2):
            client.send_headers(stream, [(":method", "POST"), (":path", "/"), (":scheme", "http"), (":authority", "a")])
            client.send_data(stream, BODY[:5000], end_stream=True)
            sizes[stream] = b""
        open_streams = set(sizes)
        while open_streams:
            wire.sendall(client.data_to_send())
            data = wire.recv(65536)
            self.assertTrue(data)
            for event in client.receive_data(data):
                self.assertNotIsInstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated))
                if isinstance(event, h2.events.DataReceived):
                    sizes[event.stream_id] += event.data
                    client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                if isinstance(event, h2.events.StreamEnded):
                    open_streams.discard(event.stream_id)
        for body in sizes.values():
            self.assertEqual(body, BODY[:5000])
        client.close_connection()
        wire.sendall(client.data_to_send())

    def test_node(self):
        script = """
          const session = require('http2').connect(process.argv[1]);
          const hash = require('crypto').createHash('sha256');
          const request = session.request({':method': 'POST', ':path': '/'});
          request.on('data', (part) => hash.update(part));
          request.on('end', () => { console.log(hash.digest('hex')); session.close(); });
          process.stdin.pipe(request);
        """
        out = self.run_client("node", "-e", script, self.url, input=BODY)
        self.assertEqual(out.decode().strip(), hashlib.sha256(BODY).hexdigest())


if __name__ == "__main__":
    unittest.main()
