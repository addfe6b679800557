"""The hot paths of the agent that bench/check counts and bench/check --profile takes apart: what they read, and
peers that take what they send."""
import contextlib
import http.server
import os
import pathlib
import random
import socket
import tempfile
import threading
import time


class Path:
    """A hot path: the sink's keys, and over how many lines it is run."""

    def __init__(self, description, sink, few, many, source='', lines=None, live=False, meanwhile=None):
        self.description, self.sink, self.few, self.many = description, sink, few, many
        self.source, self.lines = source, lines or app_lines
        self.live = live  # the file is empty at first, and the agent ends when `meanwhile` does
        self.meanwhile = meanwhile  # called with the peer, the directory and the lines, while the agent runs


def app_lines(count):
    """Lines of an application's log of some 200 bytes, always the same; quotes in every eighth."""
    random_ = random.Random(1)
    words = 'request handled timeout upstream cache miss hit user session token renewed retry queue worker'.split()
    result = []
    for i in range(count):
        text = ' '.join(random_.choice(words) for _ in range(random_.randrange(8, 30)))
        path = f'path="/api/v1/items/{i % 977}"' if i % 8 == 0 else f'path=/api/v1/items/{i % 977}'
        result.append(f'2026-01-02T03:{i // 60000 % 60:02}:{i // 1000 % 60:02}.{i * 997 % 1000000:06}Z INFO '
                      f'worker-{i % 16} {text} {path} id={random_.getrandbits(128):032x}\n'.encode())
    return result


def stack_traces(count):
    """Events of four lines: a head and a stack trace."""
    result = app_lines(count)
    for i in range(count):
        if i % 4 != 0:
            result[i] = b'\tat com.example.service.Handler%d.invoke(Handler.java:%d)\n' % (i % 31, i % 997)
    return result


class Peer(threading.Thread):
    """Takes what comes through TCP connections, and counts it; nothing while it is `held`."""

    def __init__(self, held):
        super().__init__(daemon=True)
        self.released = threading.Event()
        if not held:
            self.released.set()
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        self.bytes, self.changed = 0, threading.Condition()
        self.start()

    def run(self):
        # Agents connect once to see that the peer is there, and again to send.
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                with connection:
                    self.released.wait()
                    while taken := len(connection.recv(1 << 18)):
                        with self.changed:
                            self.bytes += taken
                            self.changed.notify_all()

    def wait(self, total):
        with self.changed:
            if not self.changed.wait_for(lambda: self.bytes >= total, 60):
                raise RuntimeError(f'{self.bytes} bytes of {total} arrived')

    def close(self):
        self.listener.close()


class HttpPeer(http.server.BaseHTTPRequestHandler):
    """Answers 200 to whatever is posted."""
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        left = int(self.headers['Content-Length'])
        while left > 0:
            left -= len(self.rfile.read(min(left, 1 << 18)))
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def tcp(directory, keys, held=False):
    peer = Peer(held)
    yield f'type: tcp, address: "127.0.0.1:{peer.port}", {keys}', peer
    peer.close()


@contextlib.contextmanager
def http_server(directory, keys):
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), HttpPeer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'type: http, uri: "http://127.0.0.1:{server.server_address[1]}/", {keys}', None
        server.shutdown()


def plain(keys):
    @contextlib.contextmanager
    def sink(directory):
        yield keys.format(dir=directory), None
    return sink


def at(peer, keys, **more):
    return lambda directory: peer(directory, keys, **more)


def fill_buffer(peer, directory, lines):
    """The peer takes nothing before all is in the disk buffer: each line is written, and read again."""
    total = sum(map(len, lines))
    deadline = time.monotonic() + 60
    while sum(file.stat().st_size for file in (directory / 'data').rglob('*') if file.is_file()) < total:
        if time.monotonic() > deadline:
            raise RuntimeError('the buffer does not fill')
        time.sleep(0.05)
    peer.released.set()


def feed_live(peer, directory, lines):
    """Ten lines at a time. Between them all comes to rest, the acknowledgement included: how often a loop looks for
    work before it sleeps depends on time, and here that is nothing."""
    sent = 0
    with open(directory / 'in.log', 'ab', buffering=0) as file:
        for i in range(0, len(lines), 10):
            piece = b''.join(lines[i:i + 10])
            file.write(piece)
            sent += len(piece)
            peer.wait(sent)
            time.sleep(0.02)


PATHS = {
    'file_to_blackhole': Path('file -> blackhole', plain('type: blackhole'), 40_000, 240_000),
    'file_to_tcp_raw': Path('file -> tcp, raw', at(tcp, 'encoding: raw'), 40_000, 240_000),
    'file_to_tcp_json': Path('file -> tcp, JSON', at(tcp, 'encoding: json'), 10_000, 60_000),
    'file_to_file': Path('file -> file, raw', plain('type: file, path: "{dir}/out.log", encoding: raw'), 40_000, 200_000),
    'file_to_disk_buffer': Path('file -> disk buffer -> tcp, raw', at(tcp, 'encoding: raw, buffer: {type: disk}', held=True),
                                40_000, 200_000, meanwhile=fill_buffer),
    'file_to_http_zstd': Path('file -> http, JSON, zstd', at(http_server, 'compression: zstd'), 5_000, 55_000),
    'file_to_kafka': Path('file -> Kafka (mock cluster), raw, snappy', plain(
        'type: kafka, bootstrap_servers: mock, topic: logs, options: {{test.mock.num.brokers: "1"}}, encoding: raw, '
        'compression: snappy'), 5_000, 55_000),
    'live_tail': Path('live tail, 10 lines an append -> tcp, raw', at(tcp, 'encoding: raw'), 500, 3_500, live=True, meanwhile=feed_live),
    'multiline': Path('multi-line events of 4 lines -> blackhole', plain('type: blackhole'), 40_000, 200_000,
                      source=r", multiline: {start_pattern: '^\d{4}-'}", lines=stack_traces),
    'multiline_java': Path('Java events of 4 lines -> blackhole', plain('type: blackhole'), 40_000, 200_000,
                           source=', multiline: {preset: java}', lines=stack_traces),
}


def run(path, count, start, repeated=1):
    """Runs the path over `count` lines, `repeated` times over. `start` begins it, given a directory and the agent's
    arguments, and returns a process; what its finish() returns comes back."""
    with tempfile.TemporaryDirectory(prefix='logflume-check-', dir=os.environ.get('LOGFLUME_BENCH_DIR')) as directory, \
            path.sink(directory) as (sink, peer):
        directory = pathlib.Path(directory)
        lines, log, config = path.lines(count), directory / 'in.log', directory / 'config.yaml'
        with open(log, 'wb') as file:
            for _ in range(0 if path.live else repeated):
                file.write(b''.join(lines))
        config.write_text(f'data_dir: {directory}/data\nlog: {{level: warn}}\n'
                          f'sources:\n  app: {{type: file, include: ["{log}"]{path.source}}}\n'
                          f'sinks:\n  out: {{inputs: [app], {sink}}}\n')
        process = start(directory, ['run', '--config', str(config), *([] if path.live else ['--until-eof'])])
        try:
            if path.meanwhile:
                path.meanwhile(peer, directory, lines * repeated)
        finally:
            if path.live:
                process.terminate()
        return process.finish()
