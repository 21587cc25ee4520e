# fish completion for dataflare: dataflare completions fish
function __dataflare
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found (command dataflare __complete fish -- $before[2..-1] "$current" 2>/dev/null)
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
complete -c dataflare -f -a '(__dataflare)'
