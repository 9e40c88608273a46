"""The scripts behind `completion`, made from the commands.

Everything that can be typed is in the script, so a Tab starts no process. zsh can run the script for bash, and does.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from consumer.cli.tree import Command, Parameter, takes_file

PROGRAM: Final = "customfit-consumer"
EVERYWHERE: Final = ("--help",)
AT_THE_TOP: Final = ("--help", "--version")
FILES: Final = "local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$word\")); compopt -o filenames 2>/dev/null; return"


def bash(commands: Sequence[Command]) -> str:
    """To be sourced, or evaluated."""
    below = _below(commands)
    paths = "|".join(shlex.quote(path) for path in below if path)
    words = [f"        {shlex.quote(path)}) words={shlex.quote(' '.join(names))} ;;" for path, names in below.items()]
    return f"""\
# What {PROGRAM} takes, for bash. Made by `{PROGRAM} completion bash`.
_customfit_consumer() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} path= words= i
  if [ "$word" = "=" ]; then word=; elif [ "$before" = "=" ]; then before=${{COMP_WORDS[COMP_CWORD-2]}}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{path:+$path }}${{COMP_WORDS[i]}}" in
      {paths}) path="${{path:+$path }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  COMPREPLY=()
  case "$path $before" in
{_lines(_bash_values(commands))}
    *) case "$path" in
{_lines(words)}
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -F _customfit_consumer {PROGRAM}
"""


def zsh(commands: Sequence[Command]) -> str:
    """The script for bash, for which zsh has what it needs."""
    return f"""\
# What {PROGRAM} takes, for zsh. Made by `{PROGRAM} completion zsh`.
(( ${{+functions[compdef]}} )) || {{ autoload -Uz compinit && compinit; }}
autoload -Uz bashcompinit && bashcompinit
{bash(commands)}"""


def fish(commands: Sequence[Command]) -> str:
    """One line for each thing that can be typed."""
    lines = [f"# What {PROGRAM} takes, for fish. Made by `{PROGRAM} completion fish`.", f"complete -c {PROGRAM} -f"]
    tops = list(dict.fromkeys(command.path[0] for command in commands))
    groups = {top: [c.path[1] for c in commands if c.path[0] == top and len(c.path) > 1] for top in tops}
    lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -l version -d 'Print the version and end.'")
    lines.append(f"complete -c {PROGRAM} -s h -l help -d 'Show what it takes.'")
    for top in tops:
        about = next(command.help for command in commands if command.path[0] == top) if not groups[top] else ""
        lines.append(f"complete -c {PROGRAM} -n __fish_use_subcommand -a {top} -d {_fish_quoted(_first(about))}")
    for command in commands:
        top, *rest = command.path
        seen = f"__fish_seen_subcommand_from {top}"
        if rest:
            others = f"{seen}; and not __fish_seen_subcommand_from {' '.join(groups[top])}"
            about = _fish_quoted(_first(command.help))
            lines.append(f"complete -c {PROGRAM} -n '{others}' -a {rest[0]} -d {about}")
            seen = f"{seen}; and __fish_seen_subcommand_from {rest[0]}"
        lines += [_fish_line(seen, parameter) for parameter in command.parameters() if _is_completed(parameter)]
    return "\n".join(lines) + "\n"


SCRIPTS: Final[Mapping[str, Callable[[Sequence[Command]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _below(commands: Sequence[Command]) -> dict[str, list[str]]:
    """What may come next after what has been typed: `""`, `"dlq"`, `"dlq list"`."""
    below: dict[str, list[str]] = {"": []}
    for command in commands:
        for depth, word in enumerate(command.path):
            names = below.setdefault(" ".join(command.path[:depth]), [])
            if word not in names:
                names.append(word)
        given = below.setdefault(command.name, [])
        for parameter in command.parameters():
            given += parameter.choices if parameter.is_argument else parameter.names
    return {path: [*names, *(EVERYWHERE if path else AT_THE_TOP)] for path, names in below.items()}


def _bash_values(commands: Sequence[Command]) -> Iterator[str]:
    """What may follow an option that takes a value. For most options nobody can guess."""
    options = defaultdict[str, list[str]](list)
    for command in commands:
        for parameter in command.parameters():
            if not parameter.is_argument and parameter.takes_value:
                action = FILES if takes_file(parameter) else f"words={shlex.quote(' '.join(parameter.choices))}"
                options[action] += (shlex.quote(f"{command.name} {name}") for name in parameter.names)
    for action, patterns in options.items():
        yield f"    {'|'.join(patterns)}) {action} ;;"


def _is_completed(parameter: Parameter) -> bool:
    return not parameter.is_argument or bool(parameter.choices)


def _fish_line(seen: str, parameter: Parameter) -> str:
    line = f"complete -c {PROGRAM} -n '{seen}'"
    if parameter.is_argument:
        return f"{line} -a '{' '.join(parameter.choices)}'"
    for name in parameter.names:
        line += f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
    if takes_file(parameter):
        line += " -r -F"
    elif parameter.choices:
        line += f" -x -a '{' '.join(parameter.choices)}'"
    elif parameter.takes_value:
        line += " -x"
    return f"{line} -d {_fish_quoted(_first(parameter.help))}"


def _first(text: str) -> str:
    """The first line, which is a sentence."""
    return text.partition("\n")[0]


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _lines(rows: Sequence[str] | Iterator[str]) -> str:
    return "\n".join(rows)
