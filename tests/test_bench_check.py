"""bench/check: that a path which takes more instructions than recorded fails, and what callgrind's files say."""
import json
import re
import subprocess
import sys

import pytest

from harness import BINARY, TOP

sys.path.insert(0, str(TOP / 'bench'))
import budget  # noqa: E402
import callgrind  # noqa: E402

# main() calls work() and memcpy; work() calls SQLite; libc calls back what counts only once.
FILE = """\
# callgrind format
version: 1
positions: line
events: Ir D1mr
summary: 175 3

ob=(1) /bin/agent
fl=(1) /src/agent/src/sink/main.cc
fn=(1) main
10 20 1
cfn=(2) work(int)
calls=2 30
11 100 2
+1 5 0
cob=(2) /lib/libc.so.6
cfi=(2) string/memcpy.S
cfn=(3) memcpy@@GLIBC_2.14
calls=1 0
12 30 1
cob=(2)
cfi=(2)
cfn=(5) __pthread_once_slow
calls=1 0
12 999 0

fl=(3) /src/agent/src/event/work.cc
fn=(2)
30 40 1
fi=(4) /src/agent/src/base/inline.h
7 10 0
fe=(3)
cob=(3) /lib/libsqlite3.so.0
cfi=(5) ???
cfn=(4) sqlite3_step
calls=1 0
31 50 0

ob=(2)
fl=(2)
fn=(3)
0 30 1
"""


def check(recorded, tmp_path):
    file = tmp_path / 'recorded.json'
    file.write_text(json.dumps({'recorded_with': 'a compiler', 'instructions_a_line': {'file_to_blackhole': recorded}}))
    done = subprocess.run([TOP / 'bench' / 'check', 'file_to_blackhole', '--binary', BINARY, '--recorded', file],
                          capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_a_path_that_takes_more_than_recorded_fails(tmp_path):
    code, text = check(1_000_000, tmp_path)
    assert code == 0 and 'faster: record it' in text, text
    now = float(re.search(r'file_to_blackhole +([\d.]+) instructions a line', text)[1])
    assert 1 < now < 10_000
    code, text = check(now, tmp_path)
    assert code == 0 and '1 passed, 0 failed' in text and text.count('ok') == 1, text
    code, text = check(0.9 * now, tmp_path)
    assert code == 1 and 'file_to_blackhole' in text and 'SLOWER' in text and '0 passed, 1 failed' in text, text


def test_a_path_that_is_not_recorded_fails(tmp_path):
    (tmp_path / 'empty.json').write_text('{"recorded_with": "", "instructions_a_line": {}}')
    done = subprocess.run([TOP / 'bench' / 'check', 'multiline', '--binary', BINARY, '--recorded', tmp_path / 'empty.json'],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and 'not recorded: multiline' in done.stdout


def test_counts_are_the_binary_and_what_it_calls():
    profile = callgrind.parse(FILE.splitlines(True), '/bin/agent')
    assert profile.costs == {'main': {'Ir': 25, 'D1mr': 1}, 'work(int)': {'Ir': 50, 'D1mr': 1}, 'memcpy': {'Ir': 30, 'D1mr': 1}}
    assert profile.foreign == {'sqlite3': {'Ir': 50, 'D1mr': 0}}
    assert profile.total() == 105
    assert [budget.stage(profile, name) for name in ('main', 'work(int)', 'memcpy')] == ['sink', 'event', 'sink']


def test_the_difference_of_two_runs_leaves_the_start_out():
    profile = callgrind.parse(FILE.splitlines(True), '/bin/agent')
    longer = callgrind.parse(FILE.replace('30 40 1', '30 140 1').splitlines(True), '/bin/agent')
    more = longer.minus(profile)
    assert more.total() == 100 and more.costs['work(int)']['Ir'] == 100 and more.costs['main']['Ir'] == 0


@pytest.mark.parametrize('name, same', [
    ('logflume::(anonymous namespace)::escape_avx2<(logflume::High)0>(char const*, unsigned long)', 'logflume::escape'),
    ('void logflume::append<std::vector<char, std::allocator<char> > >(int)', 'logflume::append'),
    ('__memmove_avx512_unaligned_erms', '__memcpy'),
    ('operator new(unsigned long)', 'operator new'),
])
def test_both_tools_name_a_function_alike(name, same):
    assert budget.bare(name) == same


@pytest.mark.parametrize('chain, where', [
    (['copy_to_iter', 'ext4_file_read_iter', '__x64_sys_pread64', 'do_syscall_64', 'entry', 'pread', 'work'], 'kernel: pread64'),
    (['tcp_sendmsg', '__sys_sendmsg', 'x64_sys_call', 'do_syscall_64', 'entry', 'sendmsg'], 'kernel: sendmsg'),
    (['clear_page', 'handle_mm_fault', 'exc_page_fault', 'asm_exc_page_fault', 'memset', 'work'], 'kernel: page faults in event'),
    (['run_softirq', 'asm_sysvec_apic_timer_interrupt', 'work'], 'kernel: interrupts and switches'),
    (['strlen', 'work', 'main'], 'event'),
    (['strlen', 'unknown'], 'other'),
])
def test_a_sample_belongs_to_a_stage(chain, where):
    sample = budget.Sample('app', [(function, '1', '/bin/agent') for function in chain])
    assert budget.stage_of(sample, {'work': 'event', 'main': 'sink'}) == where
