"""What bench/run and bench/nightly share: processes and what they used, receivers, files and figures."""
import atexit
import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / 'build' / 'bench'
AGENT, LIMITS, KAFKA_LIMIT = BUILD / 'logflume', BUILD / 'bench' / 'limits', BUILD / 'bench' / 'kafka_limit'
BUFFER_BENCH = BUILD / 'bench' / 'buffer_bench'
PARSE_LIMIT = BUILD / 'bench' / 'parse_limit'
COMPRESS_LIMIT, HTTP_RECEIVER = BUILD / 'bench' / 'compress_limit', BUILD / 'bench' / 'http_receiver'
sys.path.insert(0, str(TOP / 'tests'))


def build(*targets):
    subprocess.run(['cmake', '--preset', 'release', '-B', BUILD, '-DLOGFLUME_BENCH=ON', '-DLOGFLUME_TESTS=OFF',
                    '--log-level=WARNING'], cwd=TOP, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(['cmake', '--build', BUILD, '--target', *targets], check=True, stdout=subprocess.DEVNULL)


def machine():
    cpu = next(line.split(':')[1].strip() for line in open('/proc/cpuinfo') if line.startswith('model name'))
    memory = int(open('/proc/meminfo').readline().split()[1]) / 2**20
    return (f'{os.cpu_count()} x {cpu}, {memory:.0f} GiB, Linux {os.uname().release}, load {os.getloadavg()[0]:.1f} '
            f'at the start, {time.strftime("%Y-%m-%d")}')


def free_port():
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(('127.0.0.1', port))
            return port
    raise RuntimeError('no free port')


class Used:
    """What a finished process used."""

    def __init__(self, seconds, usage):
        self.seconds = seconds
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss_mib = usage.ru_maxrss / 1024
        self.written = usage.ru_oublock * 512  # bytes, to the disk or its cache


def run(*command):
    """The JSON that it printed, if any, and what it used."""
    started = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors = []
    reader = threading.Thread(target=lambda: errors.append(process.stderr.read()))
    reader.start()
    text = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    used = Used(time.monotonic() - started, usage)
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode != 0:
        raise RuntimeError(f'{process.args} exited with {process.returncode}: {errors[0][-2000:].decode()}')
    return (json.loads(text) if text.strip().startswith(b'{') else {}), used


def ends_with_us(process):
    """Whatever happens, nothing goes on to run when a benchmark has ended."""
    atexit.register(lambda: process.poll() is None and process.kill())
    return process


class Receiver:
    """bench/limits as the peer of one connection."""

    def __init__(self, *extra, kind='receive'):
        self.port = free_port()
        self.process = ends_with_us(subprocess.Popen([str(LIMITS), kind, str(self.port), *map(str, extra)],
                                                     stdout=subprocess.PIPE, text=True))
        if self.process.stdout.readline() != 'ready\n':
            raise RuntimeError('the receiver did not start')

    def result(self, timeout=None):
        """What it counted, when it is done; after `timeout` seconds, an error."""
        try:
            text, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return json.loads(text)


class HttpReceiver:
    """bench/http_receiver: the peer of the http sink."""

    def __init__(self):
        self.port = free_port()
        self.process = ends_with_us(subprocess.Popen([str(HTTP_RECEIVER), str(self.port)], stdout=subprocess.PIPE, text=True))
        if self.process.stdout.readline() != 'ready\n':
            raise RuntimeError('the receiver did not start')

    def result(self):
        self.process.terminate()
        return json.loads(self.process.communicate()[0])


class Process:
    """Any process that runs until stop()."""

    def __init__(self, command, output=subprocess.DEVNULL, environment=None, errors=None):
        """`errors`: where standard error goes, if not to `output`."""
        self.started_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        self.process = ends_with_us(subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output,
                                                     stderr=errors or output, env={**os.environ, **(environment or {})}))
        self.pid = self.process.pid

    def age(self):
        return (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - self.started_ns) / 1e9

    def cpu(self):
        """CPU seconds so far, by nanoseconds (schedstat of its threads)."""
        return sum(int((task / 'schedstat').read_text().split()[0]) for task in self.tasks()) / 1e9

    def switches(self, kind=''):
        """Context switches so far; of one `kind` only: voluntary_, which are sleeps, or nonvoluntary_."""
        return sum(int(line.split()[1]) for task in self.tasks()
                   for line in (task / 'status').read_text().splitlines()
                   if 'ctxt_switches' in line and line.startswith(kind))

    def tasks(self):
        return pathlib.Path(f'/proc/{self.pid}/task').iterdir()

    def rss_mb(self, peak=False):
        status = pathlib.Path(f'/proc/{self.pid}/status').read_text()
        return int(status.split('VmHWM:' if peak else 'VmRSS:')[1].split()[0]) * 1024 / 1e6

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Running(Process):
    """An agent that runs until stop()."""

    def __init__(self, config, port=None):
        self.port = port
        super().__init__([AGENT, 'run', '--config', config])

    def get(self, path):
        """The body of a 200 answer, or None."""
        with contextlib.suppress(OSError), urllib.request.urlopen(f'http://127.0.0.1:{self.port}{path}') as answer:
            return answer.read().decode()
        return None

    def ready(self):
        while self.get('/readyz') is None:
            if self.process.poll() is not None:
                raise RuntimeError(f'the agent ended with {self.process.returncode}')
            time.sleep(0.002)
        return self.age()

    def metric(self, name, **labels):
        """The sum over its samples with these labels."""
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(' ', 1)[1]) for line in (self.get('/metrics') or '').splitlines()
                   if re.match(name + r'[{ ]', line) and all(label in line for label in wanted))

    def open_files(self, below):
        """How many log files are open."""
        links = []
        with contextlib.suppress(OSError):
            for fd in os.scandir(f'/proc/{self.pid}/fd'):
                with contextlib.suppress(OSError):
                    links.append(os.readlink(fd.path))
        return sum(link.startswith(str(below)) and '.log' in link for link in links)


def mark():
    """A line that `limits receive-marked` gives the delay of."""
    return b'\x01%020d\n' % time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class MarkedWriter:
    """Appends a marked line at each interval, until stop()."""

    def __init__(self, path, interval):
        self.path, self.interval, self.ended, self.count = path, interval, threading.Event(), 0
        self.thread = threading.Thread(target=self._write)
        self.thread.start()

    def _write(self):
        with open(self.path, 'ab', buffering=0) as file:
            due = time.monotonic()
            while not self.ended.wait(max(0, due - time.monotonic())):
                file.write(mark())
                self.count += 1
                due += self.interval

    def stop(self):
        self.ended.set()
        self.thread.join()


class World:
    """A directory with what is measured, and configurations for it."""

    def __init__(self, options):
        self.options = options
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix='logflume-bench-', dir=os.environ.get('LOGFLUME_BENCH_DIR')))
        self.count = 0
        self.closers = contextlib.ExitStack()

    def log(self, line_bytes):
        """A file of the size asked for, in the page cache. What the lines say does not matter to who counts or
        passes them on."""
        path = self.dir / f'input-{line_bytes}.log'
        if not path.exists():
            seed = os.urandom(1 << 16).hex()
            lines = ''.join(
                f'2026-01-02T03:04:05.{i:06d}Z INFO worker-{i % 16} request handled path=/api/v1/items/{i} trace='.ljust(
                    line_bytes - 33)[:line_bytes - 33] + seed[(i * 32) % 100000:][:32].ljust(32) + '\n'
                for i in range((16 << 20) // line_bytes)).encode()
            with open(path, 'wb') as f:
                while f.tell() < self.options.gigabytes * (1 << 30):
                    f.write(lines)
        return self.warm(path)

    def realistic_log(self, line_bytes, megabytes):
        """Lines that compress as logs do: an access log with text."""
        path = self.dir / f'realistic-{line_bytes}.log'
        if not path.exists():
            run(AGENT, 'generate', '--out', path, '--bytes', f'{megabytes:.0f}MB', '--line-bytes', line_bytes,
                '--writer-id', 'bench', '--seed', 1, '--json')
        return self.warm(path)

    def format_log(self, name):
        """Lines of a format, as they come."""
        path = self.dir / f'{name}.log'
        if not path.exists():
            run(AGENT, 'generate', '--out', path, '--bytes', f'{self.options.gigabytes * 1000:.0f}MB', '--format', name,
                '--writer-id', 'bench', '--seed', 1, '--json')
        return self.warm(path)

    @staticmethod
    def warm(path):
        with open(path, 'rb', buffering=0) as f:
            while f.read(1 << 22):
                pass
        return path

    def config(self, include, sinks, top='', data=None, port=None, source='', transforms='', inputs='app'):
        """A configuration of one source, with the keys `source`; `sinks` is one sink's keys, or a map of them; `transforms`
        are lines of YAML."""
        self.count += 1
        include = include if isinstance(include, list) else [include]
        sinks = sinks if isinstance(sinks, dict) else {'out': sinks}
        api = f'api: {{enabled: true, listen: "127.0.0.1:{port}"}}\n' if port else ''
        path = self.dir / f'config-{self.count}.yaml'
        path.write_text(
            f'data_dir: {data or self.dir / f"data-{self.count}"}\nlog: {{level: warn}}\n{api}{top}\n'
            f'sources:\n  app: {{type: file, include: {json.dumps(list(map(str, include)))}{source}}}\n' +
            (f'transforms:\n{transforms}\n' if transforms else '') + 'sinks:\n' +
            ''.join(f'  {name}: {{inputs: [{inputs}], {keys}}}\n' for name, keys in sinks.items()))
        return path

    def close(self):
        self.closers.close()
        shutil.rmtree(self.dir)


def median(values):
    return statistics.median(values)


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def spread(values, unit=''):
    return f'{median(values):.3g}{unit} ({min(values):.3g} to {max(values):.3g})'


def table(head, rows):
    return ['| ' + ' | '.join(row) + ' |' for row in [head, ['---'] * len(head), *rows]]


def write_between_marks(name, lines, page='benchmarks.md'):
    """Puts lines into a page of docs between the marks of `name`."""
    page = TOP / 'docs' / page
    head, rest = page.read_text().split(f'<!-- {name} -->\n', 1)
    page.write_text(f'{head}<!-- {name} -->\n' + '\n'.join(lines) + '\n' + rest[rest.index('<!-- end -->'):])
