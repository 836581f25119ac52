# fish completion for reeve(1)

# The words before the cursor's, without the program and --state DIR.
function __reeve_words
    set -l words (commandline -opc)
    set -l i 2
    while test $i -le (count $words)
        if test "$words[$i]" = --state
            set i (math $i + 1)
        else
            echo -- $words[$i]
        end
        set i (math $i + 1)
    end
end

# What the state directory that the line is about answers; nothing is waited
# for long, and nothing is said if it cannot be asked.
function __reeve_ask
    set -l words (commandline -opc)
    set -l state
    set -l i (contains -i -- --state $words)
    and set state --state $words[(math $i + 1)]
    timeout 3 reeve $state $argv --json 2>/dev/null
end

# The strings that JSON's members of this name have.
function __reeve_strings
    grep -o '"'$argv[1]'":"[A-Za-z0-9_.>*-]*"' | cut -d '"' -f 4 | sort -u
end

function __reeve_command
    for w in (__reeve_words)
        if not string match -q -- '-*' $w
            echo $w
            return 0
        end
    end
    return 1
end

function __reeve_is
    contains -- (__reeve_command; or echo '') $argv
end

function __reeve_needs_command
    not __reeve_command >/dev/null
end

# Operands of the command so far.  Words behind options that take a value may
# be counted, too: good enough for who has none.
function __reeve_operands
    set -l words (__reeve_words | string match -v -- '-*')
    math (count $words) - 1
end

function __reeve_first
    __reeve_is $argv
    and test (__reeve_operands) -eq 0
end

function __reeve_later
    __reeve_is $argv
    and test (__reeve_operands) -gt 0
end

function __reeve_commands
    reeve help 2>/dev/null | string replace -rf '^  ([a-z]+)  +(.*)$' '$1\t$2'
end

# What is supervised comes first in a status, and has a want.
function __reeve_roles
    __reeve_ask status | grep -o '"name":"[^"]*","state":"[^"]*","want"' |
        __reeve_strings name
end

# Agents whose credentials are here.
function __reeve_own_agents
    set -l dir (__reeve_ask status | grep -o '"state":"/[^"]*"' | head -n 1 | cut -d '"' -f 4)
    for f in $dir/agents/*.creds
        basename $f .creds
    end
end

# Agents that this host runs.
function __reeve_run_agents
    set -l dir (__reeve_ask status | grep -o '"state":"/[^"]*"' | head -n 1 | cut -d '"' -f 4)
    for f in $dir/agents/*/agent.json
        basename (dirname $f)
    end
end

function __reeve_agents
    __reeve_own_agents
    __reeve_ask roster | __reeve_strings name
end

function __reeve_channels
    __reeve_ask channels | __reeve_strings channel
end

function __reeve_personas
    __reeve_ask personas | __reeve_strings ref
end

# Each option of each command, from its help; what takes a value says so.
function __reeve_option_values
    switch $argv[1]
        case as
            echo '(__reeve_own_agents)'
        case to mention
            echo '(__reeve_agents)'
        case channel subscribe allow-subscribe allow-publish
            echo '(__reeve_channels)'
        case class
            echo 'live durable default'
        case replay
            echo 'yes no default'
        case replicas
            echo '1 3 5'
        case setup
            echo 'claude codex opencode'
        case agent
            echo 'claude codex opencode command'
        case restart
            echo 'never on-failure always'
        case ready
            echo '(__reeve_roles) all'
    end
end

complete -c reeve -f
complete -c reeve -n __reeve_needs_command -a '(__reeve_commands)'
complete -c reeve -l state -x -a '(__fish_complete_directories)' -d 'state directory'
complete -c reeve -n __reeve_needs_command -l version -d 'print the version'

for __reeve_c in (__reeve_commands | string replace -r '\t.*' '')
    for __reeve_line in (reeve help $__reeve_c 2>/dev/null | string match -r '^  --.*')
        set -l part (string match -r '^  --([a-z-]+)( [^ ]+)?  +(.*)$' -- $__reeve_line)
        or set part (string match -r '^  --([a-z-]+)( [^ ]+)?()$' -- $__reeve_line)
        set -l name $part[2]
        test -n "$name" -a "$name" != state; or continue
        if not string match -qr '^  --[a-z-]+ [A-Z]' -- $__reeve_line
            complete -c reeve -n "__reeve_is $__reeve_c" -l $name -d "$part[-1]"
        else if contains -- $name config creds import-trust trust workspace
            complete -c reeve -n "__reeve_is $__reeve_c" -l $name -r -F -d "$part[-1]"
        else
            set -l values (__reeve_option_values $name)
            complete -c reeve -n "__reeve_is $__reeve_c" -l $name -x -a "$values" -d "$part[-1]"
        end
    end
end
set -e __reeve_c __reeve_line

complete -c reeve -n '__reeve_is restart start stop wait' -a '(__reeve_roles)'
complete -c reeve -n '__reeve_first attach' -a '(__reeve_run_agents)'
complete -c reeve -n '__reeve_is join leave listen history' -a '(__reeve_channels)'
complete -c reeve -n '__reeve_first channels' -a 'list set'
complete -c reeve -n '__reeve_later channels' -a '(__reeve_channels)'
complete -c reeve -n '__reeve_first dead' -a 'list replay drop'
complete -c reeve -n '__reeve_later dead' -a all
complete -c reeve -n '__reeve_first personas' -a 'list show new'
complete -c reeve -n '__reeve_later personas' -a '(__reeve_personas)'
complete -c reeve -n '__reeve_first config' -a check
complete -c reeve -n '__reeve_later config' -F
complete -c reeve -n '__reeve_first help' -a '(__reeve_commands)'
