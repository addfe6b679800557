"""Stops, crashes, reloads: what a start after them finds (docs/guarantees.md, Process)."""
import contextlib
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from harness import BINARY, SLOW, numbered, until


@pytest.mark.sanitizer
def test_kill_9_at_random_moments_neither_loses_nor_repeats_a_line_in_a_file(world, mode):
    """Goal: the file sink is exactly once. Method: a writer with rotation, the agent killed again and again at
    random moments; the file is complete and has no line twice."""
    rounds = 8
    seed = random.randrange(1 << 32)
    print(f'seed {seed}')
    moments = random.Random(seed)
    world.config(include=[world.log('a.log*')], read_mode=mode)
    writer = world.generate('--out', world.log(), '--duration', f'{rounds}s', '--rate', '5MB/s', '--rotate', 'rename',
                            '--rotate-every', '8MB', '--rotate-keep', 10, wait=False)
    for _ in range(rounds):
        agent = world.start(ready=False)
        time.sleep(moments.uniform(0.05, 1.2) * min(SLOW, 2))
        agent.kill()
    streams = world.generated(writer)
    world.start()
    world.expect_complete(streams, reordering=True)


def test_kill_9_loses_nothing_on_the_way_to_a_server(world, receiver):
    moments = random.Random(5)
    world.config(sinks={'out': {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '20ms'}}})
    writer = world.generate('--out', world.log(), '--duration', '5s', '--rate', '3MB/s', wait=False)
    for _ in range(5):
        agent = world.start(ready=False)
        time.sleep(moments.uniform(0.1, 1.2))
        agent.kill()
    streams = world.generated(writer)
    agent = world.start()
    world.expect_complete(streams, receiver.path, duplicates=True)
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_sigterm_under_load_neither_loses_nor_repeats(world, mode, receiver):
    world.config(read_mode=mode, sinks={'out': world.file_sink(),
                                        'web': {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw'}})
    writer = world.generate('--out', world.log(), '--duration', '6s', '--rate', '2MB/s', wait=False)
    for _ in range(4):
        agent = world.start()
        time.sleep(0.5)
        assert agent.stop() == 0
    streams = world.generated(writer)
    agent = world.start()
    world.expect_complete(streams)
    world.expect_complete(streams, receiver.path)
    assert agent.stop() == 0


def test_sigterm_leaves_a_partial_line_for_the_next_start(world):
    world.config()
    world.write('a.log', b'one\npart')
    agent = world.start()
    world.expect_out(b'one\n')
    assert agent.stop() == 0
    assert world.out() == b'one\n'
    world.append('a.log', b'ial\n')
    world.start()
    world.expect_out(b'one\npartial\n')


def test_sigint_drains_too(world):
    world.config()
    world.write('a.log', numbered(1, 1000))
    agent = world.start()
    world.expect_out(numbered(1, 1000))
    assert agent.stop(signal.SIGINT) == 0


def test_a_torn_write_of_the_file_sink_is_cut_off_and_foreign_bytes_are_not(world):
    with open(world.path('out.log'), 'wb') as file:
        file.write(b'was here before\n')
    world.config()
    world.write('a.log', numbered(1, 100))
    agent = world.start()
    world.expect_out(b'was here before\n' + numbered(1, 100))
    time.sleep(1.5)  # a checkpoint is durable within a second
    agent.kill()
    with open(world.path('out.log'), 'ab') as file:
        file.write(b'line 00001')  # as a write that a power cut tore
    world.append('a.log', numbered(101, 110))
    world.start()
    world.expect_out(b'was here before\n' + numbered(1, 110))


def test_a_second_agent_on_the_data_dir_is_refused(world):
    world.config()
    world.write('a.log', b'x\n')
    agent = world.start()
    world.expect_out(b'x\n')
    second = world.call('run', '--config', world.path('logflume.yaml'))
    assert second.returncode == 1 and str(agent.pid) in second.stderr
    assert second.stdout == ''
    assert agent.running()
    agent.kill()
    world.append('a.log', b'y\n')
    world.start()  # a killed agent's lock is not in the way
    world.expect_out(b'x\ny\n')


@pytest.mark.sanitizer
def test_damaged_checkpoints_are_put_aside_and_the_start_goes_on(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.run_to_end()
    for folder, _, files in os.walk(world.path('data')):
        for name in files:
            path = os.path.join(folder, name)
            if size := os.path.getsize(path):
                with open(path, 'r+b') as file:
                    file.write(os.urandom(size))
    world.append('a.log', b'after\n')
    world.run_to_end()
    assert b'after' in world.out_lines()
    assert set(numbered(1, 100).splitlines()) <= set(world.out_lines())


def test_damaged_checkpoint_rows_are_told_and_counted(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.run_to_end()
    with contextlib.closing(sqlite3.connect(world.path('data', 'checkpoints.db'))) as store, store:
        store.execute('UPDATE cursors SET "offset" = "offset" + 1')
    agent = world.start()
    assert '1 damaged rows were set aside' in agent.stderr()
    assert agent.metrics().get('logflume_checkpoint_damaged_rows_total') == 1
    assert agent.stop() == 0


def test_a_lost_data_dir_costs_duplicates_only(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.run_to_end()
    shutil.rmtree(world.path('data'))
    world.run_to_end()
    assert world.out() == numbered(1, 100) * 2


@pytest.mark.sanitizer
def test_reload_takes_over_without_loss_or_repetition(world):
    world.config()
    agent = world.start()
    writer = world.generate('--out', world.log(), '--duration', '4s', '--rate', '2MB/s', wait=False)
    for n in range(3):
        time.sleep(0.7)
        world.config(max_line_bytes=f'{n + 1}MiB')
        agent.reload()
    streams = world.generated(writer)
    world.expect_complete(streams)
    assert agent.running() and agent.stop() == 0


def test_reload_adds_and_removes_sources_and_sinks(world):
    world.config()
    world.write('a.log', b'one\n')
    agent = world.start()
    world.expect_out(b'one\n')
    os.makedirs(world.path('more'))
    world.config(sources={'app': {'type': 'file', 'include': [world.log('*.log')]},
                          'more': {'type': 'file', 'include': [world.path('more/*.log')]}},
                 sinks={'out': world.file_sink(inputs=['app']), 'second': world.file_sink('second.log', inputs=['more'])})
    agent.reload()
    with open(world.path('more/m.log'), 'wb') as file:
        file.write(b'more\n')
    world.expect_out(b'more\n', 'second.log')
    world.append('a.log', b'two\n')
    world.expect_out(b'one\ntwo\n')
    world.config()
    agent.reload()
    until(lambda: all(c['name'] != 'second' for c in agent.health()['components']), 'the sink is gone')
    world.append('a.log', b'three\n')
    world.expect_out(b'one\ntwo\nthree\n')
    assert agent.stop() == 0


def test_a_bad_new_configuration_leaves_the_old_one_running(world):
    config = world.config()
    agent = world.start()
    with open(config, 'w') as file:
        file.write('sources: {app: {type: fil, include: [x]}}\n')
    agent.reload()
    until(lambda: 'fil' in agent.stderr(), 'the error is named')
    world.write('a.log', b'goes on\n')
    world.expect_out(b'goes on\n')
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_the_counters_balance_at_every_stop(world, receiver):
    """received = sent + discarded + pending, for each sink; pending is 0 after a clean stop's drain."""
    world.config(sinks={'out': world.file_sink(), 'web': {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw'}})
    world.write('a.log', numbered(1, 5000))
    world.write('b.log', numbered(1, 3000, 'b'))
    agent = world.start()

    def settled():
        page = agent.metrics()
        return all(page.get('logflume_component_sent_events_total', component=c) == 8000 for c in ('out', 'web')) and page
    page = until(settled, lambda: agent.metrics().text[:4000])
    assert page.get('logflume_component_received_events_total', component='app') == 8000
    bytes_in = len(numbered(1, 5000)) + len(numbered(1, 3000, 'b'))
    assert page.get('logflume_component_received_bytes_total', component='app') == bytes_in
    for sink in ('out', 'web'):
        received = page.get('logflume_component_received_events_total', component=sink)
        discarded = page.get('logflume_component_discarded_events_total', component=sink)
        assert received == 8000 + discarded and discarded == 0
    assert page.get('logflume_source_lag_bytes') == 0
    assert agent.stop() == 0


@pytest.mark.skipif(shutil.which('promtool') is None, reason='promtool is not installed')
def test_promtool_accepts_the_metrics(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    agent = world.start()
    world.expect_out(numbered(1, 100))
    status, page = agent.get('/metrics')
    assert status == 200
    done = subprocess.run(['promtool', 'check', 'metrics'], input=page, capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr


def test_probes(world):
    world.config()
    agent = world.start()
    assert agent.get('/livez')[0] == 200
    assert agent.get('/readyz')[0] == 200
    status, _ = agent.get('/healthz')
    assert status == 200 and agent.health()['status'] == 'ok'
    for component in agent.health()['components']:
        assert {'name', 'kind', 'type', 'status', 'message', 'since'} <= set(component)
    assert agent.get('/nothing')[0] == 404
    assert agent.stop() == 0


def test_until_eof_prints_nothing_but_results(world):
    world.write('a.log', numbered(1, 1000))
    world.config(sinks={'out': {'type': 'console', 'encoding': 'raw'}})
    done = world.run_to_end()
    assert done.stdout.encode() == numbered(1, 1000)


def test_a_closed_pipe_ends_the_console_quietly(world):
    world.write('a.log', numbered(1, 200_000))
    done = subprocess.run(['bash', '-c', f'"$0" tail "{world.log()}" --until-eof | head -1', BINARY], capture_output=True, timeout=30 * SLOW)
    assert done.stdout == b'line 0000001\n'
    assert re.search(rb'Sanitizer|terminate|Aborted|core dumped', done.stderr) is None


@pytest.mark.alone
def test_an_idle_agent_costs_nothing(world):
    for n in range(200):
        world.write(f'{n}.log', b'x\n')
    world.config()
    agent = world.start()
    until(lambda: len(world.out_lines()) == 200, 'all are read')
    time.sleep(1)

    def cpu():
        with open(f'/proc/{agent.pid}/stat') as stat:
            fields = stat.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
    before = cpu()
    time.sleep(4)
    assert cpu() - before <= 0.04 * SLOW, f'{(cpu() - before) / 4:.1%} of a core'
