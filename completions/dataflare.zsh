#compdef dataflare
# zsh completion for dataflare: dataflare completions zsh
_dataflare() {
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
    done < <(command dataflare __complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    (( ! $#found )) || _describe 'dataflare' found
    (( ! $#begun )) || _describe 'dataflare' begun -S ''
    (( ! $#paths )) || $paths
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _dataflare "$@"
else
    # A .zshrc may have nothing of zsh's completion.
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
    compdef _dataflare dataflare
fi
