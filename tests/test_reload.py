"""SIGHUP: all of the new configuration or all of the old one, and books that balance over it."""
import json
import os
import random
import resource
import signal
import socket
import time

from harness import (SLOW, MarkWriter, TcpReceiver, free_port, make_certificate, marked_now, numbered, quantile,
                     until)
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


def test_a_reload_without_descriptors_leaves_the_old_configuration_running(world):
    world.config()
    agent = world.start()
    soft, hard = resource.prlimit(agent.pid, resource.RLIMIT_NOFILE)
    taken = {int(name) for name in os.listdir(f'/proc/{agent.pid}/fd')}
    first_free = next(n for n in range(len(taken) + 1) if n not in taken)
    world.config(sinks={'out': world.file_sink(), 'other': world.file_sink('other.log')})
    # None, one, two, ... are left for what a new sink needs: each lack is another error, and none is the end.
    refused = 0
    for spare in range(12):
        resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (first_free + spare, hard))
        agent.reload()
        until(lambda: agent.stderr().count('goes on\n') > refused or
              'the new configuration runs' in agent.stderr(), 'the reload is over')
        if 'the new configuration runs' in agent.stderr():
            break
        refused += 1
    resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert refused > 0 and 'Too many open files' in agent.stderr()
    world.write('a.log', numbered(1, 10))
    world.expect_out(numbered(1, 10))
    agent.reload()
    world.append('a.log', numbered(11, 12))
    world.expect_out(numbered(1, 12))


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


def reload(world, *more, config='logflume.yaml'):
    world.agents[-1].first = False
    return world.call('reload', '--config', world.path(config), *more)


def threads(agent):
    """Those of components: name by id."""
    until(lambda: {'src:', 'sink'} <= {name[:4] for name in names(agent).values()}, 'threads')  # each takes its name when it begins
    return names(agent)


def names(agent):
    found = {}
    for task in os.listdir(f'/proc/{agent.pid}/task'):
        with open(f'/proc/{agent.pid}/task/{task}/comm') as comm:
            found[task] = comm.read().strip()
    return {task: name for task, name in found.items() if name.startswith(('src:', 'sink:'))}


def test_what_is_equal_keeps_its_threads_connections_and_files(world):
    peer = TcpReceiver()
    net = {'type': 'tcp', 'address': f'127.0.0.1:{peer.port}', 'encoding': 'raw'}
    sources = {name: {'type': 'file', 'include': [world.log(f'{name}/*.log')]} for name in ('a', 'b')}
    out = world.file_sink('out.log', inputs=['a'])
    world.config(sources=sources, sinks={'net': {**net, 'inputs': ['a', 'b']}, 'out': out})
    for name in sources:
        world.write(f'{name}/x.log', numbered(1, 100))
    agent = world.start()
    until(lambda: len(peer.connections) == 1 and len(peer.connections[0]) == 2600, 'delivered')
    before, files = threads(agent), agent.open_files()
    assert sorted(before.values()) == ['sink:net', 'sink:out', 'src:a', 'src:b']
    # Another sink, another source, another limit; and `out` is fed by one source more.
    sources['c'] = {'type': 'file', 'include': [world.log('c/*.log')]}
    world.config(sources=sources, sinks={'net': {**net, 'inputs': ['a', 'b']}, 'out': {**out, 'inputs': ['a', 'c']},
                                         'new': {'type': 'blackhole', 'inputs': ['b', 'c']}},
                 top={'memory_limit': '64MiB', 'rate_limit': '100MiB'})
    done = reload(world)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        'memory_limit: 256MiB -> 64MiB', 'rate_limit: 100MiB', 'source c: added', '  type: file', 'sink new: added',
        '  type: blackhole', 'sink out: kept', '  inputs: [a] -> [a, c]']
    for name in sources:
        world.write(f'{name}/x.log', numbered(101, 200), 'ab')
    until(lambda: len(peer.connections[0]) == 5200, 'delivered')
    until(lambda: len(world.out_lines()) == 300, 'delivered')
    assert len(peer.connections) == 1
    assert before.items() <= threads(agent).items()
    assert {file for file in files if '/logs/' in file or file.endswith('out.log')} <= set(agent.open_files())
    assert agent.metrics().get('logflume_memory_limit_bytes') == 64 << 20
    # And back.
    del sources['c']
    world.config(sources=sources, sinks={'net': {**net, 'inputs': ['a', 'b']}, 'out': out})
    done = reload(world)
    assert done.returncode == 0 and 'source c: removed' in done.stdout
    world.append('a/x.log', numbered(201, 300))
    until(lambda: len(world.out_lines()) == 400 and len(peer.connections[0]) == 6500, 'delivered')
    assert threads(agent) == before and len(peer.connections) == 1
    assert reload(world).stdout == 'nothing changes\n'
    assert agent.stop() == 0
    peer.close()


def test_a_new_sink_starts_where_its_source_is_and_one_that_returns_at_its_own_cursor(world):
    guest = world.file_sink('guest.log')
    world.config()
    world.write('a.log', numbered(1, 100))
    agent = world.start()
    world.expect_out(numbered(1, 100))
    world.config(sinks={'out': world.file_sink(), 'guest': dict(guest)})
    assert reload(world).returncode == 0
    world.append('a.log', numbered(101, 200))
    world.expect_out(numbered(101, 200), 'guest.log')
    world.config()
    assert reload(world).returncode == 0
    world.append('a.log', numbered(201, 300))
    world.expect_out(numbered(1, 300))
    world.config(sinks={'out': world.file_sink(), 'guest': dict(guest)})
    assert reload(world).returncode == 0
    world.append('a.log', numbered(301, 400))
    world.expect_out(numbered(101, 400), 'guest.log')
    world.expect_out(numbered(1, 400))
    assert agent.stop() == 0


def test_each_way_to_fail_leaves_the_old_configuration_running_and_says_why(world):
    world.config()
    agent = world.start()
    before = threads(agent)

    def refused(reason, code=1):
        done = reload(world)
        assert done.returncode == code and reason in done.stderr, (done.returncode, done.stderr)
        assert 'the old configuration goes on' in done.stderr or code == 78
        assert threads(agent) == before
    with open(world.path('logflume.yaml'), 'a') as file:
        file.write('nonsense')
    refused('error', 78)
    world.config(top={'data_dir': world.path('elsewhere')})
    done = world.call('reload', '--data-dir', world.path('data'))
    assert done.returncode == 1 and 'data_dir cannot change' in done.stderr
    world.write('a.log', numbered(1, 10))
    world.expect_out(numbered(1, 10))
    world.config()
    assert reload(world).returncode == 0
    assert agent.stop() == 0
    done = reload(world)
    assert done.returncode == 1 and 'no agent runs' in done.stderr


def test_a_file_changes_hands(world):
    world.config(sinks={'one': world.file_sink('x.log'), 'two': world.file_sink('y.log')})
    agent = world.start()
    world.write('a.log', numbered(1, 10))
    world.expect_out(numbered(1, 10), 'x.log')
    world.expect_out(numbered(1, 10), 'y.log')
    world.config(sinks={'one': world.file_sink('y.log'), 'two': world.file_sink('x.log')})
    assert reload(world).returncode == 0
    world.append('a.log', numbered(11, 20))
    world.expect_out(numbered(1, 20), 'x.log')
    world.expect_out(numbered(1, 20), 'y.log')
    assert agent.stop() == 0


def test_a_dry_run_only_says_what_would_change_and_shows_no_secret(world, receiver):
    http = {'type': 'http', 'uri': receiver.uri, 'auth': {'token': 'hush1'}, 'headers': {'X-Key': 'hush2'}}
    world.config(sinks={'out': world.file_sink(), 'web': dict(http)})
    agent = world.start()
    before = threads(agent)
    world.config(sinks={'out': world.file_sink('other.log'),
                        'web': {**http, 'auth': {'token': 'hush3'}, 'headers': {'X-Key': 'hush4'}}})
    done = reload(world, '--dry-run')
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        'sink out: replaced', f"  path: {world.path('out.log')} -> {world.path('other.log')}",
        'sink web: replaced', '  headers.X-Key: *** -> ***', '  auth.token: *** -> ***']
    answer = json.loads(reload(world, '--dry-run', '--json').stdout)
    assert answer['result'] == 'dry_run'
    assert [c['name'] for c in answer['difference']['components']] == ['out', 'web']
    assert threads(agent) == before
    assert reload(world).returncode == 0
    assert 'hush' not in agent.stderr() and 'sink web: replaced' in agent.stderr()
    assert agent.stop() == 0


def test_a_renamed_source_and_sink_lose_and_repeat_nothing(world):
    def config(name, sink_name, **more):
        world.config(sources={name: {'type': 'file', 'include': [world.log('*.log*')], **more.get('source', {})}},
                     sinks={sink_name: world.file_sink(**more.get('sink', {}))})
    config('app', 'out')
    writer = world.generate('--out', world.log('w.log'), '--writer-id', 'w', '--rate', '5000/s', '--rotate', 'rename',
                            '--rotate-every', '2000', '--rotate-keep', '1000', wait=False)
    agent = world.start()
    agent.first = False
    until(world.out, 'lines')
    # While it runs: the source, the sink, both.
    for source, sink, more in [('web', 'out', {'source': {'formerly': 'app'}}),
                               ('web', 'bus', {'source': {'formerly': 'app'}, 'sink': {'formerly': 'out'}}),
                               ('srv', 'train', {'source': {'formerly': 'web'}, 'sink': {'formerly': 'bus'}})]:
        config(source, sink, **more)
        done = reload(world)
        assert done.returncode == 0, done.stderr
        size = len(world.out())
        until(lambda: len(world.out()) > size, 'more lines')
    assert agent.stop() == 0
    # Over a restart, and one more without any change.
    config('last', 'end', source={'formerly': 'srv'}, sink={'formerly': 'train'})
    for _ in range(2):
        agent = world.start()
        agent.first = False
        size = len(world.out())
        until(lambda: len(world.out()) > size, 'more lines')
        agent.kill()
    agent = world.start()
    agent.first = False
    writer.send_signal(signal.SIGTERM)
    world.expect_complete(world.generated(writer), reordering=True)
    assert agent.stop() == 0


def test_a_former_name_that_is_taken_is_an_error(world):
    def errors(**sinks):
        return world.call('validate', world.config(sinks={name: world.file_sink(f'{name}.log', **sink)
                                                          for name, sink in sinks.items()})).stderr
    assert '"b" is configured still' in errors(a={'formerly': 'b'}, b={})
    assert '"a" is configured still' in errors(a={'formerly': 'a'})
    assert '"a" claims that name too' in errors(a={'formerly': 'c'}, b={'formerly': 'c'})
    assert not errors(a={'formerly': 'c'}, b={'formerly': 'd'})


def test_files_that_change_on_disk_are_taken_anew(world):
    # As Kubernetes mounts them: logflume.yaml -> ..data/logflume.yaml, ..data -> ..1.
    def place(name, text):
        os.mkdir(world.path('conf', name))
        with open(world.path('conf', name, 'logflume.yaml'), 'w') as file:
            file.write(text)
        os.symlink(name, world.path('conf', '..data_tmp'))
        os.rename(world.path('conf', '..data_tmp'), world.path('conf', '..data'))

    def text(sinks):
        with open(world.config(sinks=sinks)) as file:
            return file.read()
    os.mkdir(world.path('conf'))
    place('..1', text({'out': world.file_sink()}))
    os.symlink('..data/logflume.yaml', world.path('conf', 'logflume.yaml'))
    agent = world.start(world.path('conf', 'logflume.yaml'), more=['--watch-config'])
    agent.first = False
    world.write('a.log', b'one\n')
    world.expect_out(b'one\n')
    place('..2', text({'out': world.file_sink(), 'two': world.file_sink('two.log')}))
    until(lambda: 'the new configuration runs' in agent.stderr(), 'reloaded')
    place('..3', 'nonsense: yes')
    until(lambda: 'has errors' in agent.stderr(), 'said')
    # In place, an editor's way.
    with open(world.path('conf', '..3', 'logflume.yaml'), 'w') as file:
        file.write(text({'out': world.file_sink(), 'two': world.file_sink('three.log')}))
    until(lambda: agent.stderr().count('the new configuration runs') == 2, 'reloaded')
    assert agent.stderr().count('has errors') == 1
    world.append('a.log', b'two\n')
    world.expect_out(b'one\ntwo\n')
    world.expect_out(b'two\n', 'three.log')
    assert agent.stop() == 0


def test_a_sink_that_hangs_holds_up_a_reload_for_five_seconds_and_nobody_else(world, receiver, marks):
    receiver.status = None
    hung = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '10ms'}}
    world.config(sinks={'net': dict(marks.sink), 'hung': dict(hung)})
    agent = world.start()
    writer = MarkWriter(world.log('a.log'), 0.005)
    until(lambda: receiver.posts > 0 and marks.marks, 'lines')
    world.config(sinks={'net': dict(marks.sink)})
    begin, since = marked_now(), time.monotonic()
    done = reload(world)
    took = time.monotonic() - since
    end = marked_now()
    writer.stop()
    assert done.returncode == 0, done.stderr
    assert 4.5 < took < 7 * SLOW
    until(lambda: len(marks.marks) >= writer.count, 'all lines')
    delays = marks.delays(begin, end)
    assert len(delays) > 500 / SLOW and quantile(delays, 0.99) < 0.1 * SLOW, quantile(delays, 0.99)
    assert len(marks.marks) == writer.count
    assert agent.stop() == 0


def test_a_peer_that_refuses_leaves_the_old_configuration_running(world, tmp_path):
    world.config()
    agent = world.start()
    before = threads(agent)
    port = free_port()
    # A certificate that nobody here trusts.
    _, context = make_certificate(str(tmp_path))
    tls = TcpReceiver(tls=context)
    silent = socket.create_server(('127.0.0.1', 0), backlog=0)  # takes no connection once its queue is full
    fillers = [socket.socket() for _ in range(4)]
    for filler in fillers:
        filler.setblocking(False)
        filler.connect_ex(silent.getsockname())
    for sink, reason in [
            ({'type': 'tcp', 'address': f'127.0.0.1:{port}'}, 'Connection refused'),
            ({'type': 'http', 'uri': f'http://127.0.0.1:{port}/'}, 'sink bad: http://127.0.0.1'),
            ({'type': 'tcp', 'address': f'127.0.0.1:{tls.port}', 'tls': {'enabled': True}}, 'certificate'),
            ({'type': 'http', 'uri': f'https://127.0.0.1:{tls.port}/'}, 'certificate'),
            ({'type': 'tcp', 'address': f'127.0.0.1:{silent.getsockname()[1]}'}, 'no answer in time')]:
        world.config(sinks={'out': world.file_sink(), 'bad': sink})
        begin = time.monotonic()
        done = reload(world)
        assert done.returncode == 1 and 'sink bad: ' in done.stderr and reason in done.stderr, done.stderr
        assert time.monotonic() - begin < 5 * SLOW
        assert threads(agent) == before
    world.write('a.log', b'one\n')
    world.expect_out(b'one\n')
    # Whoever knows better says so; and a peer that answers is no trouble.
    assert reload(world, '--force').returncode == 0
    peer = TcpReceiver(port)
    world.config(sinks={'out': world.file_sink(), 'bad': {'type': 'tcp', 'address': f'127.0.0.1:{port}', 'encoding': 'raw'}})
    assert reload(world).returncode == 0
    world.append('a.log', b'two\n')
    until(lambda: b'two\n' in b''.join(peer.connections), 'delivered')
    assert agent.stop() == 0
    for closer in (peer, tls, silent, *fillers):
        closer.close()
