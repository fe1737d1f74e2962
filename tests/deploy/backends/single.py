"""Python's http.server without threads: one request at a time. ADDRESS PORT [keep]

With `keep` it speaks HTTP/1.1 and keeps its one connection until the client closes it: nobody else is served meanwhile.
"""
import http.server
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1" if sys.argv[3:] == ["keep"] else "HTTP/1.0"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.3)
        self.send_response(200 if self.path in ("/", "/slow") else 404)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_):
        pass


http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
