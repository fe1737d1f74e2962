#!/usr/bin/python3
"""Clients of HTTP/2 that others wrote meet the proxy, over TLS and without it: curl, nghttp, h2load, python3-h2, Node.js,
Chromium. The API behind it echoes."""
import hashlib
import http.server
import json
import os
import pathlib
import re
import socket
import ssl
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
        self.answer(self.headers.get("X-Client-Cert-Subject", self.path).encode())

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
        folder = pathlib.Path(cls.folder.name)
        cls.certificate = str(folder / "certificate.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", folder / "key.pem", "-out", cls.certificate], check=True, capture_output=True)
        cls.client = str(folder / "client.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=a client", "-keyout", folder / "client.key", "-out", cls.client],
                       check=True, capture_output=True)
        config = folder / "proxy.yaml"
        tls = f"certificate: {cls.certificate}, key: {folder / 'key.pem'}"
        config.write_text("listen:\n- {address: 127.0.0.1:0, http2: true}\n"
                          f"- {{address: 127.0.0.1:0, http2: true, tls: {{{tls}}}}}\n"
                          f"- {{address: 127.0.0.1:0, http2: true, tls: {{{tls}, client_ca: {cls.client}, "
                          "client_certificate: require}}\n"
                          "admin: {listen: 127.0.0.1:0}\n"
                          f"upstream: {{address: 127.0.0.1:{cls.api.server_port}, health: {{mode: tcp}}}}\n"
                          "limits: {body: 0}\nlog: {format: json}\n", encoding="utf-8")
        cls.proxy = subprocess.Popen([PROGRAM, "--config", config], stdout=subprocess.PIPE, text=True)
        lines = ""
        while "admitting" not in lines:
            lines += cls.proxy.stdout.readline()
        threading.Thread(target=cls.proxy.stdout.read, daemon=True).start()
        cls.port, cls.tls_port, cls.known_port = (int(port) for port in re.findall(r"listening on 127\.0\.0\.1:(\d+)", lines))
        cls.admin = int(re.search(r"admin on 127\.0\.0\.1:(\d+)", lines)[1])
        cls.url = f"http://127.0.0.1:{cls.port}"
        cls.tls_url = f"https://127.0.0.1:{cls.tls_port}"
        cls.urls = (cls.url, cls.tls_url)

    @classmethod
    def tearDownClass(cls):
        with urllib.request.urlopen(f"http://127.0.0.1:{cls.admin}/stats") as stats:
            counts = json.load(stats)["requests"]
        cls.proxy.terminate()
        assert cls.proxy.wait(60) == 0
        cls.folder.cleanup()
        assert counts["parsed"] == counts["answered_by_api"] + counts["answered_by_proxy"] + counts["aborted"], counts
        assert counts["aborted"] <= 1, counts  # Chromium may leave before it has its icon

    def run_client(self, *command, **more):
        done = subprocess.run(command, capture_output=True, check=False, timeout=240, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def requests_by(self, protocol):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics") as metrics:
            text = metrics.read().decode()
        return int(re.search(rf'spillway_http_requests_total{{protocol="{protocol}"}} (\d+)', text)[1])

    def test_curl(self):
        curl = ("curl", "--silent", "--show-error", "--cacert", self.certificate, "--write-out", "%{http_version}")
        for version, url in (("--http2-prior-knowledge", self.url), ("--http2", self.tls_url)):
            self.assertEqual(self.run_client(*curl, version, url + "/a"), b"/a2")
            self.assertEqual(self.run_client(*curl, version, "--tlsv1.2", "--tls-max", "1.2", url + "/a"), b"/a2")
            # Often: whether a part of it waits in the socket when the rest has been read is up to chance.
            for more in ((), ("-H", "Content-Length:")) * 10:
                self.assertEqual(self.run_client(*curl, version, "--data-binary", "@-", *more, url, input=BODY), BODY + b"2")
        self.assertEqual(self.run_client(*curl, "--http1.1", self.tls_url + "/a"), b"/a1.1")
        self.assertEqual(self.run_client(*curl, "--no-alpn", self.tls_url + "/a"), b"/a1.1")
        # Without TLS curl asks for an upgrade, which no server has to make (RFC 9113, section 3.1).
        self.assertEqual(self.run_client(*curl, "--http2", self.url + "/a"), b"/a1.1")

    def test_curl_with_a_certificate(self):
        curl = ("curl", "--silent", "--show-error", "--cacert", self.certificate, "--write-out", "%{http_version}",
                f"https://localhost:{self.known_port}/a")
        key = self.client.replace(".pem", ".key")
        for version in (("--tlsv1.3",), ("--tls-max", "1.2")):
            out = self.run_client(*curl, *version, "--cert", self.client, "--key", key)
            self.assertEqual(out, b"CN=a client2")
            refused = subprocess.run([*curl, *version], capture_output=True, check=False, timeout=240)
            self.assertNotEqual(refused.returncode, 0)
            self.assertEqual(refused.stdout[:1], b"0")

    def test_nghttp(self):
        for url in self.urls:
            self.assertEqual(self.run_client("nghttp", *(f"{url}/{i}" for i in range(50))).count(b"/"), 50)
            with tempfile.NamedTemporaryFile() as file:
                file.write(BODY)
                file.flush()
                self.assertEqual(self.run_client("nghttp", "-d", file.name, url), BODY)

    def test_h2load(self):
        for url in self.urls:
            out = self.run_client("h2load", "-n", "2000", "-c", "4", "-m", "20", url + "/x").decode()
            self.assertIn("2000 succeeded, 0 failed", out)

    def test_python(self):
        with socket.create_connection(("127.0.0.1", self.port)) as wire:
            self.exchange_with_python(wire)
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection(("127.0.0.1", self.tls_port))
        with context.wrap_socket(plain, server_hostname="localhost") as wire:
            self.assertEqual(wire.selected_alpn_protocol(), "h2")
            self.exchange_with_python(wire)

    def test_client_that_agrees_on_h2_and_speaks_http1(self):
        context = ssl.create_default_context(cafile=self.certificate)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=30)
        with context.wrap_socket(plain, server_hostname="localhost") as wire:
            wire.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = b""
            while data := wire.recv(65536):
                answer += data
        goaway = b"\x00\x00\x08\x07\x00" + bytes(4) + bytes(4) + b"\x00\x00\x00\x01"  # PROTOCOL_ERROR
        self.assertIn(goaway, answer)

    def exchange_with_python(self, wire):
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
          const ca = require('fs').readFileSync(process.argv[2]);
          const session = require('http2').connect(process.argv[1], {ca});
          const hash = require('crypto').createHash('sha256');
          const request = session.request({':method': 'POST', ':path': '/'});
          request.on('data', (part) => hash.update(part));
          request.on('end', () => { console.log(hash.digest('hex')); session.close(); });
          process.stdin.pipe(request);
        """
        for url in self.urls:
            out = self.run_client("node", "-e", script, url, self.certificate, input=BODY)
            self.assertEqual(out.decode().strip(), hashlib.sha256(BODY).hexdigest())

    def test_chromium(self):
        before = self.requests_by("HTTP/2")
        with tempfile.TemporaryDirectory() as profile:
            page = self.run_client("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
                                   f"--user-data-dir={profile}", "--dump-dom", self.tls_url + "/of-a-browser")
        self.assertIn(b"/of-a-browser", page)
        self.assertGreater(self.requests_by("HTTP/2"), before)


if __name__ == "__main__":
    unittest.main()
