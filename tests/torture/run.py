"""One run of a scenario: load, the agent, faults, the time to recover, and the count at the end."""
import collections
import contextlib
import dataclasses
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from typing import Callable

import harness
from harness import SLOW, until

# Of a file of JSON events, their messages.
MESSAGES = """
import json, sys
with open(sys.argv[1], 'rb') as events:
    for event in events:
        sys.stdout.write(json.loads(event)['message'] + '\\n')
"""
EXACTLY, AT_LEAST = 'exactly once', 'at least once'


@dataclasses.dataclass
class Row:
    """What a table shows: one output of one scenario."""
    scenario: str
    output: str
    promise: str
    faults: int
    written: int
    lost: int
    duplicated: int
    damaged: int
    worst: float
    median: float
    note: str = ''

    @property
    def kept(self):
        return self.lost == 0 and self.damaged == 0 and (self.duplicated == 0 or self.promise == AT_LEAST)


@dataclasses.dataclass
class Output:
    name: str
    promise: str
    path: str
    form: str = 'raw'  # or gzip, json
    fetch: Callable[[str], None] = None  # writes to a path what is elsewhere


SCENARIOS, WEIGHTS = {}, {}


def scenario(weight=1):
    """Its docstring's first line is what the list of scenarios says; `weight` is its share of the time."""
    def add(function):
        name = function.__name__.replace('_', '-')
        SCENARIOS[name], WEIGHTS[name] = function, weight
        return function
    return add


def describe():
    return {name: function.__doc__.strip().splitlines()[0] for name, function in SCENARIOS.items()}


class Broken(Exception):
    """A promise was not kept, in a way that no count shows."""


class Run:
    def __init__(self, name, seed, seconds, directory, short=False):
        self.name, self.seed, self.short, self.directory = name, seed, short, directory
        self.random = random.Random(f'{name} {seed}')
        self.world = harness.World(directory)
        self.outputs, self.sinks, self.peers, self.closers = [], {}, [], []
        self.faults, self.recoveries, self.writers, self.notes = collections.Counter(), [], [], []
        self.agent = None
        self.begin, self.seconds = time.monotonic(), seconds
        self.rate = 200_000 if short else 400_000
        self.options = {}  # of start()
        self.top = {'shutdown_timeout': '20s'}  # of the configuration
        self.kills_max = 30 if short else 500

    # -- Set up -------------------------------------------------------------------------------------------

    def file_sink(self, name, path=None, **more):
        path = path or self.world.path(f'{name}.out')
        self.sinks[name] = {'type': 'file', 'path': path, 'encoding': 'raw', **more}
        self.outputs.append(Output(name, EXACTLY, path, more.get('compression', 'raw')))

    def peer_sink(self, name, peer_type, **more):
        peer = peer_type(self.world.path(f'{name}.out'), seed=self.random.random())
        self.closers.append(peer.close)
        self.peers.append(peer)
        self.sinks[name] = peer.sink(**more)
        self.outputs.append(Output(name, AT_LEAST, peer.path, more.get('encoding', 'raw')))
        return peer

    def buffered(self, kind):
        """The `buffer` of a sink."""
        return {'memory': {'type': 'memory'},
                'disk': {'type': 'disk', 'max_bytes': '512MiB'},
                'overflow': {'type': 'disk', 'max_bytes': '512MiB', 'overflow': '1MiB'}}[kind]

    def configure(self, **source):
        """Random within what changes nothing about what must come out."""
        source = {'max_line_bytes': f'{self.random.randint(1, 9)}MiB', **source}
        return self.world.config(include=[self.world.log('**/*.log*')], sinks={n: dict(s) for n, s in self.sinks.items()},
                                 top=self.top, **source)

    def load(self, rotations=('rename', 'copytruncate', 'gzip'), every='300KB', keep=500, rate=None):
        """A writer for each kind of rotation, at a constant rate until finish()."""
        for n, rotation in enumerate(rotations):
            path = self.world.log(f'{rotation or "plain"}{n}.log')
            rotate = ['--rotate', rotation, '--rotate-every', every, '--rotate-keep', keep] if rotation else []
            process = self.world.generate('--out', path, '--rate', f'{(rate or self.rate) // len(rotations)}B/s',
                                          '--seed', self.random.randrange(1 << 30), *rotate, wait=False)
            self.writers.append(process)

    def over(self):
        return time.monotonic() - self.begin > self.seconds

    def some_time(self, low=0.0, high=1.0):
        time.sleep(self.random.uniform(low, high))

    # -- The agent ----------------------------------------------------------------------------------------

    def start(self, ready=True):
        self.agent = self.world.start(ready=ready, **self.options)
        return self.agent

    def kill(self, ends=(-9,)):
        """Dead, and of nothing but what was done to it: `ends` are the codes that it may end with."""
        self.agent.kill()
        if self.agent.process.returncode not in ends:
            raise Broken(f'the agent had ended by itself with {self.agent.process.returncode}: {self.agent.stderr()[-3000:]}')

    def expect_alive(self):
        if not self.agent.running():
            raise Broken(f'the agent ended with {self.agent.process.returncode}: {self.agent.stderr()[-3000:]}')

    def behind(self):
        """Bytes that are not delivered, of the sink that is furthest behind; None while nobody answers."""
        page = self.agent.metrics()
        if not page.has('logflume_sink_lag_bytes'):
            return None
        return max(page.get('logflume_sink_lag_bytes', component=name) + page.get('logflume_sink_inflight_bytes', component=name) +
                   page.get('logflume_buffer_bytes', component=name) for name in self.sinks)

    def recorded(self):
        """The first lines are delivered, and that is durable: it takes a second."""
        self.recover()
        until(lambda: 0 < self.agent.metrics().get('logflume_checkpoint_age_seconds') < 1, 'a checkpoint')
        time.sleep(1.2)

    def recover(self, since=None, seconds=60):
        """Waits until every sink is as near to the writers as it is without faults, and notes how long it took."""
        since = since or time.monotonic()
        near = self.rate * 0.5 + (1 << 16)
        end = time.monotonic() + seconds * SLOW
        while True:
            self.expect_alive()
            behind = self.behind()
            if behind is not None and behind <= near:
                break
            if time.monotonic() > end:
                raise Broken(f'not recovered within {seconds * SLOW:g} s: {behind} bytes behind; {self.agent.get("/healthz")[1]}')
            time.sleep(0.01)
        self.recoveries.append(time.monotonic() - since)

    # -- The end ------------------------------------------------------------------------------------------

    def finish(self, seconds=120, at_rest=None):
        """The writers stop, everything is delivered, `at_rest` is called, the agent stops; a row for each output."""
        streams = {}
        for writer in self.writers:
            writer.terminate()
        for writer in self.writers:
            streams.update(harness.World.generated(writer))
        written = sum(streams.values())
        end = time.monotonic() + seconds * SLOW
        rows, reports = [], {}
        while True:
            self.expect_alive()
            for output in self.outputs:
                if reports.get(output.name, {}).get('lost', 1) or time.monotonic() > end:
                    reports[output.name] = self.verify(streams, output)
            if all(report.get('lost') == 0 for report in reports.values()) or time.monotonic() > end:
                break
            time.sleep(0.3)
        if at_rest:
            at_rest()
        code = self.agent.stop()
        if code != 0:
            self.notes.append(f'exit code {code}')
        for output in self.outputs:
            report = self.verify(streams, output)  # again: nothing may come after the end
            rows.append(Row(self.name, output.name, output.promise, sum(self.faults.values()), written, report['lost'],
                            report['duplicated'], report['damaged'], max(self.recoveries, default=0),
                            statistics.median(self.recoveries) if self.recoveries else 0,
                            '; '.join([*(f'{n} {what}' for what, n in sorted(self.faults.items())), *self.notes])))
        if code != 0:
            raise Broken(f'after all was delivered the agent stops with {code}: {self.agent.stderr()[-2000:]}')
        return rows

    def verify(self, streams, output):
        if output.fetch:
            output.fetch(output.path)
        if not os.path.exists(output.path):
            return {'lost': sum(streams.values()), 'duplicated': 0, 'damaged': 0}
        expect = [word for stream, lines in streams.items() for word in ('--expect', f'{stream}={lines}')]
        command = [harness.BINARY, 'generate', '--json', *expect, '--allow', 'reordered', '--verify']
        plain = {'gzip': ['zcat', '-q'], 'json': [sys.executable, '-c', MESSAGES]}.get(output.form)
        if plain:
            with subprocess.Popen([*plain, output.path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as lines:
                done = subprocess.run([*command, '-'], stdin=lines.stdout, capture_output=True, text=True)
        else:
            done = subprocess.run([*command, output.path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Broken(f'generate --verify: {done.stderr[-500:]}') from None

    def close(self, keep=False):
        for writer in self.writers:
            if writer.poll() is None:
                writer.kill()
        for peer in self.peers:
            peer.mode = 'ok'
        self.world.close()
        for closer in self.closers:
            with contextlib.suppress(OSError):
                closer()
        if not keep:
            shutil.rmtree(self.directory, ignore_errors=True)
