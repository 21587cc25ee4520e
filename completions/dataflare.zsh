#compdef dataflare
# zsh completion for dataflare: dataflare completions zsh
_dataflare() {
    local line tab=$'\t'
    local -a found
    while IFS= read -r line; do
        case "$line" in
            :file) _files; return ;;
            :dir) _files -/; return ;;
            *$tab*) found+=("${${line%%$tab*}//:/\\:}:${line#*$tab}") ;;
            *) found+=("${line//:/\\:}") ;;
        esac
    done < <(command dataflare __complete zsh -- "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe 'dataflare' found
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _dataflare "$@"
else
    compdef _dataflare dataflare
fi
