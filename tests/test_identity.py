"""Which file is this? Copies, files of their own with the same lines, and what is lost, counted (guarantees.md)."""
import gzip
import os
import shutil
import signal
import time

import pytest

from harness import SLOW, numbered, until


def lost(agent, reason):
    return agent.metrics().get('logflume_lost_bytes_total', component='app', reason=reason)


def all_names(world):
    return {'include': [world.log('*')]}


# -- The same lines, and yet a file of its own ------------------------------------------------------------


@pytest.mark.parametrize('how', ['deleted', 'truncated', 'deleted, then a restart'])
def test_a_file_that_begins_as_one_that_went_before_is_its_own(world, how):
    """A service that is started again writes the same first line; short logs are all alike."""
    world.config()
    world.write('a.log', b'Starting server\n')
    agent = world.start()
    world.expect_out(b'Starting server\n')
    if how == 'truncated':
        os.truncate(world.log(), 0)
        time.sleep(0.5)
    else:
        os.remove(world.log())
        if how != 'deleted':
            time.sleep(6 * SLOW)  # until it is given up
            assert agent.stop() == 0
            world.start()
    world.write('b.log', b'Starting server\n')
    world.expect_out(2 * b'Starting server\n')
    world.append('b.log', b'Ready\n')
    world.expect_out(2 * b'Starting server\n' + b'Ready\n')


# -- Copies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['copied, then removed', 'saved by an editor'])
def test_a_copy_whose_original_is_deleted_or_replaced_goes_on_where_it_was(world, how):
    world.config()
    world.write('a.log', numbered(1, 1000))
    world.start()
    world.expect_out(numbered(1, 1000))
    if how == 'copied, then removed':
        shutil.copyfile(world.log(), world.log('b.log'))
        time.sleep(0.3)
        os.remove(world.log())
        world.append('b.log', numbered(1001, 1003))
    else:
        world.write('new', numbered(1, 1003))
        os.rename(world.log('new'), world.log())
    world.expect_out(numbered(1, 1003))
    time.sleep(1)
    assert world.out() == numbered(1, 1003)


@pytest.mark.parametrize('archive', [False, True])
def test_a_copy_that_lacks_the_last_lines_is_not_read_again_after_a_restart(world, archive):
    """copytruncate, with lines written between the copy and the truncation."""
    world.config(**all_names(world))
    world.write('a.log', numbered(1, 1000))
    agent = world.start()
    world.expect_out(numbered(1, 1000))
    copy = world.log('a.log.1.gz' if archive else 'a.log.1')
    with open(world.log(), 'rb') as a, (gzip.open if archive else open)(copy, 'wb') as b:
        shutil.copyfileobj(a, b)
    time.sleep(0.3)
    world.append('a.log', numbered(1001, 1005))
    world.expect_out(numbered(1, 1005))
    os.truncate(world.log(), 0)
    time.sleep(0.3)
    world.append('a.log', numbered(1006, 1010))
    world.expect_out(numbered(1, 1010))
    time.sleep(6)  # held copies are settled
    assert world.out() == numbered(1, 1010)
    assert agent.stop() == 0
    world.start()
    time.sleep(2 * SLOW)
    world.append('a.log', numbered(1011, 1011))
    world.expect_out(numbered(1, 1011))


@pytest.mark.parametrize('archive', [False, True])
def test_a_copy_and_its_known_original_found_by_one_scan(world, archive):
    world.config(**all_names(world))
    world.write('a.log', numbered(1, 1000))
    world.run_to_end()
    copy = world.log('a.log.1.gz' if archive else 'a.log.1')
    with open(world.log(), 'rb') as a, (gzip.open if archive else open)(copy, 'wb') as b:
        shutil.copyfileobj(a, b)
    world.start()
    time.sleep(1)
    os.truncate(world.log(), 0)
    world.append('a.log', numbered(1001, 1002))
    world.expect_out(numbered(1, 1002))
    time.sleep(6)
    assert world.out() == numbered(1, 1002)


@pytest.mark.sanitizer
def test_copies_that_are_under_way_when_they_are_found_are_recognised(world, mode):
    """Goal: whatever moment of a copytruncate discovery hits, nothing comes twice. Method: forty of them."""
    world.config(**all_names(world), read_mode=mode)
    world.start()
    streams = world.generate('--out', world.log(), '--lines', 120_000, '--rate', '40000/s', '--rotate', 'copytruncate',
                             '--rotate-every', 3000, '--rotate-keep', 50)
    world.expect_complete(streams, reordering=True)


# -- Reload -----------------------------------------------------------------------------------------------


@pytest.mark.sanitizer
@pytest.mark.parametrize('place', ['deleted', 'moved away'])
def test_a_reload_keeps_files_without_a_name(world, place):
    """Method: a slow source, whose file loses its name while it is behind; then a reload."""
    world.config(rate_limit='100KB')
    world.write('a.log', numbered(1, 20_000))  # 260 KB
    agent = world.start()
    until(lambda: world.out(), 'it is being read')
    with open(world.log(), 'ab') as late:
        if place == 'deleted':
            os.remove(world.log())
        else:
            os.makedirs(world.path('elsewhere'))
            os.rename(world.log(), world.path('elsewhere', 'a'))
        world.config(rate_limit='10MB')
        agent.reload()
        late.write(numbered(20_001, 20_002))
        late.flush()
        world.expect_out(numbered(1, 20_002))
    assert agent.metrics().get('logflume_component_received_events_total', component='app') == 20_002
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


def test_a_reload_that_wants_other_files_leaves_the_open_ones_alone(world):
    world.config(include=[world.log('a.log')])
    world.write('a.log', numbered(1, 10))
    world.write('b.log', numbered(11, 20))
    agent = world.start()
    world.expect_out(numbered(1, 10))
    world.config(include=[world.log('b.log')])
    agent.reload()
    world.expect_out(numbered(1, 20))
    world.append('a.log', b'nobody asks\n')
    time.sleep(1)
    assert world.out() == numbered(1, 20)


# -- The first start --------------------------------------------------------------------------------------


def test_start_at_end_holds_for_the_first_start_only(world):
    """What is written, or rotated, while the agent is stopped is not skipped by the next start."""
    world.config(start_at='end')
    world.write('a.log', numbered(1, 10))
    agent = world.start()
    world.append('a.log', numbered(11, 11))
    world.expect_out(numbered(11, 11))
    assert agent.stop() == 0
    os.rename(world.log(), world.log('a.1.log'))
    world.write('a.log', numbered(12, 15))
    world.start()
    world.expect_lines(numbered(11, 15))


def test_start_at_end_without_a_file_is_a_first_start_all_the_same(world):
    world.config(start_at='end')
    assert world.start().stop() == 0
    world.write('a.log', numbered(1, 3))
    world.start()
    world.expect_out(numbered(1, 3))


# -- Truncation -------------------------------------------------------------------------------------------


def test_a_hole_is_skipped_after_a_restart_too(world):
    world.config()
    with open(world.log(), 'wb') as log:  # without O_APPEND
        log.write(numbered(1, 100))
        log.flush()
        agent = world.start()
        world.expect_out(numbered(1, 100))
        os.truncate(world.log(), 0)
        time.sleep(1)
        log.write(b'part')
        log.flush()
        time.sleep(1)
        assert agent.stop() == 0
        log.write(b'ial\n')
        log.flush()
    agent = world.start()
    world.expect_out(numbered(1, 100) + b'partial\n')
    assert agent.metrics().get('logflume_skipped_bytes_total', reason='leading_nul') == len(numbered(1, 100))


def test_a_long_unfinished_line_that_is_replaced_unseen(world, mode):
    world.config(read_mode=mode, max_line_bytes='70KiB')
    world.write('a.log', b'x' * 100_000)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_source_files_open') == 1, 'it is open')
    time.sleep(0.5)
    os.kill(agent.pid, signal.SIGSTOP)
    os.truncate(world.log(), 0)
    world.append('a.log', numbered(1, 20_000))
    os.kill(agent.pid, signal.SIGCONT)
    world.expect_out(numbered(1, 20_000))


# -- What is lost is counted ------------------------------------------------------------------------------


def test_lines_truncated_before_they_were_read_are_counted(world):
    world.config(rate_limit='20KiB')
    text = numbered(1, 20_000)
    world.write('a.log', text)
    agent = world.start()
    until(lambda: world.out(), 'it is being read')
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') > 0, 'it is behind')
    os.truncate(world.log(), 0)
    until(lambda: lost(agent, 'truncated') > 0, 'counted', 30)
    assert lost(agent, 'truncated') + len(world.out()) == len(text)


def test_a_file_deleted_while_the_agent_was_stopped_is_counted(world):
    world.config(rate_limit='20KiB')
    text = numbered(1, 20_000)
    world.write('a.log', text)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') > 0 and world.out(), 'it is behind')
    assert agent.stop() == 0
    os.remove(world.log())
    agent = world.start()
    until(lambda: lost(agent, 'deleted') > 0, 'counted', 30)
    assert lost(agent, 'deleted') + len(world.out()) == len(text)
    assert 'are lost' in agent.stderr()


def test_a_partial_line_that_goes_on_in_the_copy_is_not_lost(world):
    world.config(**all_names(world))
    world.write('a.log', numbered(1, 100) + b'par')
    agent = world.start()
    world.expect_out(numbered(1, 100))
    shutil.copyfile(world.log(), world.log('a.log.1'))
    time.sleep(0.3)
    os.truncate(world.log(), 0)
    world.append('a.log.1', b'tial\n')
    world.expect_out(numbered(1, 100) + b'partial\n')
    time.sleep(6)
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.metrics().get('logflume_component_discarded_events_total', component='app') == 0


# -- To the end -------------------------------------------------------------------------------------------


UNREADABLE = '/sys/bus/cpu/drivers_probe'  # write-only, for root too


@pytest.mark.skipif(not os.path.exists(UNREADABLE), reason='no file here that root cannot read')
def test_until_eof_says_when_it_could_not_read_everything(world):
    world.config()
    world.write('a.log', numbered(1, 10))
    os.symlink(UNREADABLE, world.log('b.log'))
    done = world.call('run', '--config', world.path('logflume.yaml'), '--until-eof')
    assert world.out() == numbered(1, 10)
    assert done.returncode == 1 and 'b.log' in done.stderr, done.stderr


@pytest.mark.skipif(not os.path.exists(UNREADABLE), reason='no file here that root cannot read')
def test_one_file_that_cannot_be_read_is_shown_whatever_the_others_do(world):
    world.config()
    world.write('a.log', numbered(1, 10))
    os.symlink(UNREADABLE, world.log('b.log'))
    agent = world.start()
    for n in range(11, 20):
        world.append('a.log', numbered(n, n))
        world.expect_out(numbered(1, n))
        app = next(c for c in agent.health()['components'] if c['name'] == 'app')
        assert app['status'] == 'degraded' and 'b.log' in app['message'], app
    os.remove(world.log('b.log'))
    world.append('a.log', numbered(20, 20))
    until(lambda: agent.health()['status'] == 'ok', lambda: agent.health())
