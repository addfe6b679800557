"""What the agent delivers of files that grow, move, shrink and vanish (docs/guarantees.md, Files)."""
import bz2
import contextlib
import gzip
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from harness import HttpReceiver, numbered, until


@pytest.mark.sanitizer
def test_appended_lines_arrive_in_order(world, mode):
    world.config(read_mode=mode)
    world.write('a.log', numbered(1, 1000))
    world.start()
    world.expect_out(numbered(1, 1000))
    for n in range(1001, 1101):
        world.append('a.log', numbered(n, n))
    world.expect_out(numbered(1, 1100))


@pytest.mark.sanitizer
def test_large_and_small_reads_join_without_a_seam(world, mode):
    # Lines of many lengths, so that block and window borders fall everywhere within them.
    data = b''.join(b'%d:' % n + b'x' * (n * 37 % 3001) + b'\n' for n in range(20_000))
    world.config(read_mode=mode)
    world.write('a.log', data)
    world.run_to_end()
    assert world.out() == data


@pytest.mark.sanitizer
def test_a_partial_line_waits_for_its_end(world, mode):
    world.config(read_mode=mode)
    world.write('a.log', b'whole\nhalf')
    world.start()
    world.expect_out(b'whole\n')
    world.write('b.log', b'other\n')
    world.expect_out(b'whole\nother\n')
    world.append('a.log', b' and half')
    world.append('b.log', b'another\n')
    world.expect_out(b'whole\nother\nanother\n')
    world.append('a.log', b'\n')
    world.expect_out(b'whole\nother\nanother\nhalf and half\n')


@pytest.mark.sanitizer
@pytest.mark.parametrize('when', ['at once', 'late'])
def test_rotation_by_rename_with_late_writes(world, mode, when):
    world.config(read_mode=mode)
    world.write('a.log', numbered(1, 5000))
    world.start()
    until(lambda: world.out(), 'the first lines')
    os.rename(world.log(), world.log('a.log.1'))
    if when == 'late':
        world.append('a.log.1', numbered(5001, 5010))
        world.expect_lines(numbered(1, 5010))
    world.append('a.log', numbered(6001, 6100))
    world.append('a.log.1', numbered(5011, 5020))  # the writer still has the old file open
    late = numbered(5001, 5010) if when == 'late' else b''
    world.expect_lines(numbered(1, 5000) + late + numbered(5011, 5020) + numbered(6001, 6100))


@pytest.mark.sanitizer
@pytest.mark.parametrize('rotation', ['rename', 'copytruncate', 'gzip'])
def test_rotated_files_within_the_globs_are_read_once(world, mode, rotation):
    world.config(include=[world.log('a.log*')], read_mode=mode)
    world.start()
    streams = world.generate('--out', world.log(), '--lines', 60_000, '--rate', '20000/s', '--rotate', rotation,
                             '--rotate-every', 9000, '--rotate-keep', 20)
    world.expect_complete(streams, reordering=True)


@pytest.mark.sanitizer
@pytest.mark.parametrize('kind', ['raw', 'json'])
def test_lines_that_are_written_in_pieces(world, mode, kind):
    world.config(sinks={'out': world.file_sink(encoding=kind)}, read_mode=mode)
    world.start()
    streams = world.generate('--format', 'java', '--out', world.log(), '--lines', 20_000, '--rate', '10000/s',
                             '--split-writes')
    world.expect_complete(streams)


def test_a_copy_is_delivered_once_even_when_the_original_is_truncated_late(world, mode):
    world.config(include=[world.log('a.log*')], read_mode=mode)
    world.write('a.log', numbered(1, 3000))
    world.start()
    world.expect_out(numbered(1, 3000))
    shutil.copy(world.log(), world.log('a.log.1'))
    os.truncate(world.log(), 0)
    world.append('a.log', numbered(3001, 3010))
    world.expect_out(numbered(1, 3010))
    world.append('a.log', numbered(3011, 3020))
    world.expect_out(numbered(1, 3020), seconds=30)


def test_two_files_with_the_same_lines_are_two_files(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.start()
    world.expect_out(numbered(1, 100))
    world.write('b.log', numbered(1, 100))
    world.append('b.log', b'only b\n')
    world.expect_out(numbered(1, 100) + numbered(1, 100) + b'only b\n', seconds=15)


def test_a_file_truncated_and_regrown_while_stopped_is_read_from_its_start(world, mode):
    world.config(read_mode=mode)
    world.write('a.log', numbered(1, 100))
    world.run_to_end()
    world.write('a.log', numbered(1, 500, 'other'))  # the same inode, longer than what was read
    world.run_to_end()
    assert world.out() == numbered(1, 100) + numbered(1, 500, 'other')


def test_a_new_file_under_an_old_name_and_inode_is_read_from_its_start(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.start()
    world.expect_out(numbered(1, 100))
    expected = numbered(1, 100)
    for n in range(5):
        os.unlink(world.log())
        world.write('a.log', numbered(1, 10 + 20 * n, f'round{n}'))
        expected += numbered(1, 10 + 20 * n, f'round{n}')
        world.expect_lines(expected)


def test_what_follows_the_last_newline_is_dropped_when_the_file_is_truncated(world, mode):
    world.config(read_mode=mode)
    world.write('a.log', b'one\ntorn')
    agent = world.start()
    world.expect_out(b'one\n')
    os.truncate(world.log(), 0)
    world.append('a.log', b'two\n')
    world.expect_out(b'one\ntwo\n')
    page = agent.metrics()
    assert page.get('logflume_lost_bytes_total', component='app', reason='truncated_partial_line') == len(b'torn')
    assert page.get('logflume_lost_bytes_total') == len(b'torn')
    assert agent.stop() == 0


def test_leading_nul_bytes_after_a_truncation_are_skipped_and_counted(world, mode):
    world.config(read_mode=mode)
    agent = None
    with open(world.log(), 'wb') as writer:  # without O_APPEND its offset stays
        writer.write(numbered(1, 1000))
        writer.flush()
        agent = world.start()
        world.expect_out(numbered(1, 1000))
        os.truncate(world.log(), 0)
        writer.write(b'after\n')
        writer.flush()
        world.expect_out(numbered(1, 1000) + b'after\n')
    page = agent.metrics()
    assert page.get('logflume_skipped_bytes_total', component='app', reason='leading_nul') == len(numbered(1, 1000))
    assert page.get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_truncation_while_reading_never_crashes(world, mode):
    world.config(read_mode=mode, max_line_bytes='64KiB')
    agent = world.start()
    for n in range(60):
        with open(world.log(), 'wb') as file:
            file.write(b'y' * 100 + b'\n')
            file.write(b'z' * (1_500_000 if n % 2 else 3000) + b'\n')
        os.truncate(world.log(), 0)
    world.write('b.log', b'alive\n')
    until(lambda: b'alive' in world.out_lines(), 'the agent goes on')
    assert agent.running()
    assert set(world.out()) <= set(b'yzalive\n')


@pytest.mark.sanitizer
def test_a_deleted_file_is_read_to_its_end(world, mode):
    world.config(read_mode=mode, file_rate_limit='400KB')
    world.write('a.log', numbered(1, 100_000))  # 1.3 MB
    agent = world.start()
    until(lambda: world.out(), 'the first lines')
    os.unlink(world.log())
    world.expect_out(numbered(1, 100_000))
    until(lambda: not any('a.log' in link for link in agent.open_files()), 'the deleted file is closed', 15)


@pytest.mark.sanitizer
@pytest.mark.parametrize('budget', [{'max_bytes': '100KB'}, {'max_age': '1s'}])
def test_what_exceeds_the_budget_of_deleted_files_is_counted_as_lost(world, receiver, budget):
    """Method: a sink is down when a file is deleted that it has not got. The budget ends before the sink is back:
    then the file is closed, and what the sink gets and what is counted as lost are together the file."""
    receiver.status = 503
    data = numbered(1, 100_000)  # 1.3 MB
    down = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'buffer': {'max_bytes': '200KB'},
            'batch': {'max_bytes': '50KB', 'linger': '20ms'}}
    world.config(sinks={'out': world.file_sink(), 'down': down}, deleted_files=budget)
    world.write('a.log', data)
    agent = world.start()
    world.expect_out(data)
    assert any('a.log' in link for link in agent.open_files())
    os.unlink(world.log())
    lost = until(lambda: agent.metrics().get('logflume_lost_bytes_total', component='app', reason='deleted'), 'counted as lost')
    until(lambda: not any('a.log' in link for link in agent.open_files()), 'the deleted file is closed')
    assert f'{next(iter(budget))} of deleted_files' in agent.stderr() and world.log() in agent.stderr()
    receiver.status = 200
    until(lambda: len(b'\n'.join(receiver.lines())) + 1 + lost == len(data),
          lambda: f'{len(receiver.lines())} lines arrived, {lost} bytes are lost, of {len(data)}')
    assert receiver.lines() == data[:len(data) - int(lost)].splitlines()
    assert agent.metrics().get('logflume_lost_bytes_total') == lost, 'counted once'
    world.write('b.log', b'and on\n')
    until(lambda: receiver.lines()[-1] == b'and on', 'the next file')
    assert agent.stop() == 0


def sum_of_lost(agent):
    return agent.metrics().get('logflume_lost_bytes_total', component='app')


@pytest.mark.parametrize('when', ['while the reader is behind', 'while a sink is down', 'while stopped'])
def test_unread_bytes_that_vanish_are_counted_as_lost(world, receiver, when):
    """Truncated without a copy, or deleted while nobody held it: what is delivered and what is counted as lost are
    together the file (semantics 6, principle 6)."""
    data, after = numbered(1, 100_000), b'after\n'
    sink = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'buffer': {'max_bytes': '200KB'},
            'batch': {'max_bytes': '50KB', 'linger': '20ms'}}
    world.config(sinks={'out': world.file_sink(), 'web': sink} if 'sink' in when else {'web': sink},
                 **({} if 'sink' in when else {'file_rate_limit': '200KB'}))
    receiver.status = 503 if 'sink' in when else 200
    world.write('a.log', data)
    agent = world.start()
    try:
        if 'sink' in when:
            world.expect_out(data)
        else:
            until(receiver.lines, 'the first lines')
        if when == 'while stopped':
            assert agent.stop() == 0
            os.unlink(world.log())
            agent = world.start()
        else:
            os.truncate(world.log(), 0)
        receiver.status = 200
        world.write('b.log', after)
        until(lambda: receiver.lines()[-1:] == [b'after'], 'the next line')
        came = len(b'\n'.join(receiver.lines())) + 1 - len(after)
        until(lambda: came + sum_of_lost(agent) == len(data),
              lambda: f'{came} bytes delivered, {sum_of_lost(agent)} counted as lost, of {len(data)}', 15)  # a copy may turn up for 5 s
    finally:
        agent.kill()


def test_within_the_budget_a_deleted_file_waits_for_a_sink_that_is_down(world, receiver):
    receiver.status = 503
    data = numbered(1, 100_000)
    down = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'buffer': {'max_bytes': '200KB'},
            'batch': {'max_bytes': '50KB', 'linger': '20ms'}}
    world.config(sinks={'out': world.file_sink(), 'down': down}, deleted_files={'max_bytes': '2MB', 'max_age': '10m'})
    world.write('a.log', data)
    agent = world.start()
    world.expect_out(data)
    os.unlink(world.log())
    time.sleep(6)  # longer than a deleted file is followed that has been read
    receiver.status = 200
    until(lambda: receiver.lines() == data.splitlines(), lambda: f'{len(receiver.lines())} lines', 40)
    assert agent.metrics().get('logflume_lost_bytes_total') == 0
    assert agent.stop() == 0


def test_close_inactive_closes_quiet_files_and_opens_them_again(world, mode):
    world.config(read_mode=mode, close_inactive='1s')
    world.write('a.log', b'one\n')
    agent = world.start()
    held = lambda: any(link.endswith('a.log') for link in agent.open_files())
    expected = b''
    for n in range(3):
        expected += b'line %d\n' % n
        world.append('a.log', b'line %d\n' % n)
        until(lambda: world.out().endswith(expected), 'the line arrives')
        until(lambda: not held(), 'a quiet file is closed')
        assert agent.metrics().get('logflume_source_files_open', component='app') == 0
    os.rename(world.log(), world.log('a.log.1'))  # renamed while closed: nothing is unread
    world.write('a.log', b'new\n')
    world.expect_out(b'one\n' + expected + b'new\n')
    assert agent.stop() == 0


def test_rotate_wait_is_how_long_a_renamed_file_is_followed(world):
    world.config(rotate_wait='2s')
    world.write('a.log', b'one\n')
    agent = world.start()
    world.expect_out(b'one\n')
    followed = lambda: any('a.log.1' in link for link in agent.open_files())
    os.rename(world.log(), world.log('a.log.1'))
    expected = b'one\n'
    for n in range(3):  # each late line prolongs it
        time.sleep(1)
        world.append('a.log.1', b'late %d\n' % n)
        expected += b'late %d\n' % n
        world.expect_out(expected)
    assert followed()
    quiet_since = time.monotonic()
    until(lambda: not followed(), 'it is let go')
    assert time.monotonic() - quiet_since > 1, 'not at once'
    world.append('a.log.1', b'too late\n')
    world.append('a.log', b'new\n')
    world.expect_out(expected + b'new\n')
    assert agent.stop() == 0


def test_a_last_line_without_newline_is_delivered_when_its_file_is_deleted(world):
    world.config()
    world.write('a.log', b'one\nlast words')
    world.start()
    world.expect_out(b'one\n')
    os.unlink(world.log())
    world.expect_out(b'one\nlast words\n')


def test_a_last_line_without_newline_is_delivered_when_its_file_is_rotated_away(world):
    world.config()
    world.write('a.log', b'one\nlast words')
    world.start()
    world.expect_out(b'one\n')
    os.rename(world.log(), world.log('a.log.1'))
    world.expect_out(b'one\nlast words\n')


def test_a_symlink_that_is_swapped(world, mode):
    os.makedirs(world.path('real'))
    for name, lines in (('1', numbered(1, 100)), ('2', numbered(101, 200))):
        with open(world.path('real', name), 'wb') as file:
            file.write(lines)
    os.symlink(world.path('real', '1'), world.log('current.log'))
    world.config(read_mode=mode)
    world.start()
    world.expect_lines(numbered(1, 100))
    os.symlink(world.path('real', '2'), world.log('new'))
    os.rename(world.log('new'), world.log('current.log'))
    world.expect_lines(numbered(1, 200))
    with open(world.path('real', '2'), 'ab') as file:
        file.write(numbered(201, 210))
    world.expect_lines(numbered(1, 210))


@pytest.mark.sanitizer
def test_one_file_under_several_names_is_read_once(world):
    world.write('a.log', numbered(1, 100))
    os.link(world.log(), world.log('hard.log'))
    os.symlink(world.log(), world.log('soft.log'))
    os.symlink(world.path('logs'), world.log('loop'))
    world.config(include=[world.log('**/*.log')])
    world.run_to_end()
    assert world.out() == numbered(1, 100)
    world.append('hard.log', numbered(101, 110))
    world.run_to_end()
    assert world.out() == numbered(1, 110)


@pytest.mark.sanitizer
def test_directories_that_come_later(world):
    include = [world.path('later/deep/**/*.log')]
    world.config(include=include)
    world.start()
    os.makedirs(world.path('later/deep/er/still'))
    expected = b''
    for n, folder in enumerate(['later/deep', 'later/deep/er', 'later/deep/er/still']):
        line = b'in %d\n' % n
        with open(world.path(folder, 'a.log'), 'wb') as file:
            file.write(line)
        expected += line
        world.expect_lines(expected)
    os.makedirs(world.path('elsewhere/x'))
    with open(world.path('elsewhere/x/b.log'), 'wb') as file:
        file.write(b'moved in\n')
    os.rename(world.path('elsewhere'), world.path('later/deep/moved'))
    world.expect_lines(expected + b'moved in\n')
    with open(world.path('later/deep/moved/x/b.log'), 'ab') as file:
        file.write(b'and grown\n')
    world.expect_lines(expected + b'moved in\nand grown\n')


@pytest.mark.sanitizer
def test_globs_and_exclusions(world):
    names = ['a.log', 'b.log', 'c.txt', 'd1.log', 'd2.log', 'sub/e.log', 'sub/deep/f.log', 'old/g.log', '.hidden.log']
    for name in names:
        world.write(name, name + '\n')
    cases = [
        (['*.log'], [], {'a.log', 'b.log', 'd1.log', 'd2.log'}),
        (['{a,c}.*'], [], {'a.log', 'c.txt'}),
        (['d?.log'], [], {'d1.log', 'd2.log'}),
        (['d[2-9].log', 'd[!2].log'], [], {'d1.log', 'd2.log'}),
        (['**/*.log'], ['old/**', 'd*'], {'a.log', 'b.log', 'sub/e.log', 'sub/deep/f.log'}),
        (['**/[ef].log'], [], {'sub/e.log', 'sub/deep/f.log'}),
    ]
    for n, (include, exclude, expected) in enumerate(cases):
        config = world.config(include=[world.log(glob) for glob in include], exclude=[world.log(glob) for glob in exclude],
                              top={'data_dir': world.path(f'data{n}')}, sinks={'out': world.file_sink(f'out{n}')})
        world.run_to_end(config)
        got = {line.decode() for line in world.out_lines(f'out{n}')} - {'.hidden.log'}
        assert got == expected, (include, exclude)


@pytest.mark.sanitizer
def test_only_regular_files_are_opened(world):
    os.mkfifo(world.log('pipe.log'))
    os.symlink('pipe.log', world.log('link.log'))
    os.symlink('/dev/zero', world.log('zero.log'))
    server = socket.socket(socket.AF_UNIX)
    directory = os.getcwd()
    os.chdir(world.path('logs'))  # the whole path is too long for a socket's name
    server.bind('socket.log')
    os.chdir(directory)
    os.makedirs(world.log('directory.log'))
    world.write('a.log', b'regular\n')
    world.config()
    agent = world.start()
    world.expect_out(b'regular\n')
    world.append('a.log', b'still\n')
    world.expect_out(b'regular\nstill\n')
    with pytest.raises(OSError):  # ENXIO: nobody has it open for reading
        os.close(os.open(world.log('pipe.log'), os.O_WRONLY | os.O_NONBLOCK))
    assert agent.stop() == 0


@pytest.mark.sanitizer
def test_long_lines_are_cut_at_the_limit_and_the_rest_flows(world, mode):
    limit = 64 * 1024
    sizes = [limit - 1, limit, limit + 1, 10 * limit, 40 * limit, 1]
    world.write('a.log', b''.join(b'x' * size + b'\n' for size in sizes))
    world.config(read_mode=mode, max_line_bytes='64KiB')
    agent = world.start()
    world.expect_out(b''.join(b'x' * min(size, limit) + b'\n' for size in sizes))
    until(lambda: agent.metrics().get('logflume_truncated_events_total', component='app') == 3, '3 truncated events')


@pytest.mark.sanitizer
def test_raw_bytes_pass_untouched(world, mode):
    data = b'nul \0 in\n\r\nwith cr\r\n\n\n\xff\xfe invalid \xc3\n' + bytes(b for b in range(256) if b != 10) + b'\n'
    world.write('a.log', data)
    world.config(read_mode=mode)
    world.run_to_end()
    assert world.out() == data


@pytest.mark.sanitizer
def test_json_events_hold_any_bytes(world, mode):
    lines = [b'plain', b'quote " and \\ and \t', b'\xff\xfe', 'café Größe \U0001f600'.encode(), b'\0\x01\x1f', b'', b'cut \xe2\x82']
    world.write('a.log', b'\n'.join(lines) + b'\n')
    world.config(sinks={'out': world.file_sink(encoding='json', labels={'team': 'sre'})}, read_mode=mode)
    world.run_to_end()
    events = [json.loads(line) for line in world.out_lines()]
    assert [event['message'] for event in events] == [line.decode(errors='replace') for line in lines]
    assert {event['file'] for event in events} == {world.log()}
    assert {event['team'] for event in events} == {'sre'}


def test_carriage_returns_are_stripped_by_option(world):
    world.write('a.log', b'one\r\ntwo\nth\rree\r\n\r\n')
    world.config(strip_cr=True)
    world.run_to_end()
    assert world.out() == b'one\ntwo\nth\rree\n\n'


@pytest.mark.sanitizer
def test_any_file_name(world):
    names = ['two words.log', 'new\nline.log', 'quote".log', "apostrophe'.log", 'tab\t.log', 'back\\slash.log',
             'größe.log', '$HOME.log', '{brace}.log', 'x' * 251 + '.log']
    for n, name in enumerate(names):
        world.write(name, b'%d\n' % n)
    with open(os.fsencode(world.path('logs')) + b'/\xff.log', 'wb') as file:
        file.write(b'not utf-8\n')
    world.config(sinks={'out': world.file_sink(encoding='json')})
    world.run_to_end()
    events = [json.loads(line) for line in world.out_lines()]
    expected = {str(n): world.log(name) for n, name in enumerate(names)} | {'not utf-8': world.log('\ufffd.log')}
    assert {event['message']: event['file'] for event in events} == expected


def test_start_at_end_skips_only_what_is_there_at_the_first_scan(world):
    world.write('a.log', numbered(1, 100))
    world.config(start_at='end')
    agent = world.start()
    until(lambda: agent.metrics().has('logflume_source_lag_bytes'), 'the first scan')
    world.write('b.log', b'new file\n')
    world.expect_lines(b'new file\n')
    world.append('a.log', b'appended\n')
    world.expect_lines(b'new file\nappended\n')
    assert agent.stop() == 0
    world.append('a.log', b'while stopped\n')
    world.start()
    world.expect_lines(b'new file\nappended\nwhile stopped\n')


def test_old_files_are_ignored(world):
    world.write('old.log', numbered(1, 10))
    os.utime(world.log('old.log'), (1_000_000_000, 1_000_000_000))
    world.write('new.log', b'new\n')
    world.config(ignore_older='1d')
    world.run_to_end()
    assert world.out() == b'new\n'


def test_an_old_file_with_a_checkpoint_is_read_on(world):
    world.config(ignore_older='1h', rate_limit='1KB')
    world.write('a.log', numbered(1, 2000))
    agent = world.start()
    until(lambda: world.out(), 'it is being read')
    assert agent.stop() == 0
    os.utime(world.log(), (0, 0))
    world.config(ignore_older='1h')
    world.start()
    world.expect_out(numbered(1, 2000))


def test_a_file_rotated_out_of_the_globs_while_stopped_is_found_again(world):
    world.config()
    world.write('a.log', numbered(1, 100))
    world.run_to_end()
    world.append('a.log', numbered(101, 110))
    os.rename(world.log(), world.log('a.log.1'))
    world.write('a.log', numbered(201, 210))
    world.start()
    world.expect_lines(numbered(1, 110) + numbered(201, 210))


@pytest.mark.sanitizer
def test_few_handles_serve_many_files(world, mode):
    files, limit = 200, 16
    for n in range(files):
        world.write(f'{n}.log', numbered(1, 20, f'file{n}'))
    world.config(read_mode=mode, top={'max_open_files': limit})
    agent = world.start()
    expected = b''.join(numbered(1, 20, f'file{n}') for n in range(files))
    world.expect_lines(expected)
    for n in range(files):
        world.append(f'{n}.log', numbered(21, 22, f'file{n}'))
    expected += b''.join(numbered(21, 22, f'file{n}') for n in range(files))
    world.expect_lines(expected)
    assert len([link for link in agent.open_files() if link.startswith(world.path('logs'))]) <= limit


# -- Compressed files -----------------------------------------------------------------------------------------

def compressed(kind, data):
    if kind == 'zst':
        return subprocess.run(['zstd', '-q', '-c'], input=data, stdout=subprocess.PIPE, check=True).stdout
    return {'gz': gzip.compress, 'bz2': bz2.compress}[kind](data)


@pytest.mark.sanitizer
@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
def test_a_compressed_file_is_read_once(world, kind):
    # Several members, and a line that is longer than a read.
    parts = [numbered(1, 5000), b'x' * 700_000 + b'\n' + numbered(5001, 40_000), b'without an end']
    world.write(f'old.log.1.{kind}', b''.join(compressed(kind, part) for part in parts))
    world.config(include=[world.log('*')])
    for _ in range(2):
        world.run_to_end()
        assert world.out() == b''.join(parts) + b'\n'


@pytest.mark.sanitizer
@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
def test_a_file_compressed_while_stopped_goes_on_where_it_was(world, kind):
    world.config(include=[world.log('*')])
    world.write('a.log', numbered(1, 2000))
    world.run_to_end()
    world.write(f'a.log.1.{kind}', compressed(kind, numbered(1, 3000)))
    os.unlink(world.log())
    world.run_to_end()
    assert world.out() == numbered(1, 3000)


def test_a_file_compressed_while_stopped_whose_inode_a_new_file_got(world):
    world.config(include=[world.log('*')])
    first = 0
    for n in range(5, 0, -1):
        # The archive first: some file systems give the inode that becomes free to the next file.
        world.write('a.log', numbered(first + 1, first + 100))
        world.run_to_end()
        world.write(f'a.log.{n}.gz', gzip.compress(numbered(first + 1, first + 150)))
        os.unlink(world.log())
        first += 150
    world.write('a.log', numbered(first + 1, first + 10))
    world.run_to_end()
    assert sorted(world.out_lines()) == numbered(1, first + 10).splitlines()


@pytest.mark.sanitizer
@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
def test_a_file_compressed_while_it_is_read_goes_on_in_the_archive(world, kind):
    world.config(include=[world.log('*')], file_rate_limit='200KB')
    world.write('a.log', numbered(1, 100_000))  # 1.3 MB
    world.start()
    until(lambda: world.out(), 'the first lines')
    os.rename(world.log(), world.log('a.log.1'))
    world.write('a.log', numbered(200_001, 200_010))
    world.write(f'a.log.1.{kind}', compressed(kind, numbered(1, 100_000)))
    os.unlink(world.log('a.log.1'))
    time.sleep(8)  # the archive waits for the deleted file, and then has nothing new
    world.expect_lines(numbered(1, 100_000) + numbered(200_001, 200_010), seconds=30)


def test_a_file_truncated_and_compressed_goes_on_in_the_archive(world):
    world.config(include=[world.log('*')], file_rate_limit='200KB')
    world.write('a.log', numbered(1, 100_000))
    world.start()
    until(lambda: world.out(), 'the first lines')
    world.write('copy.tmp.gz', b'')  # not in one piece, as compressors write
    data = compressed('gz', numbered(1, 100_000))
    os.truncate(world.log(), 0)
    world.append('copy.tmp.gz', data[:1000])
    world.append('copy.tmp.gz', data[1000:])
    os.rename(world.log('copy.tmp.gz'), world.log('a.log.1.gz'))
    world.append('a.log', numbered(200_001, 200_010))
    world.expect_lines(numbered(1, 100_000) + numbered(200_001, 200_010), seconds=40)


@pytest.mark.sanitizer
def test_an_archive_is_read_when_it_is_complete(world):
    data = gzip.compress(numbered(1, 20_000))
    world.config(include=[world.log('*')])
    agent = world.start()
    world.write('a.log.1.gz', data[:10])
    world.append('a.log.1.gz', data[10:5000])
    world.write('b.log', b'plain\n')
    world.expect_out(b'plain\n')
    world.append('a.log.1.gz', data[5000:-1])
    time.sleep(1)
    assert world.out() == b'plain\n'
    world.append('a.log.1.gz', data[-1:])
    world.expect_out(b'plain\n' + numbered(1, 20_000))
    world.append('a.log.1.gz', gzip.compress(numbered(20_001, 20_010)))
    world.expect_out(b'plain\n' + numbered(1, 20_010))
    until(lambda: not any('.gz' in link for link in agent.open_files()), 'the archive is closed')
    assert agent.metrics().get('logflume_source_lag_bytes') == 0


@pytest.mark.sanitizer
@pytest.mark.parametrize('kind', ['gz', 'zst', 'bz2'])
def test_a_damaged_archive_is_counted_and_the_others_are_read(world, kind):
    data = bytearray(compressed(kind, numbered(1, 20_000)))
    data[len(data) // 2] ^= 0xff
    world.write(f'a.log.2.{kind}', bytes(data))
    world.write(f'a.log.1.{kind}', compressed(kind, numbered(1, 1000)))
    world.write(f'plain.{kind}', b'plain, whatever its name\n')
    world.config(include=[world.log('*')])
    agent = world.start()
    expected = numbered(1, 1000) + b'plain, whatever its name\n'
    world.expect_lines(expected)
    until(lambda: agent.metrics().get('logflume_component_errors_total', reason='corrupt_archive') == 1, 'it is counted')
    assert f'a.log.2.{kind} is damaged' in agent.stderr()
    world.write(f'a.log.2.{kind}', compressed(kind, numbered(1, 20_000, 'repaired')))
    world.expect_lines(expected + numbered(1, 20_000, 'repaired'))


@pytest.mark.sanitizer
def test_two_sinks_read_an_archive_each_at_its_own_pace(world):
    data = b''.join(b'%d:' % n + b'x' * (n * 37 % 3001) + b'\n' for n in range(20_000))  # 30 MB
    world.write('a.log.gz', gzip.compress(data, 1))
    with contextlib.closing(HttpReceiver(world.path('posted'), status=503)) as receiver:
        slow = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'buffer': {'max_bytes': '1MiB'}}
        world.config(include=[world.log('*')], sinks={'out': world.file_sink(), 'slow': slow})
        world.start()
        world.expect_out(data)
        receiver.status = 200
        until(lambda: len(receiver.lines()) >= 20_000, 'the slow one has all')
        with open(receiver.path, 'rb') as file:
            assert sorted(file.read().splitlines()) == sorted(data.splitlines())


def test_start_at_end_skips_archives_of_the_first_scan(world):
    world.write('old.gz', gzip.compress(numbered(1, 100)))
    world.config(include=[world.log('*')], start_at='end')
    world.start()
    world.write('new.gz', gzip.compress(numbered(201, 300)))
    world.expect_lines(numbered(201, 300))
