"""Shell text as documents hold it, taken apart: what the parser knows is what the documents use."""
import re
import shlex

SUBSTITUTED = "SUBSTITUTED"  # stands where $(…) stood
OPENERS = {"do", "then", "else", "if", "while", "until", "!", "{"}
CLOSERS = {"done", "fi", "}"}
SEPARATORS = {";", "&&", "||", "&", "(", ")"}


def pipelines(text):
    """Every pipeline of the text, those inside $(…) included, as lists of commands, which are lists of words."""
    text = re.sub(r"<<-?\s*(['\"]?)(\w+)\1(.*)\n(?:.*\n)*?\s*\2(?=\n|$)", r"\3", text).replace("\\\n", " ")
    found = []
    for inner in _substitutions(text):
        found += pipelines(inner)
    text = _without_substitutions(text)
    for line in text.split("\n"):
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        found += _of_words(list(lexer))
    return found


def _of_words(words):
    found, pipeline, command = [], [], []
    for word in [*words, ";"]:
        if word not in SEPARATORS | {"|", "|&"}:
            command.append(word)
            continue
        command = _bare(command)
        pipeline += [command] if command else []
        command = []
        if word not in ("|", "|&"):
            found += [pipeline] if pipeline else []
            pipeline = []
    return found


def _bare(command):
    """Without keywords, assignments and redirections."""
    while command and (command[0] in OPENERS or re.match(r"\w+=", command[0])):
        command = command[1:]
    if command and (command[0] in CLOSERS or command[0] == "for"):
        return []
    kept, skip = [], False
    for i, word in enumerate(command):
        following = command[i + 1] if i + 1 < len(command) else ""
        if skip:
            skip = False
        elif re.fullmatch(r"[<>]+[&|]?", word):
            skip = True
        elif not (re.fullmatch(r"\d", word) and re.match(r"[<>]", following)):
            kept.append(word)
    return kept


def _spans(text):
    """Where each outermost $(…) begins and ends."""
    at = text.find("$(")
    while at >= 0:
        depth, end = 0, at + 1
        while end < len(text):
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
            if depth == 0:
                break
        yield at, end
        at = text.find("$(", end)


def _substitutions(text):
    return [text[begin + 2:end - 1] for begin, end in _spans(text)]


def _without_substitutions(text):
    out, last = "", 0
    for begin, end in _spans(text):
        out, last = out + text[last:begin] + SUBSTITUTED, end
    return out + text[last:]
