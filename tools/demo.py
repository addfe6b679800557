#!/usr/bin/env python3
"""Writers log to four files, which are rotated in the middle; the agent tails them into one file.

usage: tools/demo.py PATH/TO/logflume [--seconds N] [--rate RATE] [--keep]

The table shows what the agent's /metrics say. The last lines are the proof, by checksum and number of every
line: written, delivered, lost, duplicated; exits 1 when a line is lost, repeated or damaged. Needs no server;
everything happens in a temporary directory that is removed in the end.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

FILES = 4
CONFIG = '''\
data_dir: {dir}/data
api: {{enabled: true, listen: "127.0.0.1:{port}"}}
sources:
  app:
    type: file
    include: ["{dir}/logs/*.log"]
sinks:
  out:
    type: file
    inputs: [app]
    path: "{dir}/delivered.log"
    encoding: raw
'''


class Page:
    """One reading of /metrics, with the time it was taken."""

    def __init__(self, port):
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/metrics', timeout=5) as answer:
            text = answer.read().decode()
        self.time, self.samples = time.monotonic(), []
        for line in text.splitlines():
            if m := re.fullmatch(r'(\w+)(?:\{(.*)\})? ([^ ]+)', line):
                self.samples.append((m[1], dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or '')), float(m[3])))

    def get(self, name, **labels):
        return sum(v for n, have, v in self.samples if n == name and labels.items() <= have.items())

    def latency_buckets(self):
        """Cumulative counts by upper bound in seconds."""
        buckets = {}
        for name, labels, value in self.samples:
            if name == 'logflume_delivery_latency_seconds_bucket':
                bound = float(labels['le'].replace('+Inf', 'inf'))
                buckets[bound] = buckets.get(bound, 0) + value
        return sorted(buckets.items())


def latency(page, share):
    """The latency that `share` of the lines stayed below, as text."""
    buckets = page.latency_buckets()
    if not buckets or buckets[-1][1] == 0:
        return '-'
    wanted, low, below = share * buckets[-1][1], 0.0, 0.0
    for bound, count in buckets:
        if count >= wanted:
            if bound == float('inf'):
                return f'> {low * 1e3:.3g} ms'
            inside = (wanted - below) / (count - below) if count > below else 1
            return f'{(low + (bound - low) * inside) * 1e3:.2f} ms'
        low, below = bound, count
    return '-'


def size(number):
    for unit in ('B', 'KiB', 'MiB', 'GiB'):
        if number < 1024 or unit == 'GiB':
            return f'{number:.0f} {unit}' if unit == 'B' else f'{number:.1f} {unit}'
        number /= 1024


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Screen:
    """The live table: redrawn on a terminal, a line every few seconds elsewhere."""

    HEAD = f'{"time":>6} {"files":>6} {"read":>11} {"delivered":>11} {"behind":>10} {"p50":>9} {"p99":>9} {"CPU":>7} {"memory":>10}'

    def __init__(self, every):
        self.live = sys.stdout.isatty() and os.environ.get('TERM', 'dumb') != 'dumb'
        self.every, self.drawn, self.next = every, 0, 0.0
        self.begin = time.monotonic()
        if not self.live:
            print(self.HEAD, flush=True)

    def row(self, before, page):
        seconds = max(page.time - before.time, 1e-3)
        def rate(name, component):
            return (page.get(name, component=component) - before.get(name, component=component)) / seconds / 1e6
        cpu = (page.get('process_cpu_seconds_total') - before.get('process_cpu_seconds_total')) / seconds
        return (f'{page.time - self.begin:4.0f} s {FILES:6} {rate("logflume_component_received_bytes_total", "app"):6.1f} MB/s '
                f'{rate("logflume_component_sent_bytes_total", "out"):6.1f} MB/s {size(page.get("logflume_source_lag_bytes")):>10} '
                f'{latency(page, 0.5):>9} {latency(page, 0.99):>9} {cpu:7.1%} {size(page.get("process_resident_memory_bytes")):>10}')

    def show(self, before, page, directory):
        if self.live:
            lines = [self.HEAD, self.row(before, page), '']
            for number in range(1, FILES + 1):
                name = f'app-{number}.log'
                rotated = ' '.join(f'{old} ({size(os.path.getsize(os.path.join(directory, old)))})'
                                   for old in sorted(os.listdir(directory)) if old.startswith(name + '.'))
                try:
                    now = size(os.path.getsize(os.path.join(directory, name)))
                except FileNotFoundError:
                    now = '-'
                lines.append(f'  {name:12} {now:>10}   {"rotated: " + rotated if rotated else ""}')
            if self.drawn:
                sys.stdout.write(f'\x1b[{self.drawn}A')
            sys.stdout.write(''.join(f'{line}\x1b[K\n' for line in lines))
            self.drawn = len(lines)
            sys.stdout.flush()
        elif page.time >= self.next:
            print(self.row(before, page), flush=True)
            self.next = page.time + self.every


def demo(binary, options, directory, processes):
    logs, port = os.path.join(directory, 'logs'), free_port()
    os.mkdir(logs)
    config, agent_log = os.path.join(directory, 'logflume.yaml'), os.path.join(directory, 'agent.log')
    with open(config, 'w') as file:
        file.write(CONFIG.format(dir=directory, port=port))

    with open(agent_log, 'wb') as errors:
        agent = subprocess.Popen([binary, 'run', '--config', config], stdin=subprocess.DEVNULL, stderr=errors)
    processes.append(agent)

    def fail(message):
        with open(agent_log, errors='replace') as file:
            print(f'demo: {message}; the agent said:\n{file.read()[-3000:]}', file=sys.stderr)
        return 1

    def page():
        try:
            return Page(port)
        except OSError:
            return None

    deadline = time.monotonic() + 15
    while not (first := page()):
        if agent.poll() is not None or time.monotonic() > deadline:
            return fail('the agent did not start')
        time.sleep(0.02)

    amount = re.fullmatch(r'(\d+)(\w+)', options.rate)
    rotate_every = f'{int(amount[1]) * options.seconds * 2 // 3}{amount[2]}'  # once, past the middle
    writer_errors = os.path.join(directory, 'writer.log')  # its progress is not for this screen
    writer = subprocess.Popen([binary, 'generate', '--json', '--format', 'nginx', '--files', str(FILES), '--out',
                               os.path.join(logs, 'app-{}.log'), '--rate', options.rate + '/s', '--duration',
                               f'{options.seconds}s', '--rotate', 'rename', '--rotate-every', rotate_every],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(writer_errors, 'w'),
                              text=True)
    processes.append(writer)
    print(f'{FILES} files, {options.rate}/s each for {options.seconds} s, each rotated once -> logflume -> one file\n')

    screen = Screen(3)
    before = first
    while writer.poll() is None:
        time.sleep(0.5)
        if agent.poll() is not None:
            return fail(f'the agent ended with {agent.returncode}')
        if now := page():
            screen.show(before, now, logs)
            before = now
    if writer.returncode != 0:
        with open(writer_errors) as file:
            return fail(f'the writers failed: {file.read()}')
    streams = json.loads(writer.stdout.read())['streams']
    written = sum(stream['lines'] for stream in streams)

    deadline = time.monotonic() + 20
    while (now := page()) and now.get('logflume_component_sent_events_total', component='out') < written:
        if time.monotonic() > deadline:
            break  # the verdict below says what is missing
        time.sleep(0.1)
    agent.send_signal(signal.SIGTERM)
    try:
        code = agent.wait(40)
    except subprocess.TimeoutExpired:
        return fail('the agent did not stop')
    if code != 0:
        return fail(f'the agent ended with {code}')

    expect = [word for stream in streams for word in ('--expect', f'{stream["stream"]}={stream["lines"]}')]
    verdict = subprocess.run([binary, 'generate', '--json', *expect, '--expect-from', logs, '--allow', 'reordered',
                              '--verify', os.path.join(directory, 'delivered.log')], capture_output=True, text=True)
    if not verdict.stdout:
        return fail(f'verify failed: {verdict.stderr}')
    report = json.loads(verdict.stdout)
    delivered = report['lines'] - report['duplicated'] - report['damaged']
    print(f'\nevery line checked by its number and checksum:\n'
          f'  written     {written:>12,}\n  delivered   {delivered:>12,}\n'
          f'  lost        {report["lost"]:>12,}\n  duplicated  {report["duplicated"]:>12,}')
    good = report['ok'] and delivered == written
    if not good:
        return fail(f'not every line came exactly once: {verdict.stdout}')
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('binary')
    parser.add_argument('--seconds', type=int, default=20)
    parser.add_argument('--rate', default='5MB', help='of each file, a second')
    parser.add_argument('--keep', action='store_true', help='keep the temporary directory')
    options = parser.parse_args()
    if options.seconds < 3 or not re.fullmatch(r'\d+\w+', options.rate):
        parser.error('expected at least 3 seconds and a rate such as 5MB')
    directory, processes = tempfile.mkdtemp(prefix='logflume-demo-'), []
    try:
        return demo(os.path.abspath(options.binary), options, directory, processes)
    except KeyboardInterrupt:
        return 130
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        if options.keep:
            print(f'kept: {directory}', file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
