"""The command tree for completion: generated, see `tree`."""

# ruff: noqa: ISC004, Q000 - as pprint writes it
# fmt: off
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TREE: dict[str, Any] = \
{'help': 'Durable, partitioned topics on one machine, without a server',
 'options': {'-P': ('PROFILE', [], 'Use this profile'),
             '--profile': ('PROFILE', [], 'Use this profile'),
             '-c': (':dir', [], 'The same as --data-dir'),
             '--cluster': (':dir', [], 'The same as --data-dir'),
             '--data-dir': (':dir', [], 'Use the topics stored here'),
             '-q': (None, [], 'Only data and errors'),
             '--quiet': (None, [], 'Only data and errors'),
             '-v': (None, [], 'Say what is done'),
             '--verbose': (None, [], 'Say what is done'),
             '--log-level': ('', ['debug', 'info', 'warning', 'error'], 'What to log'),
             '--lock-timeout': ('', [], 'Wait so long for other writers'),
             '--help-json': (None, [], 'Print all commands as JSON'),
             '-V': (None, [], 'Print the version'),
             '--version': (None, [], 'Print the version'),
             '-h': (None, [], 'Show this message and exit'),
             '--help': (None, [], 'Show this message and exit')},
 'commands': {'consume': {'help': 'Read records from topics',
                          'options': {'-r': ('', [], 'Read all topics whose whole name matches'),
                                      '--regex': ('', [],
                                                  'Read all topics whose whole name matches'),
                                      '-p': ('', [], 'Only this one (repeatable)'),
                                      '--partition': ('', [], 'Only this one (repeatable)'),
                                      '-A': (None, [], 'All partitions (the default)'),
                                      '--all-partitions': (None, [],
                                                           'All partitions (the default)'),
                                      '-d': (None, [], 'Stop at the end as it is now'),
                                      '--disable-continuous': (None, [],
                                                               'Stop at the end as it is now'),
                                      '--until-now': (None, [], 'Stop at the end as it is now'),
                                      '-B': (None, [], 'Begin at the beginning'),
                                      '--beginning': (None, [], 'Begin at the beginning'),
                                      '-H': ('', [], 'Skip N from the beginning'),
                                      '--head': ('', [], 'Skip N from the beginning'),
                                      '-T': ('', [], 'Begin N before the end'),
                                      '--tail': ('', [], 'Begin N before the end'),
                                      '--start': ('', [], 'Begin at this offset'),
                                      '--end': ('', [], 'Stop after this offset (inclusive)'),
                                      '-o': ('', [],
                                             'start, end, N, N:M, -10, +10, @TIME, @T1:T2, @-1h: '
                                             '(right ends exclusive)'),
                                      '--offset': ('', [],
                                                   'start, end, N, N:M, -10, +10, @TIME, @T1:T2, '
                                                   '@-1h: (right ends exclusive)'),
                                      '-n': ('', [], 'Stop after so many records'),
                                      '--max-records': ('', [], 'Stop after so many records'),
                                      '--idle-timeout': ('', [],
                                                         'Stop when nothing comes for so long'),
                                      '--timeout': ('', [], 'Give up after so long (124)'),
                                      '-O': ('',
                                             ['dynamic', 'text', 'binary', 'json', 'raw', 'table',
                                              'full_table', 'records', 'csv'],
                                             'What a record looks like'),
                                      '--output': ('',
                                                   ['dynamic', 'text', 'binary', 'json', 'raw',
                                                    'table', 'full_table', 'records', 'csv'],
                                                   'What a record looks like'),
                                      '-F': ('', [], "Template: '{{key}} {{value}} {{offset}}'"),
                                      '--format': ('', [],
                                                   "Template: '{{key}} {{value}} {{offset}}'"),
                                      '-f': ('', [], "Template as kcat's and rpk's: '%k %v\\n'"),
                                      '--verbs': ('', [],
                                                  "Template as kcat's and rpk's: '%k %v\\n'"),
                                      '-k': (None, [], 'Print [key] value'),
                                      '--key-value': (None, [], 'Print [key] value'),
                                      '--print0': (None, [], 'End records with NUL, not newline'),
                                      '--table-format': ('TABLE-FORMAT', [],
                                                         'Columns of a stored table format'),
                                      '--suppress-unknown': (None, [],
                                                             'json: leave out what is not JSON'),
                                      '--truncate': (None, [],
                                                     "Cut lines to the terminal's width"),
                                      '-G': ('', [],
                                             'Only records that match: k:, v:, h: and a pattern '
                                             '(all of them)'),
                                      '--grep': ('', [],
                                                 'Only records that match: k:, v:, h: and a '
                                                 'pattern (all of them)'),
                                      '--order': ('', [], 'Merge partitions by timestamp'),
                                      '-c': ('CONSUMER', [],
                                             'Resume where this consumer stopped'),
                                      '--consumer': ('CONSUMER', [],
                                                     'Resume where this consumer stopped'),
                                      '--no-commit': (None, [],
                                                      'Look without moving the consumer'),
                                      '-h': (None, [], 'Show this message and exit'),
                                      '--help': (None, [], 'Show this message and exit')},
                          'arguments': [('TOPIC', [])],
                          'repeats': True},
              'produce': {'help': 'Write records to a topic',
                          'options': {'-f': (':file', [],
                                             'Read this file instead of stdin (repeatable)'),
                                      '--file': (':file', [],
                                                 'Read this file instead of stdin (repeatable)'),
                                      '--input': ('',
                                                  ['lines', 'records', 'csv', 'tsv', 'json-array',
                                                   'kcat', 'rpk', 'kafka-console'],
                                                  'What the input is'),
                                      '--key-column': ('', [],
                                                       'csv, tsv: the column with the key'),
                                      '--value-column': ('', [],
                                                         'csv, tsv: the column with the value'),
                                      '--console-fields': ('', [],
                                                           'kafka-console: what stands before '
                                                           'the value, as timestamp,key'),
                                      '--raw': (None, [], 'The whole input is one record'),
                                      '-D': ('', [],
                                             'What ends a record; knows \\n, \\t, \\0 and \\xNN'),
                                      '--delimiter': ('', [],
                                                      'What ends a record; knows \\n, \\t, \\0 '
                                                      'and \\xNN'),
                                      '--key': ('', [], 'The same key for every record'),
                                      '--key-separator': ('', [],
                                                          'Split every line at its first '
                                                          'separator: key, value'),
                                      '--header': ('', [],
                                                   'NAME=VALUE, NAME= (empty) or NAME (null); '
                                                   'repeatable'),
                                      '--timestamp': ('', [],
                                                      'Of every record: ms, RFC 3339 or -1h'),
                                      '--null-value': ('', [], 'This value means null'),
                                      '-p': ('', [], 'Write to this partition'),
                                      '--partition': ('', [], 'Write to this partition'),
                                      '--partitioner': ('', ['sip', 'murmur2', 'round-robin'],
                                                        'Which hash of the key chooses: '
                                                        "Fluvio's, Kafka's, none"),
                                      '--keep-partitions': (None, [],
                                                            "Take each record's partition from "
                                                            'the input'),
                                      '--compression': ('',
                                                        ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
                                                        "Of the batches; the topic's, if it has "
                                                        'one'),
                                      '--linger': ('', [], 'Wait for more input before storing'),
                                      '--batch-size': ('', [], 'No batch is larger, in bytes'),
                                      '--max-request-size': ('', [],
                                                             'No record is larger, in bytes'),
                                      '--durability': ('', ['full', 'relaxed'],
                                                       'relaxed: a power cut may lose the last '
                                                       'commit'),
                                      '--atomic': (None, [],
                                                   'Store all of the input or none of it (up to '
                                                   '64 MiB)'),
                                      '--create': (None, [], 'Create the topic if it is missing'),
                                      '--rate': ('', [], 'At most this fast, as in 500/s'),
                                      '--tee': (None, [],
                                                'Pass the input on to stdout once it is stored'),
                                      '--report': ('', [], 'Say on stderr what was stored'),
                                      '-v': (None, [], 'With --key-separator: print [key] value'),
                                      '--verbose': (None, [],
                                                    'With --key-separator: print [key] value'),
                                      '-h': (None, [], 'Show this message and exit'),
                                      '--help': (None, [], 'Show this message and exit')},
                          'arguments': [('TOPIC', [])],
                          'repeats': False},
              'topic': {'help': 'Create, list, change and delete topics',
                        'options': {'-h': (None, [], 'Show this message and exit'),
                                    '--help': (None, [], 'Show this message and exit')},
                        'commands': {'create': {'help': 'Create a topic',
                                                'options': {'-c': (':file', [],
                                                                   'Take all of it from this '
                                                                   'YAML'),
                                                            '--config': (':file', [],
                                                                         'Take all of it from '
                                                                         'this YAML'),
                                                            '-p': ('', [],
                                                                   'How many partitions (1)'),
                                                            '--partitions': ('', [],
                                                                             'How many '
                                                                             'partitions (1)'),
                                                            '--retention-time': ('', [],
                                                                                 'Keep records '
                                                                                 'so long, as in '
                                                                                 '12h or 7days; '
                                                                                 'none: for '
                                                                                 'ever'),
                                                            '--max-partition-size': ('', [],
                                                                                     'Drop '
                                                                                     'oldest '
                                                                                     'records '
                                                                                     'above it, '
                                                                                     'as in 2 '
                                                                                     'GiB'),
                                                            '--segment-size': ('', [],
                                                                               "Fluvio's "
                                                                               'setting, without '
                                                                               'effect here'),
                                                            '--compression-type': ('',
                                                                                   ['none',
                                                                                    'gzip',
                                                                                    'snappy',
                                                                                    'lz4', 'zstd',
                                                                                    'any'],
                                                                                   'How '
                                                                                   'producers '
                                                                                   'have to '
                                                                                   'compress'),
                                                            '--if-not-exists': (None, [],
                                                                                'It is no error '
                                                                                'if there is one '
                                                                                'already'),
                                                            '-d': (None, [],
                                                                   'Only check, and say what '
                                                                   'would be done'),
                                                            '--dry-run': (None, [],
                                                                          'Only check, and say '
                                                                          'what would be done'),
                                                            '-r': ('', [], 'How many copies: 1'),
                                                            '--replication': ('', [],
                                                                              'How many copies: '
                                                                              '1'),
                                                            '-h': (None, [],
                                                                   'Show this message and exit'),
                                                            '--help': (None, [],
                                                                       'Show this message and '
                                                                       'exit')},
                                                'arguments': [('', [])],
                                                'repeats': False},
                                     'list': {'help': 'List all topics',
                                              'options': {'-O': ('',
                                                                 ['table', 'yaml', 'json',
                                                                  'toml'],
                                                                 'How to show it'),
                                                          '--output': ('',
                                                                       ['table', 'yaml', 'json',
                                                                        'toml'],
                                                                       'How to show it'),
                                                          '-h': (None, [],
                                                                 'Show this message and exit'),
                                                          '--help': (None, [],
                                                                     'Show this message and '
                                                                     'exit')}},
                                     'describe': {'help': 'Show one topic: its settings, and '
                                                          'what its partitions hold',
                                                  'options': {'-O': ('',
                                                                     ['table', 'yaml', 'json',
                                                                      'toml'],
                                                                     'How to show it'),
                                                              '--output': ('',
                                                                           ['table', 'yaml',
                                                                            'json', 'toml'],
                                                                           'How to show it'),
                                                              '-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('TOPIC', [])],
                                                  'repeats': False},
                                     'delete': {'help': 'Delete topics with their records, and '
                                                        'what consumers have stored of them',
                                                'options': {'-c': (None, [],
                                                                   'Go on with the other topics'),
                                                            '--continue-on-error': (None, [],
                                                                                    'Go on with '
                                                                                    'the other '
                                                                                    'topics'),
                                                            '-d': (None, [],
                                                                   'Only check, and say what '
                                                                   'would be done'),
                                                            '--dry-run': (None, [],
                                                                          'Only check, and say '
                                                                          'what would be done'),
                                                            '-h': (None, [],
                                                                   'Show this message and exit'),
                                                            '--help': (None, [],
                                                                       'Show this message and '
                                                                       'exit')},
                                                'arguments': [('TOPIC', [])],
                                                'repeats': True},
                                     'add-partition': {'help': 'Add empty partitions to a topic; '
                                                               'records with a key may then go '
                                                               'to another one',
                                                       'options': {'-c': ('', [],
                                                                          'How many to add'),
                                                                   '--count': ('', [],
                                                                               'How many to add'),
                                                                   '-h': (None, [],
                                                                          'Show this message and '
                                                                          'exit'),
                                                                   '--help': (None, [],
                                                                              'Show this message '
                                                                              'and exit')},
                                                       'arguments': [('TOPIC', [])],
                                                       'repeats': False},
                                     'alter': {'help': 'Change the settings of a topic, and drop '
                                                       'what it then keeps no longer',
                                               'options': {'--retention-time': ('', [],
                                                                                'Keep records so '
                                                                                'long, as in 12h '
                                                                                'or 7days; none: '
                                                                                'for ever'),
                                                           '--max-partition-size': ('', [],
                                                                                    'Drop oldest '
                                                                                    'records '
                                                                                    'above it, '
                                                                                    'as in 2 '
                                                                                    'GiB'),
                                                           '--segment-size': ('', [],
                                                                              "Fluvio's setting, "
                                                                              'without effect '
                                                                              'here'),
                                                           '--compression-type': ('',
                                                                                  ['none', 'gzip',
                                                                                   'snappy',
                                                                                   'lz4', 'zstd',
                                                                                   'any'],
                                                                                  'How producers '
                                                                                  'have to '
                                                                                  'compress'),
                                                           '-d': (None, [],
                                                                  'Only check, and say what '
                                                                  'would be done'),
                                                           '--dry-run': (None, [],
                                                                         'Only check, and say '
                                                                         'what would be done'),
                                                           '-h': (None, [],
                                                                  'Show this message and exit'),
                                                           '--help': (None, [],
                                                                      'Show this message and '
                                                                      'exit')},
                                               'arguments': [('TOPIC', [])],
                                               'repeats': False},
                                     'rename': {'help': 'Give a topic another name; open '
                                                        'producers and consumers go on, stored '
                                                        'offsets stay',
                                                'options': {'-h': (None, [],
                                                                   'Show this message and exit'),
                                                            '--help': (None, [],
                                                                       'Show this message and '
                                                                       'exit')},
                                                'arguments': [('TOPIC', []), ('', [])],
                                                'repeats': False},
                                     'purge': {'help': 'Drop records of a topic, and keep the '
                                                       'topic; offsets go on as before',
                                               'options': {'-p': ('', [],
                                                                  'Only this one (repeatable)'),
                                                           '--partition': ('', [],
                                                                           'Only this one '
                                                                           '(repeatable)'),
                                                           '--before': ('', [],
                                                                        'Only what is before '
                                                                        'this: an offset, @TIME, '
                                                                        'or -N to keep the last '
                                                                        'N'),
                                                           '-d': (None, [],
                                                                  'Only check, and say what '
                                                                  'would be done'),
                                                           '--dry-run': (None, [],
                                                                         'Only check, and say '
                                                                         'what would be done'),
                                                           '-y': (None, [],
                                                                  'Do it without asking'),
                                                           '--yes': (None, [],
                                                                     'Do it without asking'),
                                                           '--no-input': (None, [], 'Never ask'),
                                                           '-h': (None, [],
                                                                  'Show this message and exit'),
                                                           '--help': (None, [],
                                                                      'Show this message and '
                                                                      'exit')},
                                               'arguments': [('TOPIC', [])],
                                               'repeats': False}}},
              'partition': {'help': 'Show partitions',
                            'options': {'-h': (None, [], 'Show this message and exit'),
                                        '--help': (None, [], 'Show this message and exit')},
                            'commands': {'list': {'help': 'List partitions: the offsets from '
                                                          'START up to END (exclusive), their '
                                                          'size, and when',
                                                  'options': {'--fluvio': (None, [],
                                                                           'The columns that '
                                                                           'Fluvio shows'),
                                                              '-O': ('',
                                                                     ['table', 'yaml', 'json',
                                                                      'toml'],
                                                                     'How to show it'),
                                                              '--output': ('',
                                                                           ['table', 'yaml',
                                                                            'json', 'toml'],
                                                                           'How to show it'),
                                                              '-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('TOPIC', [])],
                                                  'repeats': False}}},
              'consumer': {'help': 'Show, move and delete stored offsets of named consumers',
                           'options': {'-h': (None, [], 'Show this message and exit'),
                                       '--help': (None, [], 'Show this message and exit')},
                           'commands': {'list': {'help': 'List stored offsets: the last record '
                                                         'that each consumer has seen, and its '
                                                         'lag behind',
                                                 'options': {'-O': ('',
                                                                    ['table', 'yaml', 'json',
                                                                     'toml'],
                                                                    'How to show it'),
                                                             '--output': ('',
                                                                          ['table', 'yaml',
                                                                           'json', 'toml'],
                                                                          'How to show it'),
                                                             '-h': (None, [],
                                                                    'Show this message and exit'),
                                                             '--help': (None, [],
                                                                        'Show this message and '
                                                                        'exit')}},
                                        'describe': {'help': 'Show one consumer: its lag as a '
                                                             'whole, and each of its offsets',
                                                     'options': {'-O': ('',
                                                                        ['table', 'yaml', 'json',
                                                                         'toml'],
                                                                        'How to show it'),
                                                                 '--output': ('',
                                                                              ['table', 'yaml',
                                                                               'json', 'toml'],
                                                                              'How to show it'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')},
                                                     'arguments': [('CONSUMER', [])],
                                                     'repeats': False},
                                        'reset': {'help': 'Move a consumer: its next run begins '
                                                          'at a place of your choice',
                                                  'options': {'-t': ('TOPIC', [],
                                                                     'Topic that it reads'),
                                                              '--topic': ('TOPIC', [],
                                                                          'Topic that it reads'),
                                                              '-o': ('', [],
                                                                     'Where to go on: start, '
                                                                     'end, N, -N or @TIME'),
                                                              '--offset': ('', [],
                                                                           'Where to go on: '
                                                                           'start, end, N, -N or '
                                                                           '@TIME'),
                                                              '-p': ('', [],
                                                                     'Only of this partition'),
                                                              '--partition': ('', [],
                                                                              'Only of this '
                                                                              'partition'),
                                                              '-d': (None, [],
                                                                     'Only check, and say what '
                                                                     'would be done'),
                                                              '--dry-run': (None, [],
                                                                            'Only check, and say '
                                                                            'what would be done'),
                                                              '-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('CONSUMER', [])],
                                                  'repeats': False},
                                        'delete': {'help': 'Forget what a consumer has seen: its '
                                                           'next run begins as a new one. '
                                                           'Records stay',
                                                   'options': {'-t': ('TOPIC', [],
                                                                      'Only of this topic'),
                                                               '--topic': ('TOPIC', [],
                                                                           'Only of this topic'),
                                                               '-p': ('', [],
                                                                      'Only of this partition'),
                                                               '--partition': ('', [],
                                                                               'Only of this '
                                                                               'partition'),
                                                               '-d': (None, [],
                                                                      'Only check, and say what '
                                                                      'would be done'),
                                                               '--dry-run': (None, [],
                                                                             'Only check, and '
                                                                             'say what would be '
                                                                             'done'),
                                                               '-h': (None, [],
                                                                      'Show this message and '
                                                                      'exit'),
                                                               '--help': (None, [],
                                                                          'Show this message and '
                                                                          'exit')},
                                                   'arguments': [('CONSUMER', [])],
                                                   'repeats': False}}},
              'table-format': {'help': 'Manage how consume -O table looks',
                               'options': {'-h': (None, [], 'Show this message and exit'),
                                           '--help': (None, [], 'Show this message and exit')},
                               'commands': {'create': {'help': 'Store a table format',
                                                       'options': {'-c': (':file', [],
                                                                          'Its YAML: name and '
                                                                          'columns'),
                                                                   '--config': (':file', [],
                                                                                'Its YAML: name '
                                                                                'and columns'),
                                                                   '-h': (None, [],
                                                                          'Show this message and '
                                                                          'exit'),
                                                                   '--help': (None, [],
                                                                              'Show this message '
                                                                              'and exit')}},
                                            'list': {'help': 'List table formats',
                                                     'options': {'-O': ('',
                                                                        ['table', 'yaml', 'json',
                                                                         'toml'],
                                                                        'How to show it'),
                                                                 '--output': ('',
                                                                              ['table', 'yaml',
                                                                               'json', 'toml'],
                                                                              'How to show it'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')}},
                                            'describe': {'help': 'Show one table format; with -O '
                                                                 'yaml as `create` takes it',
                                                         'options': {'-O': ('',
                                                                            ['table', 'yaml',
                                                                             'json', 'toml'],
                                                                            'How to show it'),
                                                                     '--output': ('',
                                                                                  ['table',
                                                                                   'yaml', 'json',
                                                                                   'toml'],
                                                                                  'How to show '
                                                                                  'it'),
                                                                     '-h': (None, [],
                                                                            'Show this message '
                                                                            'and exit'),
                                                                     '--help': (None, [],
                                                                                'Show this '
                                                                                'message and '
                                                                                'exit')},
                                                         'arguments': [('TABLE-FORMAT', [])],
                                                         'repeats': False},
                                            'delete': {'help': 'Delete a table format; no record '
                                                               'is touched',
                                                       'options': {'-d': (None, [],
                                                                          'Only check, and say '
                                                                          'what would be done'),
                                                                   '--dry-run': (None, [],
                                                                                 'Only check, '
                                                                                 'and say what '
                                                                                 'would be done'),
                                                                   '-h': (None, [],
                                                                          'Show this message and '
                                                                          'exit'),
                                                                   '--help': (None, [],
                                                                              'Show this message '
                                                                              'and exit')},
                                                       'arguments': [('TABLE-FORMAT', [])],
                                                       'repeats': False}}},
              'benchmark': {'help': 'Measure this machine',
                            'options': {'-h': (None, [], 'Show this message and exit'),
                                        '--help': (None, [], 'Show this message and exit')},
                            'commands': {'produce': {'help': 'Measure produce: lines of a file '
                                                             'into a topic, beside cp and fsync '
                                                             'of the same file',
                                                     'options': {'--records': ('', [],
                                                                               'How many '
                                                                               'records'),
                                                                 '--record-size': ('', [],
                                                                                   'Bytes of a '
                                                                                   'line, on '
                                                                                   'average'),
                                                                 '--samples': ('', [],
                                                                               'How often it is '
                                                                               'measured'),
                                                                 '--pipe': (None, [],
                                                                            'Through a pipe: cat '
                                                                            'FILE | produce'),
                                                                 '--partitions': ('', [],
                                                                                  'Partitions of '
                                                                                  'the topic'),
                                                                 '--key-separator': ('', [],
                                                                                     'Records '
                                                                                     'have keys, '
                                                                                     'before '
                                                                                     'this in '
                                                                                     'their '
                                                                                     'line'),
                                                                 '--compression': ('',
                                                                                   ['none',
                                                                                    'gzip',
                                                                                    'snappy',
                                                                                    'lz4',
                                                                                    'zstd'],
                                                                                   'Of the '
                                                                                   'batches'),
                                                                 '--one-by-one': (None, [],
                                                                                  'Store each '
                                                                                  'record in a '
                                                                                  'commit of its '
                                                                                  'own'),
                                                                 '--batch-size': ('', [],
                                                                                  'No batch is '
                                                                                  'larger'),
                                                                 '--durability': ('',
                                                                                  ['full',
                                                                                   'relaxed'],
                                                                                  'relaxed: a '
                                                                                  'power cut may '
                                                                                  'lose the last '
                                                                                  'commit'),
                                                                 '--directory': (':dir', [],
                                                                                 'Work below '
                                                                                 'here (else: on '
                                                                                 'the data '
                                                                                 "directory's "
                                                                                 'file system)'),
                                                                 '-O': ('',
                                                                        ['text', 'csv', 'json'],
                                                                        'How to show the '
                                                                        'figures'),
                                                                 '--output': ('',
                                                                              ['text', 'csv',
                                                                               'json'],
                                                                              'How to show the '
                                                                              'figures'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')}},
                                         'consume': {'help': 'Measure consume: a topic to '
                                                             '/dev/null, beside cat of the same '
                                                             'lines',
                                                     'options': {'--records': ('', [],
                                                                               'How many '
                                                                               'records'),
                                                                 '--record-size': ('', [],
                                                                                   'Bytes of a '
                                                                                   'line, on '
                                                                                   'average'),
                                                                 '--samples': ('', [],
                                                                               'How often it is '
                                                                               'measured'),
                                                                 '--as': ('', [],
                                                                          "consume's -O: text, "
                                                                          'json, records, … '
                                                                          '(repeatable)'),
                                                                 '-F': ('', [],
                                                                        "consume's -F "
                                                                        '(repeatable)'),
                                                                 '--format': ('', [],
                                                                              "consume's -F "
                                                                              '(repeatable)'),
                                                                 '--partitions': ('', [],
                                                                                  'Partitions of '
                                                                                  'the topic'),
                                                                 '--key-separator': ('', [],
                                                                                     'Records '
                                                                                     'have keys, '
                                                                                     'before '
                                                                                     'this in '
                                                                                     'their '
                                                                                     'line'),
                                                                 '--compression': ('',
                                                                                   ['none',
                                                                                    'gzip',
                                                                                    'snappy',
                                                                                    'lz4',
                                                                                    'zstd'],
                                                                                   'Of the '
                                                                                   'batches'),
                                                                 '--one-by-one': (None, [],
                                                                                  'Store each '
                                                                                  'record in a '
                                                                                  'commit of its '
                                                                                  'own'),
                                                                 '--batch-size': ('', [],
                                                                                  'No batch is '
                                                                                  'larger'),
                                                                 '--durability': ('',
                                                                                  ['full',
                                                                                   'relaxed'],
                                                                                  'relaxed: a '
                                                                                  'power cut may '
                                                                                  'lose the last '
                                                                                  'commit'),
                                                                 '--directory': (':dir', [],
                                                                                 'Work below '
                                                                                 'here (else: on '
                                                                                 'the data '
                                                                                 "directory's "
                                                                                 'file system)'),
                                                                 '-O': ('',
                                                                        ['text', 'csv', 'json'],
                                                                        'How to show the '
                                                                        'figures'),
                                                                 '--output': ('',
                                                                              ['text', 'csv',
                                                                               'json'],
                                                                              'How to show the '
                                                                              'figures'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')}},
                                         'latency': {'help': 'Measure a follower: from the '
                                                             'commit to the line on its stdout, '
                                                             'and its CPU when idle',
                                                     'options': {'--rate': ('', [],
                                                                            'Records a second'),
                                                                 '--seconds': ('', [],
                                                                               'How long, each '
                                                                               'time'),
                                                                 '--noise': ('', [],
                                                                             'Commits a second '
                                                                             'to another topic '
                                                                             '(0: none)'),
                                                                 '--record-size': ('', [],
                                                                                   'Bytes of a '
                                                                                   'line, on '
                                                                                   'average'),
                                                                 '--directory': (':dir', [],
                                                                                 'Work below '
                                                                                 'here (else: on '
                                                                                 'the data '
                                                                                 "directory's "
                                                                                 'file system)'),
                                                                 '-O': ('',
                                                                        ['text', 'csv', 'json'],
                                                                        'How to show the '
                                                                        'figures'),
                                                                 '--output': ('',
                                                                              ['text', 'csv',
                                                                               'json'],
                                                                              'How to show the '
                                                                              'figures'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')}},
                                         'startup': {'help': 'Measure start-up: the commands '
                                                             'that people wait for, beside the '
                                                             'bare interpreter',
                                                     'options': {'--samples': ('', [],
                                                                               'How often it is '
                                                                               'measured'),
                                                                 '--directory': (':dir', [],
                                                                                 'Work below '
                                                                                 'here (else: on '
                                                                                 'the data '
                                                                                 "directory's "
                                                                                 'file system)'),
                                                                 '-O': ('',
                                                                        ['text', 'csv', 'json'],
                                                                        'How to show the '
                                                                        'figures'),
                                                                 '--output': ('',
                                                                              ['text', 'csv',
                                                                               'json'],
                                                                              'How to show the '
                                                                              'figures'),
                                                                 '-h': (None, [],
                                                                        'Show this message and '
                                                                        'exit'),
                                                                 '--help': (None, [],
                                                                            'Show this message '
                                                                            'and exit')}}}},
              'profile': {'help': 'Manage profiles: named settings, such as a data directory',
                          'options': {'-h': (None, [], 'Show this message and exit'),
                                      '--help': (None, [], 'Show this message and exit')},
                          'commands': {'current': {'help': 'Print the name of the profile in use',
                                                   'options': {'-h': (None, [],
                                                                      'Show this message and '
                                                                      'exit'),
                                                               '--help': (None, [],
                                                                          'Show this message and '
                                                                          'exit')}},
                                       'list': {'help': 'List all profiles; a star marks the one '
                                                        'in use',
                                                'options': {'-O': ('',
                                                                   ['table', 'yaml', 'json',
                                                                    'toml'],
                                                                   'How to show it'),
                                                            '--output': ('',
                                                                         ['table', 'yaml', 'json',
                                                                          'toml'],
                                                                         'How to show it'),
                                                            '-h': (None, [],
                                                                   'Show this message and exit'),
                                                            '--help': (None, [],
                                                                       'Show this message and '
                                                                       'exit')}},
                                       'switch': {'help': 'Use a profile from now on',
                                                  'options': {'-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('PROFILE', [])],
                                                  'repeats': False},
                                       'rename': {'help': 'Give a profile another name',
                                                  'options': {'-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('PROFILE', []), ('', [])],
                                                  'repeats': False},
                                       'delete': {'help': 'Delete a profile; what is stored in '
                                                          'its data directory stays',
                                                  'options': {'-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('PROFILE', [])],
                                                  'repeats': False},
                                       'delete-cluster': {'help': 'Delete the connection of a '
                                                                  'profile, and the profile; '
                                                                  'what is stored stays',
                                                          'options': {'-f': (None, [],
                                                                             'Also if a profile '
                                                                             'refers to it'),
                                                                      '--force': (None, [],
                                                                                  'Also if a '
                                                                                  'profile '
                                                                                  'refers to it'),
                                                                      '-h': (None, [],
                                                                             'Show this message '
                                                                             'and exit'),
                                                                      '--help': (None, [],
                                                                                 'Show this '
                                                                                 'message and '
                                                                                 'exit')},
                                                          'arguments': [('PROFILE', [])],
                                                          'repeats': False},
                                       'add': {'help': 'Add a profile, or give one another data '
                                                       'directory, and switch to it',
                                               'options': {'-h': (None, [],
                                                                  'Show this message and exit'),
                                                           '--help': (None, [],
                                                                      'Show this message and '
                                                                      'exit')},
                                               'arguments': [('', []), (':dir', []),
                                                             ('', ['local'])],
                                               'repeats': False},
                                       'export': {'help': "Print where a profile's cluster is, "
                                                          'for other programs',
                                                  'options': {'-O': ('', ['toml', 'json', 'yaml'],
                                                                     'How to write it'),
                                                              '--output': ('',
                                                                           ['toml', 'json',
                                                                            'yaml'],
                                                                           'How to write it'),
                                                              '-h': (None, [],
                                                                     'Show this message and '
                                                                     'exit'),
                                                              '--help': (None, [],
                                                                         'Show this message and '
                                                                         'exit')},
                                                  'arguments': [('PROFILE', [])],
                                                  'repeats': False}}},
              'config': {'help': 'Show and change settings',
                         'options': {'-h': (None, [], 'Show this message and exit'),
                                     '--help': (None, [], 'Show this message and exit')},
                         'commands': {'show': {'help': "Show every setting's value",
                                               'options': {'--origin': (None, [],
                                                                        'Also where each value '
                                                                        'comes from'),
                                                           '-O': ('',
                                                                  ['table', 'yaml', 'json',
                                                                   'toml'],
                                                                  'How to show it'),
                                                           '--output': ('',
                                                                        ['table', 'yaml', 'json',
                                                                         'toml'],
                                                                        'How to show it'),
                                                           '-h': (None, [],
                                                                  'Show this message and exit'),
                                                           '--help': (None, [],
                                                                      'Show this message and '
                                                                      'exit')}},
                                      'set': {'help': 'Change a setting in your file, or in the '
                                                      'profile of -P',
                                              'options': {'-h': (None, [],
                                                                 'Show this message and exit'),
                                                          '--help': (None, [],
                                                                     'Show this message and '
                                                                     'exit')},
                                              'arguments': [('SETTING', []), ('', [])],
                                              'repeats': False},
                                      'unset': {'help': 'Remove a setting from your file, or '
                                                        'from the profile of -P',
                                                'options': {'-h': (None, [],
                                                                   'Show this message and exit'),
                                                            '--help': (None, [],
                                                                       'Show this message and '
                                                                       'exit')},
                                                'arguments': [('SETTING', [])],
                                                'repeats': False},
                                      'path': {'help': 'Print where your settings and profiles '
                                                       'are kept',
                                               'options': {'-h': (None, [],
                                                                  'Show this message and exit'),
                                                           '--help': (None, [],
                                                                      'Show this message and '
                                                                      'exit')}}}},
              'version': {'help': 'Show versions',
                          'options': {'-j': (None, [], 'As JSON, with all libraries'),
                                      '--json': (None, [], 'As JSON, with all libraries'),
                                      '-h': (None, [], 'Show this message and exit'),
                                      '--help': (None, [], 'Show this message and exit')}},
              'completions': {'help': 'Print the completion script of a shell',
                              'options': {'--name': ('', [], 'What the program is called'),
                                          '-h': (None, [], 'Show this message and exit'),
                                          '--help': (None, [], 'Show this message and exit')},
                              'arguments': [('', ['bash', 'zsh', 'fish'])],
                              'repeats': False}},
 'aliases': {'tf': 'table-format', 'bench': 'benchmark'}}
