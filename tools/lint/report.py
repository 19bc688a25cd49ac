"""What the lints have in common: their command line, the files they look at, and how they say what they found.

A lint prints one line a finding, `file:line: what is wrong; what to do`, then one line of summary. It exits with 0 when it
found nothing, 1 when it found something and 2 when it was called wrongly, which includes a tree in which there is nothing
to look at: a check that has seen no file has shown nothing.
"""

import argparse
import fnmatch
import os
import re
import sys

import cpp_source

# Folders that hold no source of the project, wherever they stand.
skipped = ('build*', '.*', '__pycache__', 'subprojects')
not_skipped = ('.github',)

cpp_suffixes = ('.cpp', '.hpp', '.h', '.inc')


def command_line(program, description):
    """A parser with the one option that all lints share."""
    here = os.path.dirname(os.path.realpath(__file__))
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument('--root', metavar='DIR', default=os.path.dirname(os.path.dirname(here)),
                        help='the tree to look at (default: the one this program lies in)')
    return parser


def usage_error(program, words):
    """Says what was wrong with the call and ends the program."""
    print(f'{program}: {words}', file=sys.stderr)
    sys.exit(2)


def parse(parser):
    """The options, with a root that exists."""
    options = parser.parse_args()
    if not os.path.isdir(options.root):
        usage_error(parser.prog, f'{options.root} is no directory')
    return options


def walk(root, folder='.', suffixes=None):
    """Paths relative to root, with '/', of the files below root/folder, in order."""
    found = []
    for place, folders, files in os.walk(os.path.join(root, folder)):
        folders[:] = [f for f in folders
                      if f in not_skipped or not any(fnmatch.fnmatch(f, pattern) for pattern in skipped)]
        for name in files:
            if suffixes is None or name.endswith(tuple(suffixes)):
                found.append(os.path.relpath(os.path.join(place, name), root).replace(os.sep, '/'))
    return sorted(found)


def read(root, path):
    """A file's text; bytes that are no UTF-8 do no harm."""
    with open(os.path.join(root, path), encoding='utf-8', errors='replace', newline='') as file:
        return file.read().replace('\r\n', '\n')


def library_sources(root, suffixes=cpp_suffixes):
    """The C++ files of the library, read: core/ and include/."""
    paths = walk(root, 'core', suffixes) + walk(root, 'include', suffixes)
    return [cpp_source.source(path, read(root, path)) for path in paths]


def expand(pattern):
    """a/{b,c}* -> [a/b*, a/c*]"""
    found = re.search(r'\{([^{}]*)\}', pattern)
    if not found:
        return [pattern]
    return [whole for choice in found.group(1).split(',')
            for whole in expand(pattern[:found.start()] + choice + pattern[found.end():])]


def matches(path, patterns):
    """Is the path one of these? A pattern that ends in '/' is a folder; '*' crosses folders; {a,b} is a choice."""
    for pattern in (p for whole in patterns for p in expand(whole)):
        if path.startswith(pattern) if pattern.endswith('/') else fnmatch.fnmatchcase(path, pattern):
            return True
    return False


def plural(number, thing):
    return f'{number} {thing}' + 's' * (number != 1)


class findings:
    """Collects what a lint has to say, says it, and knows the exit code."""

    def __init__(self, program):
        self.program = program
        self.rows = set()

    def add(self, path, line, wrong, remedy):
        self.rows.add((path, line, f'{wrong}; {remedy}'))

    def finish(self, count, thing='file'):
        if count == 0:
            usage_error(self.program, f'no {thing} to look at')
        for path, line, words in sorted(self.rows):
            print(f'{path}:{line}: {words}')
        number = plural(len(self.rows), 'finding') if self.rows else 'no finding'
        print(f'{self.program}: {plural(count, thing)}, {number}')
        return 1 if self.rows else 0
