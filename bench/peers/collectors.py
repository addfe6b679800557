"""The collectors that bench/peers/run compares, each with the configuration that its documentation would call right
for the workload, and why. All keep checkpoints, all read the same file from its beginning; none parses or joins lines
but for a task.

Each class writes its configuration into a directory and says how the process is started, and how many lines it has
taken in all, by its own counters.
"""
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import urllib.request

import measure

CACHE = pathlib.Path(os.environ.get('LOGFLUME_PEERS', pathlib.Path.home() / '.cache' / 'logflume' / 'peers'))
ALL = []
EVENT_START = '^[0-9]{4}-'  # the line that an event of Java begins with, alike for all


def collector(cls):
    ALL.append(cls)
    return cls


def http_get(port, path):
    """The page, or nothing while nobody answers."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=5) as answer:
        return answer.read().decode()
    return ''


def prometheus(page, name, **labels):
    wanted = [f'{key}="{value}"' for key, value in labels.items()]
    return sum(float(line.rsplit(' ', 1)[1]) for line in page.splitlines()
               if re.match(name + r'[{ ]', line) and all(label in line for label in wanted))


class Collector:
    """`include` is one file, or a glob of many; without `tcp`, a port, lines are discarded. `task`, of lines over tcp:

    json       lines are objects of JSON; those whose `level` is ERROR go on, as JSON made from their members
    nginx      lines of nginx's combined format; those with a status of 500 or more go on, as JSON made from the fields
    multiline  a log of Java; each event, stack trace and all, goes on as one line of JSON
    """

    name = ''
    program = ''
    tuning = ''  # what it was configured to do, for the page
    raw = True  # it sends lines as they were, so that bytes can be compared and stamps be read
    can_tcp = True
    tasks = 'json', 'nginx', 'multiline'

    def __init__(self, directory, include, tcp=None, task=None):
        self.directory, self.include, self.tcp, self.task = directory, str(include), tcp, task
        self.environment, self.port = {}, measure.free_port()
        self.arguments = self.configure()

    @classmethod
    def find(cls):
        return shutil.which(cls.program) or next((str(path) for path in (CACHE / cls.program, ) if path.is_file()), None)

    @classmethod
    def version(cls):
        text = subprocess.run([cls.find(), '--version'], capture_output=True, text=True, env=cls.version_environment()).stdout
        found = re.search(r'\d+\.\d+[\w.]*', text)
        return found[0] if found else 'unknown'

    @classmethod
    def version_environment(cls):
        return dict(os.environ)

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def start(self):
        with open(self.directory / 'log', 'w') as log:
            self.process = measure.Process(self.arguments, log, self.environment)
        return self.process

    def taken(self):
        """Lines that went through, by its own counters."""
        raise NotImplementedError


@collector
class Logflume(Collector):
    name = 'logflume'
    tuning = ('defaults; `encoding: raw`; the API on, for the counters; tasks: `parse_json`, `parse_nginx`, `multiline` with a '
              '`start_pattern`; `filter`, `encoding: json`')
    parsers = {'json': ('parse_json', 'level == "ERROR"'), 'nginx': ('parse_nginx, format: combined', 'status >= 500')}

    @classmethod
    def find(cls):
        return str(measure.AGENT)

    @classmethod
    def version(cls):
        return subprocess.run([cls.find(), '--version'], capture_output=True, text=True).stdout.split()[-1]

    def configure(self):
        encoding = 'json' if self.task else 'raw'
        sink = f'type: tcp, address: "127.0.0.1:{self.tcp}", encoding: {encoding}' if self.tcp else 'type: blackhole'
        transforms, last = '', 'app'
        if self.task in self.parsers:
            parser, condition = self.parsers[self.task]
            transforms, last = f"""\
transforms:
  parsed: {{type: {parser}, inputs: [app]}}
  bad: {{type: filter, inputs: [parsed], condition: '{condition}'}}
""", 'bad'
        multiline = f", multiline: {{start_pattern: '{EVENT_START}'}}" if self.task == 'multiline' else ''
        return [self.find(), 'run', '--config', self.write('logflume.yaml', f'''\
data_dir: {self.directory}/data
log: {{level: warn}}
api: {{enabled: true, listen: "127.0.0.1:{self.port}"}}
sources:
  app: {{type: file, include: ["{self.include}"]{multiline}}}
{transforms}sinks:
  out: {{inputs: [{last}], {sink}}}
''')]

    def taken(self):
        return prometheus(http_get(self.port, '/metrics'), 'logflume_component_sent_events_total', component='out')


@collector
class Rsyslog(Collector):
    name = program = 'rsyslog'
    tuning = ('imfile with inotify, state written each 10,000 lines, `maxSubmitAtOnce` 4096, `addMetadata` off (three times as fast '
              'as with it); one queue, FixedArray of 500,000 and batches of 4096: the main one, or omfwd\'s with the main one '
              'direct; a template of the bare line; discarded by `stop`; tasks: mmjsonparse without a cookie, mmnormalize with the rule for access '
              'logs, and the object as it prints it; `startmsg.regex` with `readTimeout` 1 s, a template of JSON')
    access_log = """\
version=2
rule=:%remote_addr:word% %ident:word% %remote_user:word% [%time_local:char-to:]%] "%method:word% %path:word% HTTP/%http_version:char-to:"%" \
%status:number% %body_bytes_sent:number% "%http_referer:char-to:"%" "%http_user_agent:char-to:"%"
"""

    @classmethod
    def find(cls):
        return shutil.which('rsyslogd') or next((str(path) for path in [CACHE / 'rsyslog/usr/sbin/rsyslogd'] if path.exists()), None)

    @classmethod
    def version_environment(cls):
        return {**os.environ, 'LD_LIBRARY_PATH': str(CACHE / 'rsyslog/usr/lib/x86_64-linux-gnu')}

    @classmethod
    def version(cls):
        text = subprocess.run([cls.find(), '-v'], capture_output=True, text=True, env=cls.version_environment()).stdout
        return re.search(r'rsyslogd +(\S+)', text)[1]

    def configure(self):
        root = CACHE / 'rsyslog'
        options = []
        if pathlib.Path(self.find()).is_relative_to(root):
            self.environment = {'LD_LIBRARY_PATH': f'{root}/usr/lib/x86_64-linux-gnu'}
            options = ['-M', f'{root}/usr/lib/x86_64-linux-gnu/rsyslog']
        # Flow control is imfile's own: it waits when the main queue is full, and nothing is discarded.
        queue = ('queue.type="FixedArray" queue.size="500000" queue.dequeueBatchSize="4096" queue.workerThreads="1" '
                 'queue.discardMark="500000" queue.lightDelayMark="500000" queue.fullDelayMark="490000" queue.timeoutEnqueue="600000"')
        action = 'stop'
        if self.tcp:
            action = (f'action(type="omfwd" target="127.0.0.1" port="{self.tcp}" protocol="tcp" template="line" '
                      f'tcp_framing="traditional" action.resumeRetryCount="-1" action.resumeInterval="1" {queue})')
        modules, reading, text = '', '', 'string" string="%msg%\\n")'
        if self.task == 'json':
            modules, text = 'module(load="mmjsonparse")', 'string" string="%$!j%\\n")'
            action = f'action(type="mmjsonparse" cookie="" useRawMsg="on" container="$!j") if $!j!level == "ERROR" then {{ {action} }}'
        elif self.task == 'nginx':
            modules, text = 'module(load="mmnormalize")', 'string" string="%$!j%\\n")'
            rules = self.write('access-log.rulebase', self.access_log)
            action = f'action(type="mmnormalize" rulebase="{rules}" useRawMsg="on" path="$!j") if $!j!status >= 500 then {{ {action} }}'
        elif self.task == 'multiline':
            reading = f'startmsg.regex="{EVENT_START}" readTimeout="1" escapeLF="off"'
            text = 'list") { constant(value="{") property(name="msg" outname="message" format="jsonf") constant(value="}\\n") }'
        return [self.find(), '-n', '-f', self.write('rsyslog.conf', f'''\
global(workDirectory="{self.directory}" maxMessageSize="64k" processInternalMessages="on")
module(load="imfile" mode="inotify")
module(load="impstats" interval="1" format="json" log.file="{self.directory}/stats" log.syslog="off" resetCounters="off")
main_queue({'queue.type="Direct"' if self.tcp else queue})
template(name="line" type="{text}
{modules}
ruleset(name="out") {{ {action} }}
# Never reached: it will not start without any action.
action(type="omfile" file="/dev/null")
input(type="imfile" file="{self.include}" tag="app" ruleset="out" persistStateInterval="10000" maxSubmitAtOnce="4096" addMetadata="off"
  {reading})
'''), '-i', self.directory / 'pid', *options]

    def taken(self):
        # Of the main queue or, with its own queue, of the action.
        path = self.directory / 'stats'
        lines = path.read_text(errors='replace').splitlines() if path.exists() else []
        taken = 0
        for line in lines:
            with contextlib.suppress(ValueError):
                entry = json.loads(line[line.index('{'):])
                if entry.get('name') == 'main Q':
                    taken = entry['enqueued'] - entry['size']
        return taken


@collector
class SyslogNg(Collector):
    name = program = 'syslog-ng'
    tuning = ('one thread a destination; `no-parse`, flow control, `log-fetch-limit` 1000 and `log-iw-size` 100,000; `follow-freq` '
              '0.1 s, since it polls files (wildcard-file with inotify for many); a template of the bare line; tasks: json-parser, '
              'csv-parser with the options of its apache-accesslog-parser, `multi-line-mode(regexp)` with a prefix; a filter, `$(format-json)`')
    access_log = ('csv-parser(prefix("j.") dialect(escape-double-char) flags(strip-whitespace) delimiters(" ") quote-pairs(\'""[]\') '
                  'columns("clientip", "ident", "auth", "timestamp", "rawrequest", "response", "bytes", "referrer", "agent"));')

    @classmethod
    def find(cls):
        return shutil.which('syslog-ng') or next((str(path) for path in [CACHE / 'syslog-ng/usr/sbin/syslog-ng'] if path.exists()), None)

    @classmethod
    def version_environment(cls):
        root = CACHE / 'syslog-ng'
        folders = 'usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu', 'usr/lib/syslog-ng'
        return {**os.environ, 'LD_LIBRARY_PATH': ':'.join(f'{root}/{folder}' for folder in folders)}

    @classmethod
    def version(cls):
        text = subprocess.run([cls.find(), '--version'], capture_output=True, text=True, env=cls.version_environment()).stdout
        return re.search(r'\((\d[\w.]*)\)', text)[1]

    def configure(self):
        root = CACHE / 'syslog-ng'
        options, self.ctl = [], shutil.which('syslog-ng-ctl')
        if pathlib.Path(self.find()).is_relative_to(root):
            self.environment = {key: value for key, value in self.version_environment().items() if key == 'LD_LIBRARY_PATH'}
            options = ['--module-path', f'{root}/usr/lib/syslog-ng/3.38']
            self.ctl = str(root / 'usr/sbin/syslog-ng-ctl')
        multiline = f"multi-line-mode(regexp) multi-line-prefix('{EVENT_START}')" if self.task == 'multiline' else ''
        source = f'file("{self.include}" follow-freq(0.1) flags(no-parse) log-iw-size(100000) log-fetch-limit(1000) {multiline})'
        if '*' in self.include:
            directory, pattern = os.path.split(self.include)
            source = (f'wildcard-file(base-dir("{directory}") filename-pattern("{pattern}") max-files(20000) monitor-method("auto") '
                      'log-iw-size(2000000) flags(no-parse))')
        destination = 'file("/dev/null" template("${MSG}\\n"))'
        if self.tcp:
            template = {None: '${MSG}', 'multiline': '$(format-json message=${MSG})'}.get(self.task, '$(format-json --subkeys j.)')
            destination = (f'network("127.0.0.1" port({self.tcp}) transport("tcp") template("{template}\\n") log-fifo-size(200000) '
                           'so-sndbuf(1048576) flush-lines(1000))')
        steps = {'json': 'parser { json-parser(prefix("j.")); }; filter { "${j.level}" eq "ERROR" };',
                 'nginx': f'parser {{ {self.access_log} }}; filter {{ "${{j.response}}" >= "500" }};'}.get(self.task, '')
        return [self.find(), '-F', '--no-caps', '-f', self.write('syslog-ng.conf', f'''\
@version: 3.38
options {{ threaded(yes); log-msg-size(65536); use-dns(no); keep-hostname(yes); stats-freq(0); stats-level(0); time-reopen(1); }};
source s {{ {source}; }};
destination d {{ {destination}; }};
log {{ source(s); {steps} destination(d); flags(flow-control); }};
'''), '--persist-file', self.directory / 'persist', '--pidfile', self.directory / 'pid', '--control', self.directory / 'ctl', *options]

    def taken(self):
        text = subprocess.run([self.ctl, 'stats', '--control', str(self.directory / 'ctl')], capture_output=True, text=True,
                              env={**os.environ, **self.environment}).stdout
        # Without statistics of each file, the destination's are the sum.
        return sum(int(line.rsplit(';', 1)[1]) for line in text.splitlines() if re.match(r'destination;d;.*;processed;', line))


@collector
class OpenTelemetryCollector(Collector):
    name, program = 'OpenTelemetry Collector', 'otelcol'
    tuning = ('filelog with `file_storage` for checkpoints (`fsync` off, its default), `poll_interval` 200 ms (its default), '
              '1 s for many files, the batch processor (8192, 200 ms) before the exporter; nop or syslog exporter (RFC 5424: some 60 bytes a line more, '
              'so its bytes are not compared and stamps not read); tasks: json_parser, regex_parser with the time, a filter, '
              '`multiline` with `line_start_pattern`; `toJSON` into the message')
    raw = False
    access_log = (r'^(?P<remote_addr>\S+) - (?P<remote_user>\S+) \[(?P<time_local>[^\]]+)\] "(?P<method>\S+) (?P<path>\S+) (?P<protocol>[^"]+)" '
                  r'(?P<status>\d+) (?P<body_bytes_sent>\d+) "(?P<http_referer>[^"]*)" "(?P<http_user_agent>[^"]*)"$')

    @classmethod
    def find(cls):
        return shutil.which('otelcol-contrib') or shutil.which('otelcol') or next(
            (str(path) for path in [CACHE / 'otelcol'] if path.is_file()), None)

    def configure(self):
        (self.directory / 'storage').mkdir()
        exporter = 'nop: {}'
        if self.tcp:
            # The body of a line is the message; what does not fit its protocol has defaults.
            exporter = (f'syslog: {{endpoint: 127.0.0.1, port: {self.tcp}, network: tcp, tls: {{insecure: true}}, protocol: rfc5424, '
                        'sending_queue: {enabled: true, queue_size: 100, num_consumers: 1, block_on_overflow: true}, retry_on_failure: {max_elapsed_time: 0s}}')
        name = exporter.split(':')[0]
        # The exporter sends the attribute `message`. toJSON is indented.
        message = """- {type: add, field: attributes.message, value: 'EXPR(replace(toJSON(attributes), "\\n", ""))'}"""
        steps = {
            'json': f"""
    - {{type: json_parser}}
    - {{type: filter, expr: 'attributes.level != "ERROR"'}}
    {message}""",
            'nginx': f"""
    - {{type: regex_parser, regex: '{self.access_log}', timestamp: {{parse_from: attributes.time_local, layout: '%d/%b/%Y:%H:%M:%S %z'}}}}
    - {{type: filter, expr: 'int(attributes.status) < 500'}}
    {message}""",
            'multiline': """
    - {type: add, field: attributes.message, value: 'EXPR(toJSON(body))'}""",
            None: """
    - {type: move, from: body, to: attributes.message}""" if self.tcp else ' []'}[self.task]
        multiline = f"multiline: {{line_start_pattern: '{EVENT_START}'}}" if self.task == 'multiline' else ''
        return [self.find(), '--config', self.write('otelcol.yaml', f'''\
extensions:
  file_storage: {{directory: {self.directory}/storage}}
receivers:
  filelog:
    include: ["{self.include}"]
    start_at: beginning
    poll_interval: {"1s" if "*" in self.include else "200ms"}
    storage: file_storage
    include_file_name: false
    max_log_size: 1MiB
    retry_on_failure: {{enabled: true}}
    {multiline}
    operators:{steps}
processors:
  batch: {{send_batch_size: 8192, timeout: 200ms}}
exporters:
  {exporter}
service:
  extensions: [file_storage]
  pipelines:
    logs: {{receivers: [filelog], processors: [batch], exporters: [{name}]}}
  telemetry:
    logs: {{level: error}}
    metrics:
      level: normal
      readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {self.port}}}}}}}}}]
''')]

    def taken(self):
        return prometheus(http_get(self.port, '/metrics'), 'otelcol_processor_batch_batch_send_size_sum')


@collector
class FluentBit(Collector):
    name, program = 'Fluent Bit', 'fluent-bit'
    tuning = ('tail with inotify, its database for offsets (`db.sync normal`), chunks of 1 MiB and 256 MiB of memory before it pauses, a '
              'thread of its own; flush each 0.2 s; the raw line to TCP (`raw_message_key`); tasks: its parsers `json` and `nginx`, '
              'a multi-line parser of a start and what continues it, a grep filter, `json_lines`')
    parsers = r"""
[PARSER]
    Name        json
    Format      json
[PARSER]
    Name        nginx
    Format      regex
    Regex       ^(?<remote>[^ ]*) (?<host>[^ ]*) (?<user>[^ ]*) \[(?<time>[^\]]*)\] "(?<method>\S+)(?: +(?<path>[^\"]*?)(?: +\S*)?)?" (?<code>[^ ]*) (?<size>[^ ]*)(?: "(?<referer>[^\"]*)" "(?<agent>[^\"]*)")
    Time_Key    time
    Time_Format %d/%b/%Y:%H:%M:%S %z
[MULTILINE_PARSER]
    name          multiline
    type          regex
    flush_timeout 1000
    rule          "start_state" "/^[0-9]{4}-/" "cont"
    rule          "cont" "/^(?![0-9]{4}-)/" "cont"
"""

    def configure(self):
        output = '{name: "null", match: "*"}'
        if self.tcp:
            text = 'format: json_lines' if self.task else 'raw_message_key: log'
            output = f'{{name: tcp, match: "*", host: 127.0.0.1, port: {self.tcp}, {text}, retry_limit: no_limits, workers: 1}}'
        parser = {None: '', 'multiline': ', multiline.parser: multiline'}.get(self.task, f', parser: {self.task}')
        kept = {'json': 'level ^ERROR$', 'nginx': 'code ^5'}.get(self.task)
        filters = f'filters: [{{name: grep, match: "*", regex: "{kept}"}}]' if kept else ''
        self.write('parsers.conf', self.parsers)
        return [self.find(), '-c', self.write('fluent-bit.yaml', f'''\
service: {{flush: 0.2, grace: 1, log_level: warn, http_server: on, http_listen: 127.0.0.1, http_port: {self.port},
          parsers_file: {self.directory}/parsers.conf}}
pipeline:
  inputs:
    - {{name: tail, path: "{self.include}", read_from_head: on, db: {self.directory}/tail.db, db.sync: normal, threaded: on,
       buffer_chunk_size: 1M, buffer_max_size: 4M, mem_buf_limit: 256M, refresh_interval: 10, skip_long_lines: on{parser}}}
  {filters}
  outputs:
    - {output}
''')]

    def taken(self):
        page = http_get(self.port, '/api/v1/metrics')
        return sum(output['proc_records'] for output in json.loads(page)['output'].values()) if page else 0


@collector
class Vector(Collector):
    name, program = 'Vector', 'vector'
    tuning = ('file source with checkpoints and `max_read_bytes` 1 MiB, `glob_minimum_cooldown_ms` 1000; a memory buffer of 5,000 events '
              'that blocks; the text to a TCP socket; tasks: `parse_json`, `parse_nginx_log`, `multiline` with `halt_before`; a filter, JSON')
    parsers = {'json': ('parse_json!(.message)', '.level == "ERROR"'),
               'nginx': ('parse_nginx_log!(.message, "combined")', 'int!(.status) >= 500')}

    def configure(self):
        (self.directory / 'data').mkdir()
        sink = 'type: blackhole, print_interval_secs: 0'
        if self.tcp:
            codec = 'json' if self.task else 'text'
            sink = (f'type: socket, mode: tcp, address: "127.0.0.1:{self.tcp}", encoding: {{codec: {codec}}}, '
                    'buffer: {type: memory, max_events: 5000, when_full: block}')
        transforms, last, multiline = '', 'app', ''
        if self.task in self.parsers:
            parser, condition = self.parsers[self.task]
            transforms, last = f"""\
transforms:
  parsed: {{type: remap, inputs: [app], source: '. = {parser}'}}
  bad: {{type: filter, inputs: [parsed], condition: '{condition}'}}
""", 'bad'
        elif self.task == 'multiline':
            multiline = (f", multiline: {{start_pattern: '{EVENT_START}', condition_pattern: '{EVENT_START}', mode: halt_before, "
                         'timeout_ms: 1000}')
        return [self.find(), '--quiet', '--config', self.write('vector.yaml', f'''\
data_dir: {self.directory}/data
sources:
  app: {{type: file, include: ["{self.include}"], read_from: beginning, max_read_bytes: 1048576, max_line_bytes: 1048576,
        glob_minimum_cooldown_ms: 1000{multiline}}}
  own: {{type: internal_metrics, scrape_interval_secs: 1}}
{transforms}sinks:
  out: {{inputs: [{last}], {sink}}}
  counters: {{type: prometheus_exporter, inputs: [own], address: "127.0.0.1:{self.port}"}}
''')]

    def taken(self):
        return prometheus(http_get(self.port, '/metrics'), 'vector_component_sent_events_total', component_id='out')


@collector
class Filebeat(Collector):
    name, program = 'Filebeat', 'filebeat'
    tuning = ('filestream with its registry, fingerprints off; memory queue of 51,200 events, batches of 4096 (its preset for '
              'throughput); output `discard` or, since it has none to a bare TCP socket, `console` with the socket as its standard '
              'output; the bare line by `codec.format`; tasks: decode_json_fields, dissect, the `multiline` parser; drop_event, JSON')
    parsers = {
        'json': """
  - decode_json_fields: {fields: [message], target: "", overwrite_keys: true}
  - drop_event: {when: {not: {equals: {level: ERROR}}}}""",
        'nginx': """
  - dissect:
      target_prefix: ""
      tokenizer: '%{remote_addr} - %{remote_user} [%{time_local}] "%{method} %{path} %{protocol}" %{status|integer} %{body_bytes_sent|integer} "%{http_referer}" "%{http_user_agent}"'
  - drop_event: {when: {range: {status.lt: 500}}}"""}

    def configure(self):
        output = 'output.discard: {enabled: true}'
        if self.tcp:
            codec = 'codec.json: {pretty: false}' if self.task else "codec.format: {string: '%{[message]}'}"
            output = f'output.console: {{{codec}, bulk_max_size: 4096}}'
        multiline = (f", parsers: [{{multiline: {{type: pattern, pattern: '{EVENT_START}', negate: true, match: after, timeout: 1s}}}}]"
                     if self.task == 'multiline' else '')
        config = self.write('filebeat.yml', f'''\
filebeat.inputs:
  - {{type: filestream, id: app, paths: ["{self.include}"], file_identity.native: ~, prospector.scanner.fingerprint.enabled: false,
     prospector.scanner.check_interval: 1s{multiline}}}
processors:{self.parsers.get(self.task, " []")}
queue.mem: {{events: 51200, flush.min_events: 4096, flush.timeout: 0.1s}}
{output}
path.data: {self.directory}/data
path.logs: {self.directory}/logs
logging.level: error
http: {{enabled: true, host: 127.0.0.1, port: {self.port}}}
''')
        config.chmod(0o600)
        return [self.find(), '-c', config, '--strict.perms=false']

    def start(self):
        if not self.tcp:
            return super().start()
        with open(self.directory / 'log', 'w') as log, socket.create_connection(('127.0.0.1', self.tcp)) as connection:
            self.process = measure.Process(self.arguments, connection, self.environment, errors=log)
        return self.process

    @classmethod
    def version(cls):
        return re.search(r'version (\S+)', subprocess.run([cls.find(), 'version'], capture_output=True, text=True).stdout)[1]

    def taken(self):
        page = http_get(self.port, '/stats')
        return json.loads(page)['libbeat']['output']['events']['acked'] if page else 0


@collector
class LoongCollector(Collector):
    name, program = 'LoongCollector', 'loongcollector'
    tuning = ('input_file from the beginning, its limits of CPU, memory and bytes a second lifted (`cpu_usage_limit`, '
              '`mem_usage_limit`, `max_bytes_per_sec`), flusher_file to /dev/null. It has no output to a bare TCP socket')
    can_tcp, tasks = False, ()

    def configure(self):
        config = self.directory / 'conf' / 'continuous_pipeline_config' / 'local'
        config.mkdir(parents=True)
        (config / 'app.yaml').write_text(f'''\
enable: true
inputs:
  - {{Type: input_file, FilePaths: ["{self.include}"], TailingAllMatchedFiles: true, TailSizeKB: 104857600}}
flushers:
  - {{Type: flusher_file, FilePath: /dev/null}}
''')
        (self.directory / 'conf' / 'instance_config' / 'local').mkdir(parents=True)
        (self.directory / 'conf' / 'instance_config' / 'local' / 'limits.json').write_text(json.dumps(
            {'cpu_usage_limit': 4, 'mem_usage_limit': 2048, 'max_bytes_per_sec': 10 << 30}))
        self.environment = {'LOONG_LOGTAIL_CONF_DIR': str(self.directory / 'conf'), 'LOONGCOLLECTOR_CONF_DIR': str(self.directory / 'conf'),
                            'LOONGCOLLECTOR_DATA_DIR': str(self.directory / 'data'), 'LOONGCOLLECTOR_LOG_DIR': str(self.directory / 'logs')}
        return [self.find()]

    def taken(self):
        return None  # its counters are written each minute only: how much it has read is all that is checked


def found():
    """The collectors that are here, ours first."""
    return [cls for cls in ALL if cls.find()]
