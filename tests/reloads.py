"""Random configurations for reloads under load, each drawn from the one before, and the proof that they lost and
repeated nothing.

Two sinks are to have every line once, whatever happens to the configuration: `out`, a file, and `net`, a TCP peer.
Sources go and return, sinks are replaced, guests come and go, limits change.
"""
import copy
import os
import random
import signal

from harness import TcpReceiver, until

GUESTS = ('guest1', 'guest2', 'guest3')
STREAMS = ('s1', 's2', 's3')


class Reloads:
    def __init__(self, world, seed, rate='2000/s'):
        self.world, self.random, self.count = world, random.Random(seed), 0
        self.receiver = TcpReceiver()
        self.writers = []
        for stream in STREAMS:
            os.makedirs(world.log(stream), exist_ok=True)
            # s3 is one file: a sink that is away from its source does not miss the first lines of another.
            rotate = [] if stream == 's3' else ['--rotate', 'rename', '--rotate-every', '3000', '--rotate-keep', '1000']
            self.writers.append(world.generate('--out', world.log(f'{stream}/{stream}.log'), '--writer-id', stream,
                                               '--rate', rate, '--line-bytes', 150, *rotate, wait=False))
        self.sources = {stream: self.source(stream) for stream in STREAMS}
        self.sinks = {'out': world.file_sink(), 'net': self.net()}
        self.top = {}
        for sink in self.sinks.values():
            sink['inputs'] = list(STREAMS)
        self.write(self.sources, self.sinks)

    def source(self, stream):
        return {'type': 'file', 'include': [self.world.log(f'{stream}/*.log*')]}

    def net(self):
        return {'type': 'tcp', 'address': f'127.0.0.1:{self.receiver.port}', 'encoding': 'raw'}

    def write(self, sources, sinks):
        self.world.config(sources=copy.deepcopy(sources), sinks=copy.deepcopy(sinks), top=dict(self.top))

    def change(self):
        """One to three changes of what there is."""
        for _ in range(self.random.randint(1, 3)):
            self.random.choice([self.change_source, self.change_source, self.change_sink, self.change_sink,
                                self.change_guest, self.change_top, self.toggle_source, self.toggle_edge])()
        sources = {name: source for name, source in self.sources.items() if source}
        sinks = {}
        for name, sink in self.sinks.items():
            inputs = [stream for stream in sink['inputs'] if stream in sources]
            if inputs or name in ('out', 'net'):
                sinks[name] = {**sink, 'inputs': inputs or list(sources)}
        self.write(sources, sinks)

    def change_source(self):
        source = self.sources[self.random.choice(STREAMS)]
        if source:
            key, values = self.random.choice([('rescan_interval', ['1s', '2s', '10s']), ('coalesce', ['250us', '5ms']),
                                              ('read_mode', ['pread', 'mmap', 'io_uring']), ('strip_cr', [True, False]),
                                              ('exclude', [[], ['/nowhere/*.log'], ['/nowhere/else/*']]),
                                              ('close_inactive', ['1s', '5m'])])
            source[key] = self.random.choice(values)

    def change_sink(self):
        sink = self.sinks[self.random.choice(['out', 'net'])]
        self.change_any(sink)

    def change_any(self, sink):
        key, values = self.random.choice([('batch', [{'max_events': 100}, {'linger': '5ms'}, {}]),
                                          ('buffer', [{'max_bytes': '1MiB'}, {'max_bytes': '4MiB'}, {}]),
                                          ('labels', [{'a': 'b'}, {'a': 'c'}, {}])])
        sink[key] = self.random.choice(values)

    def change_guest(self):
        name = self.random.choice(GUESTS)
        if name in self.sinks and self.random.random() < 0.6:
            del self.sinks[name]
            return
        kind = self.random.choice([{'type': 'blackhole'}, self.world.file_sink(f'{name}.log')])
        self.sinks[name] = {**kind, 'inputs': self.random.sample(STREAMS, self.random.randint(1, 3))}

    def change_top(self):
        key, values = self.random.choice([('memory_limit', ['64MiB', '128MiB', '256MiB']), ('max_open_files', [4, 64, 1024]),
                                          ('rate_limit', ['20MiB', '1GiB']), ('shutdown_timeout', ['10s', '30s'])])
        self.top[key] = self.random.choice(values)

    def toggle_source(self):
        stream = self.random.choice(STREAMS)
        if not self.sources[stream]:
            self.sources[stream] = self.source(stream)
        elif sum(1 for source in self.sources.values() if source) > 1:
            self.sources[stream] = None

    def toggle_edge(self):
        inputs = self.sinks[self.random.choice(['out', 'net'])]['inputs']
        if 's3' in inputs:
            inputs.remove('s3')
        else:
            inputs.append('s3')

    def finish(self):
        """Everything is there again: the streams that were written."""
        for writer in self.writers:
            writer.send_signal(signal.SIGTERM)
        streams = {}
        for writer in self.writers:
            streams.update(self.world.generated(writer))
        self.sources = {stream: source or self.source(stream) for stream, source in self.sources.items()}
        for name in ('out', 'net'):
            self.sinks[name]['inputs'] = list(STREAMS)
        self.write(self.sources, self.sinks)
        return streams

    def received(self):
        path = self.world.path('net.log')
        with open(path, 'wb') as file:
            for connection in list(self.receiver.connections):
                file.write(connection)
        return path

    def expect_complete(self, streams):
        # Files that were rotated while nobody read them are read side by side: the order is that of each file.
        assert self.world.expect_complete(streams, reordering=True)['streams']['s3']['reordered'] == 0
        report = {}

        def complete():
            nonlocal report
            report = self.world.verify(streams, self.received())
            return report['lost'] == 0
        until(complete, lambda: f'complete: {report}', 60)
        assert (report['duplicated'], report['damaged'], report['streams']['s3']['reordered']) == (0, 0, 0), report
        self.receiver.close()
