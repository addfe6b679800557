"""Memory that is bounded, whatever hangs."""
import contextlib
import os
import threading
import time

from harness import until
from torture import peers
from torture.run import AT_LEAST, Broken, Output, scenario

MIB = 1 << 20
ABOVE = 64 * MIB  # what the agent may take beside memory_limit


class ResidentMemory:
    """The most that an agent had, looked at all the time."""

    def __init__(self, agent):
        self.agent, self.most, self.ended = agent, 0, threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def now(self):
        with contextlib.suppress(OSError, TypeError):
            return self.agent.rss_bytes()
        return 0

    def _look(self):
        while not self.ended.wait(0.02):
            self.most = max(self.most, self.now())


@scenario(weight=3)
def memory(run):
    """Every sink hanging, thousands of files, lines of 1 MiB, a burst: memory stays under memory_limit + 64 MiB.

    Then all come back: everything is delivered, and memory falls back. Lines whose every byte becomes six in JSON
    go to sinks of their own, since they carry no mark."""
    world, limit, files = run.world, (32 if run.short else 64) * MIB, 2000 if run.short else 10_000
    run.top['memory_limit'] = limit
    run.peer_sink('tcp', peers.TcpPeer)
    run.peer_sink('tcp-json', peers.TcpPeer, encoding='json')
    run.peer_sink('http', peers.HttpPeer)
    run.peer_sink('http-json', peers.HttpPeer, encoding='json', parallel_requests=8)
    run.peer_sink('http-gzip', peers.HttpPeer, compression='gzip', batch={'max_bytes': '16MiB', 'linger': '20ms'})
    run.outputs.pop()  # the server keeps bodies as they come: what is in them is counted by the agent
    pipe = peers.PipePeer(world.path('console.out'))
    run.closers.append(pipe.close)
    run.peers.append(pipe)
    run.sinks['console'] = {'type': 'console', 'encoding': 'raw'}
    run.outputs.append(Output('console', AT_LEAST, pipe.path))
    run.options['prepare'] = lambda: os.dup2(pipe.write_end, 1)
    broker, giants = peers.TcpPeer(world.path('broker.out')), peers.HttpPeer(world.path('giants.out'))
    run.closers += [broker.close, giants.close]
    run.peers += [broker, giants]

    sources = {'app': {'type': 'file', 'include': [world.log('**/*.log')]},
               'giants': {'type': 'file', 'include': [world.path('giants/*.log')]}}
    os.makedirs(world.path('giants'))
    for n, byte in enumerate((b'\x01', b'\xff')):
        with open(world.path(f'giants/{n}.log'), 'wb') as file:
            for _ in range(8 if run.short else 40):
                file.write(byte * (MIB - 1) + b'\n')
    wanted = {'giants-http': giants.sink(encoding='json', inputs=['giants'], request_timeout='30s'),
              'kafka': {'type': 'kafka', 'bootstrap_servers': f'127.0.0.1:{broker.port}', 'topic': 'torture', 'encoding': 'json',
                        'inputs': ['app', 'giants']}}
    counted = {name: {**sink, 'inputs': ['app']} for name, sink in run.sinks.items()}
    world.config(sources=sources, sinks={**counted, **wanted}, top=run.top)

    for peer in run.peers:
        peer.mode = 'hang'
    agent = run.start()
    resident = ResidentMemory(agent)
    os.makedirs(world.log('active'))
    for arguments in (['--out', world.log('active/{}.log'), '--files', files, '--rate', '40B/s'],
                      ['--out', world.log('long{}.log'), '--files', 8, '--lines', 3 if run.short else 25, '--line-bytes', MIB, '--format', 'java'],
                      ['--out', world.log('burst.log'), '--bytes', '40MB' if run.short else '400MB']):
        run.writers.append(world.generate(*arguments, wait=False))
    run.faults['sinks hanging'] = len(counted) + len(wanted)
    while not run.over():
        time.sleep(0.1)
        run.expect_alive()
    hung = resident.most

    # The broker never comes back: a reload without it is part of the way out.
    world.config(sources=sources, sinks={**counted, 'giants-http': wanted['giants-http']}, top=run.top)
    agent.reload()
    for peer in run.peers:
        peer.mode = 'ok'
    run.recover(seconds=300 if run.short else 900)  # the long form has some 5 GB to catch up with
    rows = run.finish(seconds=300, at_rest=lambda: fall_back(run, resident, hung, limit))
    resident.ended.set()
    return rows


def fall_back(run, resident, hung, limit):
    """Everything that carries a mark is delivered."""
    wanted = 2 * (8 if run.short else 40)
    until(lambda: run.agent.metrics().get('logflume_component_sent_events_total', component='giants-http') == wanted,
          f'{wanted} giant lines to be delivered', seconds=120)
    end = time.monotonic() + 30
    while resident.now() > limit / 2 + ABOVE and time.monotonic() < end:
        time.sleep(0.1)
    rest = resident.now()
    run.notes.append(f'resident memory {hung / MIB:.0f} MiB at most while all hung, {resident.most / MIB:.0f} MiB while they caught up, '
                     f'{rest / MIB:.0f} MiB after it, where memory_limit + 64 MiB is {(limit + ABOVE) / MIB:.0f} MiB')
    if resident.most > limit + ABOVE or rest > limit / 2 + ABOVE:
        raise Broken(run.notes[-1])
