# SPDX-License-Identifier: BSD-3-Clause
"""A strict reader of Prometheus' text format 0.0.4, written from its description: every line must be one of a comment of
HELP or TYPE, or a sample of the metric that the last TYPE named, each once, with labels in order and escapes that exist."""
import re

NAME = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\})')
HELP = re.compile(r'# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\\n]|\\[\\n])+)')
TYPE = re.compile(r'# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge)')
VALUE = re.compile(r'(?:0|[1-9][0-9]*)')
ESCAPES = {'\\"': '"', '\\\\': '\\', '\\n': '\n'}


def sample(line):
    """(name, labels, value) of a sample's line."""
    name = NAME.match(line)
    assert name, line
    labels, at = {}, name.end()
    assert line[at] == '{', line
    at += 1
    while True:
        label = LABEL.match(line, at)
        assert label, line
        key, value, after = label.groups()
        assert key not in labels, line
        labels[key] = re.sub(r'\\.', lambda escape: ESCAPES[escape.group()], value)
        at = label.end()
        if after == '}':
            break
    assert line[at] == ' ' and VALUE.fullmatch(line[at + 1:]), line
    return name.group(), labels, int(line[at + 1:])


def parse(text):
    """{name: {'type', 'help', 'samples': [(labels, value)]}}"""
    assert text.endswith('\n') and '\r' not in text
    metrics, helped, current = {}, None, None
    for line in text[:-1].split('\n'):
        if line.startswith('# HELP '):
            match = HELP.fullmatch(line)
            assert match and match.group(1) not in metrics, line
            helped = match.groups()
        elif line.startswith('#'):
            match = TYPE.fullmatch(line)
            assert match and helped and helped[0] == match.group(1), line
            current = match.group(1)
            assert (match.group(2) == 'counter') == current.endswith('_total'), line
            metrics[current] = {'type': match.group(2), 'help': helped[1], 'samples': []}
        else:
            name, labels, value = sample(line)
            assert name == current, line
            assert labels not in [other for other, _ in metrics[current]['samples']], line
            metrics[current]['samples'].append((labels, value))
    return metrics
