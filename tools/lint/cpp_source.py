"""The text of a C++ file with comments and string literals told apart from code.

Every lint here reads a file through this module, so that a word in a comment or in a string is never taken for code. A file
is kept as four texts of equal length, in which what does not belong is blanked out: an offset, a line and a column mean the
same in all of them. The lexer knows raw strings, digit separators, spliced lines and character literals; it does not expand
macros and does not evaluate `#if`: all branches are read.
"""

import bisect
import re

# One alternative for each thing in which a quote or a slash does not mean what it seems to mean. Numbers and identifiers are
# only here to be skipped whole: 1'000 opens no character literal, and the R of fooR"x" opens no raw string.
token = re.compile(
    r'''(?P<raw>(?:u8|[uUL])?R"(?P<mark>[^ ()\\\t\v\f\n"]{0,16})\(.*?\)(?P=mark)")'''
    r'''|(?P<comment>//(?:\\\r?\n|[^\n])*|/\*.*?(?:\*/|\Z))'''
    r'''|(?P<string>"(?:\\.|[^"\\\n])*")'''
    r'''|(?P<number>\.?\d(?:[eEpP][+-]|'?[\w.])*)'''
    r'''|(?P<name>[A-Za-z_]\w*)'''
    r'''|(?P<char>'(?:\\.|[^'\\\n])+')''', re.DOTALL)

# A preprocessor line with its continuations.
directive = re.compile(r'^[ \t]*#(?:\\\r?\n|[^\n])*', re.MULTILINE)


def blank(text):
    """The same number of characters and the same line ends, everything else a space."""
    return re.sub(r'[^\n]', ' ', text)


class source:
    """One file: `code` (no comments, strings emptied), `with_strings` (no comments), `comments` (nothing else), `text`."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.strings = []     # (start, end) of each string literal, its quotes included, in order
        code, kept, comments, last = [], [], [], 0
        for found in token.finditer(text):
            kind = found.lastgroup if found.lastgroup != 'mark' else 'raw'
            if kind in ('number', 'name'):
                continue
            start, end = found.span()
            piece = text[start:end]
            between = text[last:start]
            code.append(between)
            kept.append(between)
            comments.append(blank(between))
            if kind == 'comment':
                code.append(blank(piece))
                kept.append(blank(piece))
                comments.append(piece)
            else:
                code.append(piece[-1] + blank(piece[1:-1]) + piece[-1])
                kept.append(piece)
                comments.append(blank(piece))
                if kind != 'char':
                    self.strings.append((start, end))
            last = end
        self.code = ''.join(code) + text[last:]
        self.with_strings = ''.join(kept) + text[last:]
        self.comments = ''.join(comments) + blank(text[last:])
        self.line_starts = [0] + [at.end() for at in re.finditer('\n', text)]
        self.text_lines = text.split('\n')
        self.code_lines = self.code.split('\n')
        self.comment_lines = self.comments.split('\n')

    def line_of(self, offset):
        """The line number, counted from 1, of an offset."""
        return bisect.bisect_right(self.line_starts, offset)

    def comment_only(self, line):
        """Does this line hold a comment and nothing else?"""
        if not 1 <= line <= len(self.code_lines):
            return False
        return not self.code_lines[line - 1].strip() and bool(self.comment_lines[line - 1].strip())

    def is_blank(self, line):
        """Does this line hold nothing at all?"""
        return not self.code_lines[line - 1].strip() and not self.comment_lines[line - 1].strip()

    def directives(self):
        """(offset, text without comments, strings kept) of each preprocessor line, continuations joined by spaces."""
        for found in directive.finditer(self.code):
            text = self.with_strings[found.start():found.end()]
            yield found.start(), re.sub(r'\\\r?\n', ' ', text).strip()

    def includes(self):
        """(line, form, name) of each #include: form is '"', '<' or, for a computed one, ''."""
        for offset, text in self.directives():
            found = re.match(r'#\s*include(?:_next)?\b\s*(?:"([^"\n]*)"|<([^>\n]*)>|(.*))', text)
            if not found:
                continue
            quoted, angled, computed = found.groups()
            form = '"' if quoted is not None else '<' if angled is not None else ''
            yield self.line_of(offset), form, quoted or angled or computed or ''


def closing(code, opening):
    """The offset of the bracket that closes the one at `opening`, or the end of the text."""
    depth = 0
    for found in re.compile(r'[(){}\[\]]').finditer(code, opening):
        depth += 1 if found.group() in '({[' else -1
        if depth == 0:
            return found.start()
    return len(code)
