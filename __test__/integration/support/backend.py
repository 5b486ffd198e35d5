"""A seller's backend on Python's own http.server, as scripts of an afternoon are.

The first line of output names its port; GET /seen tells what has arrived since it last told. It
speaks the HTTP of the first argument; http.server's own default is HTTP/1.0. With two more, a file
with key and certificate and a version of TLS, it speaks that: its connections end without
close_notify, as everywhere where `ssl` wraps an http.server.
"""

import ctypes
import json
import signal
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = "shared-secret-of-the-python-backend"

# What frameworks answer where the slash at the end of a path is missing.
REDIRECTS = {
    "/starlette": (307, "http://{host}/starlette/"),  # FastAPI too
    "/werkzeug": (308, "http://{host}/werkzeug/"),  # Flask
    "/django": (301, "/django/"),
}

seen = []


class Backend(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        seen.append({"method": "POST", "path": self.path, "body": body})
        if self.path in REDIRECTS:
            status, location = REDIRECTS[self.path]
            self.send_response(status)
            self.send_header("Location", location.format(host=self.headers["Host"]))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.headers["X-Internal-Auth"] != SECRET and SECRET not in body:
            self.answer(401, {"detail": "not for you"})
        elif self.path == "/utf-8-sig/":
            self.answer(200, {"token": "schlüssel"}, "utf-8-sig")
        elif self.path == "/ascii/":
            self.answer(200, {"token": "schlüssel 🔑"}, "ascii")
        elif self.path == "/unframed/":
            self.close_connection = True
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"token": "t", "access_token": "t", "expires_in": 3600}')
        elif self.path == "/crash/":
            raise RuntimeError("on purpose")
        else:
            self.answer(200, {"token": json.loads(body)["challengeId"]})

    def do_GET(self):
        if self.path == "/seen":
            # Before it answers: what the caller sends next comes on another thread.
            told = seen[:]
            del seen[: len(told)]
            self.answer(200, told)
        else:
            seen.append({"method": "GET", "path": self.path, "body": ""})
            self.answer(405, {"detail": 'Method "GET" not allowed.'})

    def answer(self, status, value, encoding="utf-8"):
        """As json.dumps makes it: with blanks, and in ASCII where that is the encoding."""
        body = json.dumps(value, ensure_ascii=encoding == "ascii").encode(encoding)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, *_):
        pass


# However the tests end, this ends with them.
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

Backend.protocol_version = sys.argv[1]
server = Server(("127.0.0.1", 0), Backend)
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    context.minimum_version = context.maximum_version = ssl.TLSVersion[sys.argv[3]]
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(json.dumps({"port": server.server_address[1], "secret": SECRET}), flush=True)
server.serve_forever()
