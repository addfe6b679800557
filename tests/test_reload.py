"""SIGHUP: all of the new configuration or all of the old one, and books that balance over it."""
import os
import random
import socket

from harness import numbered, until
from reloads import Reloads


def test_a_listen_address_that_is_taken_leaves_the_old_configuration_running(world):
    world.config()
    agent = world.start()
    old = world.port
    with socket.create_server(('127.0.0.1', 0)) as busy:
        port = busy.getsockname()[1]
        listen = {'api': {'enabled': True, 'listen': f'127.0.0.1:{port}'}}
        world.config(sinks={'other': world.file_sink('other.log')}, top=listen)
        agent.reload()
        until(lambda: 'the old configuration goes on' in agent.stderr(), 'refused')
        assert agent.get('/livez')[0] == 200
        world.write('a.log', b'one\n')
        world.expect_out(b'one\n')
    agent.reload()  # the port is free now
    agent.port = port
    until(lambda: agent.get('/readyz')[0] == 200, 'the new address answers')
    world.append('a.log', b'two\n')
    world.expect_out(b'two\n', 'other.log')
    # Another address with the same port is taken by nobody but the agent itself.
    world.config(top={'api': {'enabled': True, 'listen': f'0.0.0.0:{port}'}})
    agent.reload()
    until(lambda: agent.stderr().count('the new configuration runs') == 2, 'reloaded')
    assert agent.get('/readyz')[0] == 200
    agent.port = old
    assert agent.get('/livez')[0] == 0
    assert agent.stop() == 0


def test_a_reload_that_fails_leaves_the_log_as_it_was(world):
    world.config()
    agent = world.start()
    with socket.create_server(('127.0.0.1', 0)) as busy:
        world.config(top={'api': {'enabled': True, 'listen': f'127.0.0.1:{busy.getsockname()[1]}'},
                          'log': {'level': 'error', 'format': 'json'}})
        agent.reload()
        until(lambda: 'the old configuration goes on' in agent.stderr(), 'the new configuration does not start')
    assert agent.stop() == 0
    last = agent.stderr().splitlines()[-1]
    assert ' INFO ' in last and 'stopping' in last


def test_the_books_balance_over_a_reload_with_a_sink_that_hangs(world, receiver):
    receiver.status = None
    hung = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '10ms'}}
    world.config(sinks={'out': world.file_sink(), 'hung': dict(hung)})
    world.write('a.log', numbered(1, 1000))
    agent = world.start()
    until(lambda: receiver.posts == 1, 'a request')

    def books(component):
        page = agent.metrics()
        names = ('received_events_total', 'sent_events_total', 'discarded_events_total', 'pending_events',
                 'received_bytes_total')
        return [page.get(f'logflume_component_{name}', component=component) for name in names]
    assert agent.metrics().has('logflume_component_discarded_events_total')
    until(lambda: books('hung') == [1000, 0, 0, 1000, 13000], lambda: books('hung'))
    # It is another one now, which reads again what the one before had not delivered.
    world.config(sinks={'out': world.file_sink(), 'hung': {**hung, 'parallel_requests': 2}, 'new': {'type': 'blackhole'}})
    agent.reload()
    until(lambda: 'the new configuration runs' in agent.stderr(), 'reloaded', 30)
    world.append('a.log', numbered(1001, 1500))
    until(lambda: receiver.posts == 2, 'the lines are sent again')
    until(lambda: books('hung') == [1500, 0, 0, 1500, 19500], lambda: books('hung'))
    receiver.status = 200
    until(lambda: books('hung') == [1500, 1500, 0, 0, 19500], lambda: books('hung'))
    until(lambda: books('out') == [1500, 1500, 0, 0, 19500], lambda: books('out'))
    assert books('app') == [1500, 1500, 0, 0, 19500]
    assert agent.stop() == 0


def test_random_reloads_under_load_lose_and_repeat_nothing(world):
    # LOGFLUME_RELOADS=1000 for the long run; LOGFLUME_SEED repeats one.
    seed = int(os.environ.get('LOGFLUME_SEED', random.randrange(1 << 32)))
    print(f'LOGFLUME_SEED={seed}')
    reloads = Reloads(world, seed)
    agent = world.start()
    agent.first = False
    for n in range(1, int(os.environ.get('LOGFLUME_RELOADS', 30)) + 1):
        reloads.change()
        agent.reload()
        until(lambda: agent.stderr().count('the new configuration runs') == n, f'reload {n}', 30)
    streams = reloads.finish()
    agent.reload()
    reloads.expect_complete(streams)
    assert 'goes on' not in agent.stderr()
    assert agent.stop() == 0
