#!/usr/bin/env python3
"""Runs everything that has to hold before a change lands, stage by stage.

usage: tools/test.py [--only STAGE[,STAGE]] [--skip STAGE[,STAGE]] [--list] [--fuzz-seconds N]

Each stage's output goes to build/test-logs/STAGE.log; of a stage that failed the end is shown. A table of
the stages follows, and last 'N passed, N failed'; exits 1 when anything failed.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / 'build'
LOGS = BUILD / 'test-logs'
STAGES = {}


class Failed(Exception):
    """The stage failed; counted once unless `passed` and `failed` say more."""

    def __init__(self, message, passed=0, failed=1):
        super().__init__(message)
        self.passed, self.failed = passed, failed


def stage(description):
    def add(function):
        STAGES[function.__name__.replace('_', '-')] = (description, function)
        return function
    return add


class Stage:
    """What a stage runs with: its log and the commands' results."""

    def __init__(self, name, options):
        self.name, self.options = name, options
        self.log_path = LOGS / f'{name}.log'
        self.log = open(self.log_path, 'w', errors='replace')

    def call(self, *command, env=None, check=True, timeout=3000):
        self.log.write(f'$ {" ".join(map(str, command))}\n')
        self.log.flush()
        try:
            code = subprocess.run([str(word) for word in command], cwd=TOP, stdin=subprocess.DEVNULL,
                                  stdout=self.log, stderr=subprocess.STDOUT, timeout=timeout,
                                  env={**os.environ, **(env or {})}).returncode
        except subprocess.TimeoutExpired:
            raise Failed(f'{command[0]} took longer than {timeout} s') from None
        if check and code != 0:
            raise Failed(f'{command[0]} exited with {code}')
        return code

    def build(self, preset, *arguments):
        self.call('cmake', '--preset', preset, '-DLOGFLUME_TESTS=ON', *arguments)
        self.call('cmake', '--build', BUILD / preset)

    def unit_tests(self, preset):
        report = BUILD / preset / 'ctest.xml'
        report.unlink(missing_ok=True)
        self.call('ctest', '--test-dir', BUILD / preset, '-j', os.cpu_count(), '--output-on-failure',
                  '--output-junit', report, check=False)
        return counts(report)

    def integration_tests(self, preset, *arguments):
        report = BUILD / preset / 'pytest.xml'
        binary = BUILD / preset / 'logflume'
        if not binary.exists():
            raise Failed(f'{binary.relative_to(TOP)} is not there')
        env = {'LOGFLUME': str(binary), 'LOGFLUME_SLOW': '1' if preset == 'release' else '4',
               'PYTHONDONTWRITEBYTECODE': '1'}
        passed, failed = 0, []
        # What measures time runs by itself, the rest mostly waits and runs side by side.
        for marks, jobs in (('not alone', ['-n', str(2 * os.cpu_count())]), ('alone', [])):
            wanted = {'release': '', 'tsan': ' and sanitizer'}.get(preset, ' and (sanitizer or asan)')
            marks = f'({marks}){wanted}'
            report.unlink(missing_ok=True)
            code = self.call(python(), '-m', 'pytest', '-q', '-rfE', '-p', 'no:cacheprovider', '--junit-xml', report,
                             '-m', marks, *jobs, *arguments, TOP / 'tests', env=env, check=False)
            if code == 5:  # none chosen
                continue
            try:
                passed += counts(report)
            except Failed as error:
                passed += error.passed
                failed.append(error)
        if failed:
            raise Failed('; '.join(map(str, failed)), passed, sum(error.failed for error in failed))
        return passed


def python():
    """An interpreter that has pytest and xdist: the first one, or the distribution's."""
    for candidate in ('python3', '/usr/bin/python3'):
        if shutil.which(candidate) and subprocess.run([candidate, '-c', 'import pytest, xdist'],
                                                      stderr=subprocess.DEVNULL).returncode == 0:
            return candidate
    raise Failed('no python3 with pytest and pytest-xdist: run make deps')


def counts(report):
    """The tests that passed, by a JUnit report; Failed when one did not, or there is none."""
    if not report.exists():
        raise Failed('the tests left no report')
    total = bad = skipped = 0
    for suite in xml.etree.ElementTree.parse(report).getroot().iter('testsuite'):
        total += int(suite.get('tests', 0))
        bad += int(suite.get('failures', 0)) + int(suite.get('errors', 0))
        skipped += int(suite.get('skipped') or 0) + int(suite.get('disabled') or 0)
    passed = total - bad - skipped
    if bad or total == 0:
        raise Failed(f'{bad} of {total} tests failed', passed, max(bad, 1))
    return passed


@stage('sources are formatted')
def format(s):
    s.call('tools/format.sh', '--check')
    return 1


@stage('release build, GCC, warnings are errors')
def build(s):
    s.build('release', '-DLOGFLUME_BENCH=' + ('ON' if (TOP / 'bench' / 'CMakeLists.txt').exists() else 'OFF'))
    return 1


@stage('unit tests, and models of the concurrent algorithms')
def unit(s):
    return s.unit_tests('release')


@stage('integration tests of the release binary')
def integration(s):
    return s.integration_tests('release')


@stage('instructions a line of the hot paths, against those recorded')
def bench_check(s):
    code = s.call('bench/check', '--binary', BUILD / 'release' / 'logflume', check=False)
    text = s.log_path.read_text(errors='replace')
    slower = re.findall(r'^(\w+) .* SLOWER$', text, re.MULTILINE)
    passed = len(re.findall(r' instructions a line, .* (?:ok|faster: .*)$', text, re.MULTILINE))
    if code != 0:
        raise Failed(f'slower: {", ".join(slower)}' if slower else f'bench/check exited with {code}', passed, max(len(slower), 1))
    return passed


@stage('the torture suite, some seconds of each scenario')
def torture(s):
    code = s.call(python(), 'tools/torture.py', '--short', check=False, env={'LOGFLUME': str(BUILD / 'release' / 'logflume')})
    text = s.log_path.read_text(errors='replace')
    passed, failed = (len(re.findall(rf'^[a-z-]+ +\d+ s  {word}$', text, re.MULTILINE)) for word in ('ok', 'FAILED'))
    if code != 0:
        raise Failed(f'{failed} scenarios broke a promise', passed, max(failed, 1))
    return passed


@stage('clang build with AddressSanitizer, UBSan and the fuzzers; warnings are errors')
def clang(s):
    s.build('fuzz')
    return 1


@stage('each fuzzer for a short time')
def fuzz(s):
    code = s.call('fuzz/run.sh', s.options.fuzz_seconds, BUILD / 'fuzz', os.cpu_count(), check=False)
    text = s.log_path.read_text(errors='replace')
    passed, failed = (len(re.findall(rf'^{word} ', text, re.MULTILINE)) for word in ('ok', 'FAIL'))
    if code != 0:
        raise Failed(f'{failed} fuzzers found something', passed, max(failed, 1))
    return passed


@stage('AddressSanitizer and UBSan: unit tests of the clang build')
def asan(s):
    return s.unit_tests('fuzz')


@stage('AddressSanitizer and UBSan: integration tests')
def asan_integration(s):
    return s.integration_tests('fuzz')


@stage('ThreadSanitizer: build and unit tests')
def tsan(s):
    s.build('tsan')
    return s.unit_tests('tsan')


@stage('ThreadSanitizer: integration tests')
def tsan_integration(s):
    return s.integration_tests('tsan')


def tail(path, lines=40):
    text = path.read_text(errors='replace').splitlines()
    errors = [line for line in text if re.search(r'\berror:|FAILED|ERROR: |SUMMARY: ', line)][:20]
    return errors + ['...'] + text[-lines:] if len(text) > lines and errors else text[-lines:]


def culprits(path, most=12):
    """The lines that name what failed, short: the end of a run is all that some readers get to see."""
    text = path.read_text(errors='replace').splitlines()
    lines = []
    for n, line in enumerate(text):
        if re.search(r'^(FAILED|ERROR|FAIL) |  (?:FAILED|SLOWER)$|\*\*\*(Failed|Timeout|Exception)|\berror: |^SUMMARY: ', line):
            lines.append(line)
        elif n > 0 and text[n - 1].endswith('  FAILED'):  # of a scenario: why
            lines.append(line)
    return [re.sub(r'\.{4,}', ' ', line.strip())[:150] for line in lines[:most]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default='', help='run these stages')
    parser.add_argument('--skip', default='', help='leave these stages out')
    parser.add_argument('--list', action='store_true', help='list the stages')
    parser.add_argument('--fuzz-seconds', type=int, default=20, help='for each fuzzer')
    options = parser.parse_args()
    if options.list:
        for name, (description, _) in STAGES.items():
            print(f'{name:18} {description}')
        return 0
    only, skip = filter(None, options.only.split(',')), filter(None, options.skip.split(','))
    only, skip = set(only), set(skip)
    if unknown := (only | skip) - STAGES.keys():
        parser.error(f'no stage {", ".join(sorted(unknown))}; there are {", ".join(STAGES)}')
    LOGS.mkdir(parents=True, exist_ok=True)

    rows, passed_all, failed_all = [], 0, 0
    for name, (description, function) in STAGES.items():
        if name in skip or only and name not in only:
            continue
        print(f'== {description}', flush=True)
        begin = time.monotonic()
        s = Stage(name, options)
        passed = failed = 0
        message = ''
        try:
            passed = function(s)
        except Failed as error:
            passed, failed, message = error.passed, error.failed, str(error)
        s.log.close()
        seconds = time.monotonic() - begin
        if failed:
            print(f'   {message}; the whole of it is in {s.log_path.relative_to(TOP)}')
            print(''.join(f'   | {line}\n' for line in tail(s.log_path)), end='', flush=True)
        rows.append((name, seconds, passed, failed))
        passed_all += passed
        failed_all += failed

    print(f'\n{"stage":18} {"seconds":>8} {"passed":>7} {"failed":>7}')
    for name, seconds, passed, failed in rows:
        print(f'{name:18} {seconds:8.0f} {passed:7} {failed:7}')
    print(f'{"":18} {sum(row[1] for row in rows):8.0f}\n')
    for name, _, _, failed in rows:
        for line in culprits(LOGS / f'{name}.log') if failed else ():
            print(f'{name}: {line}')
    print(f'{passed_all} passed, {failed_all} failed')
    return 1 if failed_all else 0


if __name__ == '__main__':
    sys.exit(main())
