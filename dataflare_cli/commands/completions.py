"""`dataflare completions`: the scripts that make Tab work in a shell.

They are short: all knowledge is behind `dataflare __complete` (see `complete`). They run
the program found in PATH, never the path that was typed: Tab in somebody else's directory
must not run what lies there.
"""

import re
from typing import Annotated, Literal

import typer

from dataflare_cli.commands.shared import environment
from dataflare_cli.errors import UsageError

Shell = Literal["bash", "zsh", "fish"]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

BASH = r"""# bash completion for NAME: NAME completions bash
_FUNCTION() {
    local line cur="${COMP_WORDS[COMP_CWORD]}" IFS=$'\n'
    [[ $cur == "=" ]] && cur=""
    COMPREPLY=()
    while read -r line; do
        case "$line" in
            :file)
                compopt -o filenames 2>/dev/null
                COMPREPLY+=($(compgen -f -- "$cur"))
                ;;
            :dir)
                compopt -o filenames 2>/dev/null
                COMPREPLY+=($(compgen -d -- "$cur"))
                ;;
            *=)
                compopt -o nospace 2>/dev/null
                COMPREPLY+=("$line")
                ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(command NAME __complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _FUNCTION NAME
"""

ZSH = r"""#compdef NAME
# zsh completion for NAME: NAME completions zsh
_FUNCTION() {
    local line text tab=$'\t'
    local -a found begun paths
    while IFS= read -r line; do
        text="${line%%$tab*}"
        case "$line" in
            :file) paths=(_files); continue ;;
            :dir) paths=(_files -/); continue ;;
            *$tab*) line="${text//:/\\:}:${line#*$tab}" ;;
            *) line="${line//:/\\:}" ;;
        esac
        case "$text" in
            *=) begun+=("$line") ;;
            *) found+=("$line") ;;
        esac
    done < <(command NAME __complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ! $#found )) || _describe 'NAME' found
    (( ! $#begun )) || _describe 'NAME' begun -S ''
    (( ! $#paths )) || $paths
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _FUNCTION "$@"
else
    # A .zshrc may have nothing of zsh's completion.
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _FUNCTION NAME
fi
"""

FISH = r"""# fish completion for NAME: NAME completions fish
function __FUNCTION
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command NAME __complete fish -- $before[2..-1] "$current" 2>/dev/null)
    for each in $found
        switch "$each"
            case ':file'
                __fish_complete_path "$current"
            case ':dir'
                __fish_complete_directories "$current"
            case '*'
                printf '%s\n' $each
        end
    end
end
complete -c NAME -f -a '(__FUNCTION)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def script(shell: str, name: str) -> str:
    """Return the completion script of a shell for the program called `name`."""
    function = re.sub(r"[^A-Za-z0-9]", "_", name)
    return SCRIPTS[shell].replace("FUNCTION", function).replace("NAME", name)


def command(
    ctx: typer.Context,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish")],
    name: Annotated[str, typer.Option("--name", help="What the program is called")] = "dataflare",
) -> None:
    """Print the completion script of a shell.

    Example:
      eval "$(dataflare completions bash)"
      dataflare completions zsh >> ~/.zshrc
      dataflare completions fish > ~/.config/fish/completions/dataflare.fish
    """
    if not NAME.fullmatch(name):
        raise UsageError(f"--name: {name!r} is not the name of a program")
    environment(ctx).write(script(shell, name).encode())
