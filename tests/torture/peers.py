"""Servers that sinks talk to, and that misbehave when they are told to.

Each keeps what it has accepted in `path`, so that it can be counted afterwards: what a server threw away
without having said that it took it is not in there.
"""
import collections
import contextlib
import http.server
import os
import random
import socket
import threading
import time


class Peer:
    """A listener on a fixed port of 127.0.0.1; its `mode` says how it behaves from now on."""

    modes = ()

    def __init__(self, path, seed=0):
        self.path, self.mode, self.closing = path, 'ok', threading.Event()
        self.lock, self.random = threading.Lock(), random.Random(seed)
        self.file = open(path, 'ab', buffering=0)

    def keep(self, data):
        with self.lock:
            self.file.write(data)

    def pause(self, seconds):
        self.closing.wait(seconds)

    def while_mode(self, mode):
        while self.mode == mode and not self.closing.wait(0.02):
            pass

    def close(self):
        self.closing.set()
        self.mode = 'ok'


class TcpPeer(Peer):
    """Takes newline-framed lines. What the kernel has acknowledged counts as delivered, so even when it goes away
    it reads what is there; the rest of a line that a connection left unfinished is dropped, as a receiver does."""

    modes = ('ok', 'hang', 'slow', 'fin', 'down')

    def __init__(self, path, seed=0, buffer_bytes=None):
        super().__init__(path, seed)
        self.buffer_bytes = buffer_bytes
        self.listener = self._listen(0)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _listen(self, port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.buffer_bytes:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer_bytes)
        listener.bind(('127.0.0.1', port))
        listener.listen(64)
        listener.settimeout(0.05)
        return listener

    def sink(self, **more):
        return {'type': 'tcp', 'address': f'127.0.0.1:{self.port}', 'encoding': 'raw', **more}

    def _accept(self):
        while not self.closing.is_set():
            if self.mode == 'down':
                self.listener.close()
                self.while_mode('down')
                self.listener = self._listen(self.port)
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = self.listener.accept()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()
        self.listener.close()

    def _read(self, connection):
        rest, said_fin = b'', False
        connection.settimeout(0.1)
        with contextlib.suppress(OSError), connection:
            while not self.closing.is_set():
                self.while_mode('hang')
                if self.mode == 'slow':
                    self.pause(0.02)
                if self.mode in ('fin', 'down') and not said_fin:
                    connection.shutdown(socket.SHUT_WR)
                    said_fin = True
                try:
                    data = connection.recv(4096 if self.mode == 'slow' else 1 << 18)
                except TimeoutError:
                    continue
                if not data:
                    return
                data = rest + data if rest else data
                end = data.rfind(b'\n') + 1
                if end:
                    self.keep(data[:end])
                rest = data[end:]


class HttpPeer(Peer):
    """Takes POSTs. A body counts as accepted when it was kept, which is before the 2xx is sent: an answer that is
    lost on its way makes a duplicate, never a loss."""

    # What to do with a request, and how often, by mode.
    ways = {
        'ok': {'ok': 1},
        'hang': {'hang': 1},
        'slow': {'slow': 1},
        'busy': {429: 1, 503: 2, 500: 1, 408: 1, 401: 1, 404: 1},
        'reset': {'reset': 2, 'reset after': 1},
        'garbage': {'garbage': 2, 'endless': 1, 'headers': 1},
        'any': {'ok': 12, 'slow': 1, 429: 1, 503: 2, 403: 1, 'split': 1, 'reset': 1, 'reset after': 1, 'garbage': 1, 'headers': 1},
    }
    modes = tuple(ways)

    def __init__(self, path, seed=0):
        super().__init__(path, seed)
        self.requests, self.answers, peer = 0, collections.Counter(), self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                peer.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 128

            def handle_error(self, *_):
                pass

        self.server = Server(('127.0.0.1', 0), Handler)
        self.uri = f'http://127.0.0.1:{self.server.server_address[1]}/in'
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def sink(self, **more):
        return {'type': 'http', 'uri': self.uri, 'encoding': 'raw', 'batch': {'linger': '20ms'}, 'request_timeout': '2s',
                'retry': {'initial': '20ms', 'max': '200ms'}, **more}

    def answer(self, request):
        length = int(request.headers.get('Content-Length', 0))
        body = request.rfile.read(length)
        if len(body) < length:
            return  # the client is gone
        with self.lock:
            self.requests += 1
            ways = self.ways[self.mode]
            way = self.random.choices(list(ways), list(ways.values()))[0]
            if way == 'split' and body.count(b'\n') < 2:
                way = 'ok'
            self.answers[way] += 1
        if way == 'hang':
            self.while_mode('hang')
            way = 503  # the client has long gone
        with contextlib.suppress(OSError):
            if way in ('ok', 'slow', 'reset after'):
                self.keep(body)
            if way in ('reset', 'reset after'):
                # An abort, not an end: RST.
                request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
                request.close_connection = True
                request.connection.close()
            elif way == 'slow':
                for byte in b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n':
                    request.wfile.write(bytes([byte]))
                    self.pause(0.01)
            elif way == 'garbage':
                request.wfile.write(self.random.randbytes(4096))
                request.close_connection = True
            elif way == 'headers':
                request.wfile.write(b'HTTP/1.1 503 Busy\r\n' + b'X-Filler: ' + b'x' * 60_000 + b'\r\n')
                request.wfile.write(b''.join(b'X-%d: %s\r\n' % (n, b'y' * 1000) for n in range(2000)) + b'Content-Length: 0\r\n\r\n')
            elif way == 'endless':
                request.wfile.write(b'HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n')
                for _ in range(4000):  # a quarter of a GiB
                    if self.closing.is_set():
                        break
                    request.wfile.write(b'10000\r\n' + b'z' * 0x10000 + b'\r\n')
                request.wfile.write(b'0\r\n\r\n')
            else:
                request.send_response(413 if way == 'split' else 200 if way == 'ok' else way)
                request.send_header('Content-Length', '0')
                if way == 429:
                    request.send_header('Retry-After', '0')
                request.end_headers()

    def close(self):
        super().close()
        self.server.shutdown()
        self.server.server_close()


class PipePeer(Peer):
    """The reading end of a pipe that a console sink writes to."""

    modes = ('ok', 'hang')

    def __init__(self, path):
        super().__init__(path)
        self.end, self.write_end = os.pipe()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        while not self.closing.is_set():
            self.while_mode('hang')
            data = os.read(self.end, 1 << 18)
            if not data:
                return
            self.keep(data)
