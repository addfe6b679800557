"""An agent with nothing to do: how often its threads wake up, and what it keeps in memory."""
import os
import time

import pytest

from harness import HttpReceiver, SLOW, TcpReceiver, until

SECONDS = 10


def switches(agent):
    """How often each thread has gone to sleep by itself, by its number."""
    counts = {}
    for task in os.listdir(f'/proc/{agent.pid}/task'):
        with open(f'/proc/{agent.pid}/task/{task}/status') as status:
            fields = dict(line.split(':', 1) for line in status)
        counts[task] = (fields['Name'].strip(), int(fields['voluntary_ctxt_switches']))
    return counts


def wake_ups(agent, seconds):
    """By thread, once nothing was left to be done."""
    before = switches(agent)
    time.sleep(seconds)
    after = switches(agent)
    return {f'{name} {task}': count - before[task][1] for task, (name, count) in after.items()
            if task in before and count > before[task][1]}


@pytest.fixture(params=['blackhole', 'file', 'tcp', 'http', 'disk buffer'])
def sinks(request, world):
    tcp, http = TcpReceiver(), HttpReceiver(world.path('received.log'))
    world.closers += [tcp.close, http.close]
    to_tcp = {'type': 'tcp', 'address': f'127.0.0.1:{tcp.port}', 'encoding': 'raw'}
    to_http = {'type': 'http', 'uri': http.uri}
    return {'blackhole': {'out': {'type': 'blackhole'}}, 'file': {'out': world.file_sink()}, 'tcp': {'out': to_tcp},
            'http': {'out': to_http},
            'disk buffer': {'out': world.file_sink(buffer={'type': 'disk', 'max_bytes': '1GiB'})}}[request.param]


@pytest.mark.parametrize('files', [10, 1000])
def test_nothing_wakes_an_idle_agent_but_the_rescan(world, sinks, files):
    """Ten files take less than 15 MB: of code that only the start needed, nothing stays resident."""
    for n in range(files):
        world.write(f'{n}.log', b'a line\n')
    world.config(sinks=sinks, rescan_interval='5s')
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_sent_events_total', component=next(iter(sinks))) == files,
          'all delivered')
    # What was used gives memory back and is committed; a keep-alive connection of ours ends.
    until(lambda: sum(wake_ups(agent, 2).values()) <= 2, lambda: f'idle: {wake_ups(agent, 2)}', 40)
    woken = wake_ups(agent, SECONDS)
    assert sum(woken.values()) <= SECONDS * SLOW / 2, woken
    if files == 10:
        assert agent.rss_bytes() < 15_000_000
