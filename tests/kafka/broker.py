#!/usr/bin/env python3
"""A real Apache Kafka broker for the tests: one KRaft node on 127.0.0.1.

Its jars come once by Maven (pom.xml beside this file) into the user's cache. It has a listener for each way
to connect: plaintext, TLS, mutual TLS, SASL and SASL over TLS; ports are below 32768, where the system gives
none away by itself. Certificates are made by openssl when it starts for the first time.

By hand: broker.py DIRECTORY starts one, prints its addresses as JSON and ends it with the end of its input.
"""
import atexit
import contextlib
import fcntl
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

VERSION = os.environ.get('LOGFLUME_KAFKA_VERSION', '3.9.2')
HERE = pathlib.Path(__file__).resolve().parent
SLOW = float(os.environ.get('LOGFLUME_SLOW', '1'))

CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw'
USER, PASSWORD = 'alice', 'alice secret'
LISTENERS = {'PLAINTEXT': 'PLAINTEXT', 'CONTROLLER': 'PLAINTEXT', 'TLS': 'SSL', 'MTLS': 'SSL',
             'SASL': 'SASL_PLAINTEXT', 'SASLTLS': 'SASL_SSL'}
# Without TieredCompilation's second stage a short test starts sooner; a benchmark wants it.
JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']


class BrokerError(RuntimeError):
    pass


def cache_directory():
    root = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return pathlib.Path(root) / 'logflume' / f'kafka-{VERSION}'


def jars():
    """The folder with the broker's jars, downloaded when they are not there yet."""
    directory = cache_directory()
    lib = directory / 'lib'
    if lib.is_dir():
        return lib
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / 'lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several test runs may start at once
        if not lib.is_dir():
            incoming = directory / 'incoming'
            shutil.rmtree(incoming, ignore_errors=True)
            done = subprocess.run(['mvn', '-B', '-ntp', '-q', '-f', HERE / 'pom.xml', f'-Dkafka.version={VERSION}',
                                   'dependency:copy-dependencies', '-DincludeScope=runtime',
                                   f'-DoutputDirectory={incoming}'],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=900)
            if done.returncode != 0:
                raise BrokerError(f'mvn cannot get Kafka {VERSION}:\n{done.stdout[-3000:]}')
            incoming.rename(lib)  # whole or not at all
    return lib


def free_ports(count):
    """Ports below the ephemeral range: nobody's outgoing connection takes one between two starts."""
    ports, sockets = [], []
    candidates = random.sample(range(20000, 32000), 400)
    for port in candidates:
        s = socket.socket()
        try:
            s.bind(('127.0.0.1', port))
        except OSError:
            s.close()
            continue
        sockets.append(s)
        ports.append(port)
        if len(ports) == count:
            break
    for s in sockets:
        s.close()
    if len(ports) < count:
        raise BrokerError('no free ports between 20000 and 32000')
    return ports


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120 * SLOW, **more)
    if done.returncode != 0:
        raise BrokerError(f'{command[0]} exits with {done.returncode}:\n{done.stdout[-3000:]}')
    return done.stdout


class Certificates:
    """A CA, the broker's certificate and a client's, as PEM."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.ca = self.dir / 'ca.pem'
        self.client_cert, self.client_key = self.dir / 'client.pem', self.dir / 'client.key'
        self.broker_keystore = self.dir / 'broker-keystore.pem'
        self.other_ca = self.dir / 'other-ca.pem'  # signed nothing

    def make(self):
        self.dir.mkdir(parents=True, exist_ok=True)
        for name in ('ca', 'other-ca'):
            run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', f'/CN={name}',
                '-keyout', self.dir / f'{name}.key', '-out', self.dir / f'{name}.pem')
        self._sign('broker', 'subjectAltName=IP:127.0.0.1,DNS:localhost')
        self._sign('client', 'extendedKeyUsage=clientAuth')
        key, certificate = (self.dir / name for name in ('broker.key', 'broker.pem'))
        self.broker_keystore.write_text(key.read_text() + certificate.read_text() + self.ca.read_text())

    def _sign(self, name, extension):
        request, extensions = self.dir / f'{name}.csr', self.dir / f'{name}.ext'
        extensions.write_text(extension + '\n')
        run('openssl', 'req', '-newkey', 'rsa:2048', '-nodes', '-subj', f'/CN={name}', '-keyout',
            self.dir / f'{name}.key', '-out', request)
        run('openssl', 'x509', '-req', '-in', request, '-CA', self.ca, '-CAkey', self.dir / 'ca.key',
            '-CAcreateserial', '-days', '30', '-extfile', extensions, '-out', self.dir / f'{name}.pem')


class Broker:
    """One broker, its data and its process. start() again after stop() or kill() keeps ports and data."""

    def __init__(self, directory, settings=None, heap='512m', jvm=None):
        self.dir = pathlib.Path(directory).resolve()
        self.settings, self.heap, self.jvm = settings or {}, heap, JVM if jvm is None else jvm
        self.certificates = Certificates(self.dir / 'tls')
        self.ports, self.process, self.starts = {}, None, 0

    def address(self, listener='PLAINTEXT'):
        return f'127.0.0.1:{self.ports[listener]}'

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        if self.running():
            return self
        lib = jars()
        if self.ports:
            self._launch(lib)
            return self
        self.certificates.make()
        for attempt in range(5):
            self.ports = dict(zip(LISTENERS, free_ports(len(LISTENERS))))
            shutil.rmtree(self.dir / 'data', ignore_errors=True)
            self._write_settings()
            self._format(lib)
            try:
                self._launch(lib)
                return self
            except BrokerError as error:
                # Somebody took a port since: others.
                if attempt == 4 or not re.search('BindException|Address already in use', str(error)):
                    self.ports = {}
                    raise
        return self

    def _write_settings(self):
        listeners = ','.join(f'{name}://{self.address(name)}' for name in LISTENERS)
        advertised = ','.join(f'{name}://{self.address(name)}' for name in LISTENERS if name != 'CONTROLLER')
        settings = {
            'process.roles': 'broker,controller', 'node.id': 1,
            'controller.quorum.voters': f'1@{self.address("CONTROLLER")}',
            'listeners': listeners, 'advertised.listeners': advertised,
            'controller.listener.names': 'CONTROLLER', 'inter.broker.listener.name': 'PLAINTEXT',
            'listener.security.protocol.map': ','.join(f'{name}:{kind}' for name, kind in LISTENERS.items()),
            'log.dirs': self.dir / 'data', 'log.index.size.max.bytes': 1048576,
            'num.partitions': 1, 'default.replication.factor': 1, 'min.insync.replicas': 1,
            'offsets.topic.replication.factor': 1, 'offsets.topic.num.partitions': 1,
            'transaction.state.log.replication.factor': 1, 'transaction.state.log.min.isr': 1,
            'transaction.state.log.num.partitions': 1, 'group.initial.rebalance.delay.ms': 0,
            # Back soon after kill -9.
            'broker.session.timeout.ms': 4000, 'broker.heartbeat.interval.ms': 500,
            'controller.quorum.election.timeout.ms': 300, 'controller.quorum.election.backoff.max.ms': 300,
            'controller.quorum.fetch.timeout.ms': 1000,
            'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        }
        for name in ('TLS', 'MTLS', 'SASLTLS'):
            prefix = f'listener.name.{name.lower()}.ssl.'
            settings[prefix + 'keystore.type'] = settings[prefix + 'truststore.type'] = 'PEM'
            settings[prefix + 'keystore.location'] = self.certificates.broker_keystore
            settings[prefix + 'truststore.location'] = self.certificates.ca
            settings[prefix + 'client.auth'] = 'required' if name == 'MTLS' else 'none'
        for name in ('SASL', 'SASLTLS'):
            prefix = f'listener.name.{name.lower()}.'
            plain = 'org.apache.kafka.common.security.plain.PlainLoginModule'
            scram = 'org.apache.kafka.common.security.scram.ScramLoginModule'
            settings[prefix + 'plain.sasl.jaas.config'] = f'{plain} required user_{USER}="{PASSWORD}";'
            settings[prefix + 'scram-sha-256.sasl.jaas.config'] = f'{scram} required;'
            settings[prefix + 'scram-sha-512.sasl.jaas.config'] = f'{scram} required;'
        settings.update(self.settings)
        self.dir.mkdir(parents=True, exist_ok=True)
        text = ''.join(f'{key}={value}\n' for key, value in settings.items())
        (self.dir / 'server.properties').write_text(text)

    def _java(self, lib, *arguments):
        return ['java', *self.jvm, '-XX:+ExitOnOutOfMemoryError', '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
                '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info', '-cp', f'{lib}/*',
                *map(str, arguments)]

    def _format(self, lib):
        users = [word for bits in (256, 512)
                 for word in ('--add-scram', f'SCRAM-SHA-{bits}=[name={USER},password={PASSWORD}]')]
        run(*self._java(lib, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c',
                        self.dir / 'server.properties', *users))

    def _launch(self, lib):
        self.starts += 1
        log = self.dir / f'broker-{self.starts}.log'
        command = self._java(lib, 'kafka.Kafka', self.dir / 'server.properties')
        command[1:1] = [f'-Xmx{self.heap}', '-Xms64m']
        with open(log, 'wb') as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.dir)
        atexit.register(self.kill)
        end = time.monotonic() + 90 * SLOW
        while 'Kafka Server started' not in log.read_text(errors='replace'):
            ended = self.process.poll() is not None
            if ended or time.monotonic() > end:
                self.kill()
                what = f'exits with {self.process.returncode}' if ended else 'is not ready in time'
                raise BrokerError(f'the broker {what}:\n{log.read_text(errors="replace")[-3000:]}')
            time.sleep(0.05)

    def stop(self):
        """SIGTERM, as an operator does; bounded."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(30 * SLOW)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()

    def freeze(self):
        """It hangs: connections stay open, nothing answers."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        self.stop()
        return self.start()

    def create_topic(self, name, partitions=1, **config):
        options = [word for key, value in config.items() for word in ('--config', f'{key.replace("_", ".")}={value}')]
        run(*self._java(jars(), 'org.apache.kafka.tools.TopicCommand', '--bootstrap-server', self.address(), '--create',
                        '--topic', name, '--partitions', partitions, *options))

    def delete_topic(self, name):
        run(*self._java(jars(), 'org.apache.kafka.tools.TopicCommand', '--bootstrap-server', self.address(), '--delete',
                        '--topic', name))

    def read(self, topic, format='%s\n', *options):
        """All that is in the topic, in each partition's order, as kcat prints it."""
        done = subprocess.run(['kcat', '-C', '-b', self.address(), '-t', topic, '-o', 'beginning', '-e', '-q',
                               '-f', format.replace('\n', '\\n').replace('\t', '\\t'), *options],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120 * SLOW)
        if done.returncode != 0:
            raise BrokerError(f'kcat exits with {done.returncode}: {done.stderr.decode(errors="replace")[-2000:]}')
        return done.stdout

    def lines(self, topic):
        """The messages of the topic. For messages without newlines."""
        return self.read(topic).split(b'\n')[:-1]

    def message_count(self, topic, partitions=1):
        """How many the topic holds; 0 when it does not exist yet."""
        total = 0
        queries = [word for p in range(partitions) for word in ('-t', f'{topic}:{p}:-1')]
        done = subprocess.run(['kcat', '-Q', '-b', self.address(), *queries], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60 * SLOW)
        for line in done.stdout.splitlines():
            if m := re.search(r'offset (\d+)', line):
                total += int(m[1])
        return total


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith('-')):
        sys.exit(__doc__)
    with contextlib.ExitStack() as stack:
        directory = sys.argv[1] if len(sys.argv) == 2 else stack.enter_context(tempfile.TemporaryDirectory())
        broker = Broker(directory, jvm=['-XX:+UseSerialGC'])
        stack.callback(broker.kill)
        stack.callback(broker.stop)
        broker.start()
        print(json.dumps({name: broker.address(name) for name in LISTENERS if name != 'CONTROLLER'}), flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            sys.stdin.read()


if __name__ == '__main__':
    main()
