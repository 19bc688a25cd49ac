"""Where statements and functions begin and end, found by matching brackets.

No parser of C++: the kind of a `{` is guessed from the text before it. What the guesses have to tell apart: a block, a
braced initialiser (part of its statement), a requires-expression (the same), a namespace or class (a scope, in which functions
stand) and a function. A lambda's body inside a call is a block whose statements are told apart from the call's own.
Each preprocessor line is a statement. Where `#if` and `#else` open the same brace twice, one of the two counts.
"""

import collections
import re

import cpp_source

mark = re.compile(r'[{}()\[\];]|\b(?:public|protected|private)\s*:(?!:)|^[ \t]*#(?:\\\n|[^\n])*', re.MULTILINE)

# What may stand before the `{` of a block although it looks like the name of a type that is being initialised.
block_words = {'else', 'do', 'try', 'const', 'noexcept', 'override', 'final', 'mutable', 'volatile', 'constexpr', 'consteval'}
before_initialiser = {'=', ',', '(', '[', '{', '?', 'return', 'co_return', 'co_yield'}
requires_expression = re.compile(r'\brequires\s*(?:\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))?\s*$')
trailing_return = re.compile(r'(?:[)\]]|\b(?:const|mutable|noexcept))\s*(?:&&?)?\s*->\s*[^;{}=]*$')
scope_header = re.compile(r'[^(=<\[]*?\b(?:namespace|class|struct|union|enum)\b|extern\s*"\s*"\s*$|TEST_SUITE\b')
decoration = re.compile(r'\[\[.*?\]\]|\balignas\s*\([^()]*\)|\b__attribute__\s*\(\(.*?\)\)', re.DOTALL)

# An open bracket. `resume`: where the statement began that goes on after it is closed, None if none does.
bracket = collections.namedtuple('bracket', 'kind at header resume')
# A function's header begins at `start`; its braces stand at `opened` and `closed`.
function = collections.namedtuple('function', 'start opened closed')


def without_template(header):
    """The header without attributes, alignments and its leading template parameter lists."""
    rest = decoration.sub(' ', header).strip()
    while re.match(r'template\s*<', rest):
        depth, at = 0, rest.index('<')
        while at < len(rest):
            depth += {'<': 1, '(': 1, '>': -1, ')': -1}.get(rest[at], 0)
            at += 1
            if depth == 0:
                break
        rest = rest[at:].strip()
    return rest


class shape:
    """`statements`: (start, end) offsets; `functions`: those in namespaces and classes, with what they hold."""

    def __init__(self, code):
        self.statements = []
        self.functions = []
        self.code = cpp_source.directive.sub(lambda found: cpp_source.blank(found.group()), code)
        self.stack = []       # of brackets
        self.start = 0        # of the statement that is being read
        self.saved = []       # the stack as it was at each open #if
        for found in mark.finditer(code):
            text, at = found.group(), found.start()
            if text.lstrip().startswith('#'):
                self.read_directive(found)
            elif text in '([':
                self.stack.append(bracket(text, at, at, None))
            elif text in ')]':
                if self.stack and self.stack[-1].kind in '([':
                    self.stack.pop()
            elif text == '{':
                self.open_brace(at)
            elif text == '}':
                self.close_brace(at)
            elif text == ';':
                self.end_statement(at)
            elif self.in_scope() and not self.code[self.start:at].strip():
                self.start = found.end()       # an access label is no part of what follows it

    def in_scope(self):
        """Is the innermost brace that of a namespace or class, or is there none?"""
        return next((open_.kind for open_ in reversed(self.stack) if open_.kind not in '(['), 'scope') == 'scope'

    def emit(self, start, end):
        """Records a statement, from its first character that is not a space."""
        text = self.code[start:end]
        if text.strip(' \n\t;'):
            self.statements.append((start + len(text) - len(text.lstrip()), end))

    def read_directive(self, found):
        self.statements.append(found.span())
        word = re.match(r'\s*#\s*(\w*)', found.group()).group(1)
        if word in ('if', 'ifdef', 'ifndef'):
            self.saved.append(list(self.stack))
        elif word.startswith('el') and self.saved:
            if self.stack != self.saved[-1]:
                self.stack, self.start = list(self.saved[-1]), found.end()
        elif word == 'endif' and self.saved:
            self.saved.pop()

    def block_kind(self, rest):
        """A block outside any function, with a parameter list before it, is a function's."""
        return 'function' if self.in_scope() and '(' in rest else 'block'

    def brace_kind(self, header):
        """What a `{` opens, from the text of its statement so far."""
        before, rest = header.rstrip(), without_template(header)
        if requires_expression.search(before):
            return 'requires'
        if scope_header.match(rest):
            return 'scope'
        word = re.search(r'(?:\w+|\S)$', before)
        last = word.group() if word else ''
        if last in before_initialiser or not last and self.stack and self.stack[-1].kind == 'initialiser':
            return 'initialiser'
        type_like = re.fullmatch(r'\w+|>', last) and last not in block_words
        if type_like and not trailing_return.search(before) and not re.search(r'\brequires\b', rest):
            return 'initialiser'
        return self.block_kind(rest)

    def open_brace(self, at):
        text = self.code[self.start:at]
        kind = self.brace_kind(text)
        header = self.start + len(text) - len(text.lstrip())
        if kind in ('initialiser', 'requires'):
            self.stack.append(bracket(kind, at, header, None))
            return
        nested = self.stack and self.stack[-1].kind in ('(', '[', 'initialiser', 'requires')
        if not nested:
            self.emit(self.start, at)
        self.stack.append(bracket(kind, at, header, self.start if nested else None))
        self.start = at + 1

    def close_brace(self, at):
        while self.stack and self.stack[-1].kind in '([':
            self.stack.pop()
        if not self.stack:
            self.start = at + 1
            return
        closed = self.stack.pop()
        if closed.kind in ('initialiser', 'requires'):
            return
        self.emit(self.start, at)
        self.start = at + 1 if closed.resume is None else closed.resume
        if closed.kind == 'function':
            self.functions.append(function(closed.header, closed.at, at))

    def end_statement(self, at):
        """A semicolon; inside parentheses or a requires-expression it ends nothing."""
        kind = self.stack[-1].kind if self.stack else 'scope'
        if kind in ('(', '[', 'requires'):
            return
        if kind == 'initialiser':       # no initialiser holds a semicolon: it was a block after all
            wrong = self.stack.pop()
            self.emit(self.start, wrong.at)
            kind = self.block_kind(without_template(self.code[wrong.header:wrong.at]))
            self.stack.append(bracket(kind, wrong.at, wrong.header, None))
            self.start = wrong.at + 1
        self.emit(self.start, at + 1)
        self.start = at + 1

    def statement_at(self, offset):
        """The innermost statement around an offset: (start, end)."""
        around = [s for s in self.statements if s[0] <= offset < s[1]]
        return min(around, key=lambda s: s[1] - s[0]) if around else (offset, offset + 1)
