"""Runs the agent as its users do, and looks only at what they can see.

LOGFLUME is the binary (build/release/logflume by default). LOGFLUME_SLOW multiplies every deadline, for
sanitizer builds and busy machines. Everything happens in the test's own directory and on 127.0.0.1.
"""
import contextlib
import http.server
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent
BINARY = os.path.abspath(os.environ.get('LOGFLUME', TOP / 'build' / 'release' / 'logflume'))
SLOW = float(os.environ.get('LOGFLUME_SLOW', '1'))


def until(condition, what, seconds=20):
    """Waits for `condition` to give something true and returns it; fails after `seconds` times LOGFLUME_SLOW."""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.02)
    result = condition()
    assert result, f'within {seconds * SLOW:g} s: {what() if callable(what) else what}'
    return result


def free_port():
    """A port that nobody listens at, below those that the system gives to connections of its own."""
    for _ in range(1000):
        port = random.randrange(10_000, 32_000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(('127.0.0.1', port))
            return port
    raise OSError('no free port')


def numbered(first, last, name='line'):
    """Lines NAME 0000001 to LAST as bytes."""
    return b''.join(b'%s %07d\n' % (name.encode(), n) for n in range(first, last + 1))


class Metrics:
    """A page of /metrics."""

    def __init__(self, text):
        self.text, self.samples = text, []
        for line in text.splitlines():
            if m := re.fullmatch(r'(\w+)(?:\{(.*)\})? ([^ ]+)(?: \d+)?', line):
                labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or ''))
                self.samples.append((m[1], labels, float(m[3])))

    def get(self, name, **labels):
        """The sum over the samples of `name` with these labels; 0 when there is none."""
        return sum(value for n, have, value in self.samples
                   if n == name and all(have.get(k) == v for k, v in labels.items()))

    def has(self, name):
        return any(n == name for n, _, _ in self.samples)

    def each(self, name):
        """The labels of each of its samples."""
        return [labels for n, labels, _ in self.samples if n == name]

    def imbalances(self, sources_too):
        """What is wrong with the books: for each sink received = sent + discarded + in flight; for each transform
        received + created = sent + discarded; for a sink that has caught up and no transform is before, received =
        what its sources received and did not discard, unless bytes are counted as lost."""
        wrong = []
        events = lambda what, name: self.get(f'logflume_component_{what}_events_total', component=name)
        sinks = {labels['component'] for labels in self.each('logflume_sink_inflight_batches')}
        names = {labels['component'] for labels in self.each('logflume_component_received_events_total')}
        was_sink = {labels['component'] for labels in self.each('logflume_component_pending_events')}
        was_source = {labels['component'] for labels in self.each('logflume_source_lag_bytes')}
        transforms = names - was_sink - was_source
        for name in transforms:
            came, went = events('received', name) + events('created', name), events('sent', name) + events('discarded', name)
            if came != went:
                wrong.append(f'{name}: received and created {came:.0f}, sent and discarded {went:.0f}')
        for name in sinks:
            received, done = events('received', name), events('sent', name) + events('discarded', name)
            in_flight = self.get('logflume_sink_inflight_batches', component=name)
            # With a disk buffer the sink may have taken what is acknowledged to the sources, and what the buffer has
            # not handed on, it has not received.
            buffered = any(labels['component'] == name for labels in self.each('logflume_buffer_events'))
            taken = self.get('logflume_component_pending_events', component=name) if buffered else 0
            waiting = self.get('logflume_buffer_events', component=name) - taken
            if received < done or (in_flight == 0 and received != done + taken):
                wrong.append(f'{name}: received {received:.0f}, sent and discarded {done:.0f}, {in_flight:.0f} batches in flight')
            sources = {labels['source'] for labels in self.each('logflume_sink_lag_bytes') if labels['component'] == name}
            came = sum(events('received', source) - events('discarded', source) for source in sources)
            behind = self.get('logflume_sink_lag_bytes', component=name) + self.get('logflume_ring_deliveries', component=name)
            if sources_too and not transforms and sources and behind == 0 and came != received + waiting and not self.get('logflume_lost_bytes_total'):
                wrong.append(f'{name}: received {received:.0f} of {came:.0f} events, {waiting:.0f} wait')
        return wrong


class Agent:
    """One run of the agent."""

    def __init__(self, process, port, stderr):
        self.process, self.port, self.stderr_path = process, port, stderr
        self.pid = process.pid
        self.first = False  # of its data_dir, so that all cursors began with its counters

    def get(self, path):
        """Status and body; (0, '') while nobody answers."""
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.port}{path}', timeout=5 * SLOW) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ''

    def metrics(self):
        return Metrics(self.get('/metrics')[1])

    def health(self):
        return json.loads(self.get('/healthz')[1])

    def ready(self):
        until(lambda: self.get('/readyz')[0] == 200 or self.process.poll() is not None, 'ready')
        assert self.process.poll() is None, f'the agent ended with {self.process.returncode}: {self.stderr()[-2000:]}'
        return self

    def running(self):
        return self.process.poll() is None

    def expect_balance(self, seconds=3):
        """The counters balance. A page is taken while the agent works, so only what stays wrong is wrong."""
        begin = since = time.monotonic()
        before = []
        while self.running() and time.monotonic() < begin + 4 * seconds * SLOW:
            text = self.get('/metrics')[1]
            wrong = Metrics(text).imbalances(self.first)
            if not wrong:
                return
            if wrong != before:
                since, before = time.monotonic(), wrong
            assert time.monotonic() < since + seconds * SLOW, f'the counters do not balance: {wrong}\n{text[:6000]}'
            time.sleep(0.05)

    def stop(self, signal_number=signal.SIGTERM, seconds=40):
        """Ends it and returns the exit code. The counters have to balance before."""
        self.expect_balance()
        self.process.send_signal(signal_number)
        return self.process.wait(seconds * SLOW)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def reload(self):
        self.first = False
        self.process.send_signal(signal.SIGHUP)

    def open_files(self):
        """What its descriptors point to."""
        links = []
        for name in os.listdir(f'/proc/{self.pid}/fd'):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f'/proc/{self.pid}/fd/{name}'))
        return links

    def rss_bytes(self):
        with open(f'/proc/{self.pid}/status') as status:
            return int(re.search(r'VmRSS:\s+(\d+) kB', status.read())[1]) * 1024

    def stderr(self):
        with open(self.stderr_path, errors='replace') as file:
            return file.read()


class World:
    """A directory with logs, configurations and the agents started on them."""

    def __init__(self, directory):
        self.dir = str(directory)
        self.agents, self.closers, self.used = [], [], False
        self.port = free_port()
        for name in ('logs', 'data'):
            os.makedirs(self.path(name), exist_ok=True)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def log(self, name='a.log'):
        return self.path('logs', name)

    def write(self, name, data, mode='wb'):
        """Writes to logs/NAME and returns its path."""
        path = self.log(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode) as file:
            file.write(data if isinstance(data, bytes) else data.encode())
        return path

    def append(self, name, data):
        return self.write(name, data, 'ab')

    def out(self, name='out.log'):
        """What a file sink wrote."""
        try:
            with open(self.path(name), 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return b''

    def out_lines(self, name='out.log'):
        return self.out(name).splitlines()

    def file_sink(self, name='out.log', **more):
        return {'type': 'file', 'path': self.path(name), 'encoding': 'raw', **more}

    def config(self, include=None, sinks=None, sources=None, top=None, name='logflume.yaml', transforms=None, **source):
        """Writes a configuration: one source `app` unless `sources` is given, one file sink unless `sinks` is.
        JSON is YAML, and quotes whatever a path may hold."""
        if sources is None:
            sources = {'app': {'type': 'file', 'include': include or [self.log('*.log')], **source}}
        sinks = sinks or {'out': self.file_sink()}
        for sink in sinks.values():
            sink.setdefault('inputs', list(sources))
        everything = {'data_dir': self.path('data'), 'api': {'enabled': True, 'listen': f'127.0.0.1:{self.port}'},
                      **(top or {}), 'sources': sources, 'transforms': transforms or {}, 'sinks': sinks}
        path = self.path(name)
        with open(path + '.new', 'w') as file:
            json.dump(everything, file, ensure_ascii=False, indent=1)
        os.rename(path + '.new', path)
        return path

    def start(self, config=None, ready=True, prepare=None, inside=(), more=()):
        """An agent. `prepare` is called in the new process before it runs; `inside` is a command that executes its
        arguments."""
        stderr = self.path('stderr')
        with open(stderr, 'ab') as errors, open(self.path('stdout'), 'ab') as out:
            process = subprocess.Popen([*inside, BINARY, 'run', '--config', config or self.path('logflume.yaml'), *more],
                                       stdin=subprocess.DEVNULL, stdout=out, stderr=errors, preexec_fn=prepare)
        agent = Agent(process, self.port, stderr)
        agent.first = not self.used
        self.used = True
        self.agents.append(agent)
        return agent.ready() if ready else agent

    def call(self, *arguments, timeout=60, **more):
        return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                              timeout=timeout * SLOW, **({} if 'input' in more else {'stdin': subprocess.DEVNULL}), **more)

    def run_to_end(self, config=None):
        self.used = True
        done = self.call('run', '--config', config or self.path('logflume.yaml'), '--until-eof')
        assert done.returncode == 0, f'exit {done.returncode}: {done.stderr[-2000:]}'
        return done

    def expect_out(self, expected, name='out.log', seconds=20):
        """Waits until the file sink has exactly these bytes, in order."""
        def difference():
            got = self.out(name)
            at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
            return (f'{name}: {len(got)} bytes where {len(expected)} are expected; they differ from byte {at}: '
                    f'{got[at:at + 60]!r}, not {expected[at:at + 60]!r}')
        until(lambda: self.out(name) == expected, difference, seconds)

    def expect_lines(self, expected, name='out.log', seconds=20):
        """Waits until the file sink has each of these lines once, in any order."""
        expected = sorted(expected.splitlines() if isinstance(expected, bytes) else expected)

        def difference():
            got = self.out_lines(name)
            lost, extra = list(expected), []
            counts = {}
            for line in got:
                counts[line] = counts.get(line, 0) + 1
            lost = [line for line in expected if line not in counts]
            extra = [line for line, n in counts.items() if n > expected.count(line)] if len(expected) < 5000 else []
            return f'{len(got)} lines where {len(expected)} are expected; lost {lost[:5]}, too often {extra[:5]}'
        until(lambda: len(self.out_lines(name)) >= len(expected), difference, seconds)
        assert sorted(self.out_lines(name)) == expected, difference()

    # Writers that number their lines, and the proof that they all came.

    def generate(self, *arguments, wait=True):
        """`logflume generate`; its JSON summary, or the running process."""
        command = [BINARY, 'generate', '--json', *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.closers.append(lambda: process.poll() is None and process.kill())
        return self.generated(process) if wait else process

    @staticmethod
    def generated(process, seconds=120):
        out, _ = process.communicate(timeout=seconds * SLOW)
        assert process.returncode == 0, f'generate exits with {process.returncode}'
        return {stream['stream']: stream['lines'] for stream in json.loads(out)['streams']}

    def verify(self, streams, *outputs):
        """The report on what came of STREAM: LINES, as generated() gives them."""
        expect = [word for stream, lines in streams.items() for word in ('--expect', f'{stream}={lines}')]
        done = self.call('generate', '--json', *expect, '--verify', *(outputs or [self.path('out.log')]))
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def expect_complete(self, streams, *outputs, seconds=60, duplicates=False, reordering=False, unmarked=0):
        """Waits until every line came, and checks that none came twice, late or damaged. `unmarked` lines of
        another origin stand among them, which look damaged."""
        report = {}

        def complete():
            nonlocal report
            with contextlib.suppress(AssertionError, ValueError):
                report = self.verify(streams, *outputs)
            return report and report['lost'] == 0
        until(complete, lambda: f'complete: {report}', seconds)
        assert report['damaged'] == unmarked, report
        assert report['duplicated'] == 0 or duplicates, report
        assert report['reordered'] == 0 or reordering, report
        return report

    def close(self):
        for agent in self.agents:
            if agent.running():
                agent.kill()
        for closer in self.closers:
            closer()


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def make_certificate(directory):
    """A certificate for localhost and 127.0.0.1 that is its own authority: its path, and a server's context."""
    certificate, key = (os.path.join(directory, name) for name in ('cert.pem', 'key.pem'))
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost',
                    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key, '-out', certificate],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


MARK_RECEIVER = r"""
import socket, sys, time
listener = socket.create_server(('127.0.0.1', 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
rest, total = b'', 0
while data := connection.recv(1 << 20):
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    total += len(data)
    data, rest, at = rest + data if rest else data, b'', 0
    while (at := data.find(b'\x01', at)) >= 0:
        if len(data) < at + 21:
            rest = data[at:]
            break
        print(data[at + 1:at + 21].decode(), now, flush=True)
        at += 21
print('total', total, flush=True)
"""


class MarkReceiver:
    """A TCP peer that measures how long marked lines take to it: a process of its own, so that it keeps up."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, '-c', MARK_RECEIVER], stdout=subprocess.PIPE, text=True)
        self.sink = {'type': 'tcp', 'address': f'127.0.0.1:{int(self.process.stdout.readline())}', 'encoding': 'raw'}
        self.total, self.marks = None, []  # when written, and the seconds it took
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        for line in self.process.stdout:
            first, second = line.split()
            if first == 'total':
                self.total = int(second)
            else:
                self.marks.append((int(first), (int(second) - int(first)) / 1e9))

    def delays(self, begin=0, end=float('inf')):
        """Of the lines written between these moments of marked_now()."""
        return [delay for stamp, delay in list(self.marks) if begin <= stamp < end]

    def close(self):
        self.process.kill()
        self.process.wait()


def marked_now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class MarkWriter:
    """Appends a marked line at each interval, until stop()."""

    def __init__(self, path, interval):
        self.path, self.interval, self.ended, self.count = path, interval, threading.Event(), 0
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    def _write(self):
        with open(self.path, 'ab', buffering=0) as file:
            while not self.ended.wait(self.interval):
                file.write(b'\x01%020d\n' % marked_now())
                self.count += 1

    def stop(self):
        self.ended.set()
        self.thread.join()


class TcpReceiver:
    """Keeps what each connection brought. After `fin_after` bytes of the first one it says FIN, and reads on."""

    def __init__(self, port=0, fin_after=None, tls=None):
        self.listener = socket.create_server(('127.0.0.1', port))
        self.port, self.connections, self.fin_after, self.tls = self.listener.getsockname()[1], [], fin_after, tls
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                got = bytearray()
                self.connections.append(got)
                threading.Thread(target=self.read, args=(connection, got, self.fin_after), daemon=True).start()
                self.fin_after = None

    def read(self, connection, got, fin_after):
        with contextlib.suppress(OSError):
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while data := connection.recv(65536):
                got += data
                if fin_after and len(got) >= fin_after:
                    connection.shutdown(socket.SHUT_WR)
                    fin_after = None
            connection.close()

    def close(self):
        self.listener.close()


def has_gone(connection):
    """Whether the peer of a socket has closed it, with nothing left to read."""
    with socket.socket(fileno=os.dup(connection.fileno())) as plain:  # one of TLS cannot peek
        try:
            return plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b''
        except BlockingIOError:
            return False
        except OSError:
            return True


class HttpReceiver:
    """Answers POST. `status` is a number, or None to leave requests without an answer; bodies answered with
    2xx are kept in `path`, unless their client has gone while it waited for one."""

    def __init__(self, path, status=200, tls=None):
        self.status, self.posts, self.path, outer = status, 0, path, self
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.file = open(path, 'ab', buffering=0)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_POST(self):
                if 'chunked' in self.headers.get('Transfer-Encoding', ''):
                    body = b''
                    while size := int(self.rfile.readline().split(b';')[0], 16):
                        body += self.rfile.read(size)
                        self.rfile.readline()
                    self.rfile.readline()
                else:
                    length = int(self.headers.get('Content-Length', 0))
                    body = self.rfile.read(length)
                    if len(body) < length:
                        return  # its client was killed
                outer.posts += 1
                hung = outer.status is None
                while outer.status is None and not outer.closing.wait(0.05):
                    pass
                if hung and has_gone(self.connection):
                    return
                status = outer.status or 503
                if status < 300:
                    with outer.lock:
                        outer.file.write(body)
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    self.send_header('Content-Length', '0')
                    self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.uri = f'http{"s" if tls else ""}://127.0.0.1:{self.server.server_address[1]}/in'
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def lines(self):
        with open(self.path, 'rb') as file:
            return file.read().splitlines()

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()
        self.file.close()
