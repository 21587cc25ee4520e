# bash completion for dataflare: dataflare completions bash
_dataflare() {
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
    done < <(command dataflare __complete bash -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _dataflare dataflare
