# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wfx_global_optspecs
    string join \n db= store= config= as-owner trust-owner= format= utc h/help V/version
end

function __fish_wfx_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wfx_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wfx_using_subcommand
    set -l cmd (__fish_wfx_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wfx -n "__fish_wfx_needs_command" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_needs_command" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_needs_command" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_needs_command" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_needs_command" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_needs_command" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_needs_command" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_needs_command" -s V -l version -d 'Print version'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "exec" -d 'Run a workflow in the foreground'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "replay" -d 'Run a stored execution again, with its stored definition and parameters'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "retry" -d 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "start" -d 'Start a workflow of a daemon\'s folder, and wait for its end if that is wanted'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "serve" -d 'Serve the HTTP API'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "recover" -d 'Go on with executions whose process died'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "cancel" -d 'End an execution that runs, in whichever process'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "status" -d 'Show every workflow: its last execution, its last success, how long it usually takes'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "queue" -d 'Show who waits for a slot of a concurrency group, for whom and since when'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "list" -d 'List executions, newest first'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "show" -d 'Show an execution: steps, timeline, output, lineage'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "logs" -d 'Show everything that the steps of an execution printed, or follow what they print'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "diff" -d 'Compare two executions: definition, parameters, steps'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "purge" -d 'Delete finished executions'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "pin" -d 'Keep an execution: retention never deletes one that is pinned'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "unpin" -d 'Let retention delete an execution again'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "schedule" -d 'Show when workflows are due, and rehearse their schedules over any span of time'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "notify" -d 'Try the channels of notifications, and show what was sent'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "import" -d 'Make workflows of what other programs run: crontabs'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "validate" -d 'Check workflow documents without running them'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "perf-check" -d 'Check that nothing got slower: latencies against a baseline, for CI'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "slo-sim" -d 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "schema" -d 'Print the JSON Schema of workflow documents'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "config" -d 'Show every setting, its value and where it comes from'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "doctor" -d 'Look for what is wrong with the database, its surroundings and what was left'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "man" -d 'Print the manual page, or write all of them'
complete -c wfx -n "__fish_wfx_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l workflows -d 'The folder that the workflow is in' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand exec" -s p -l param -d 'A parameter; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand exec" -s v -l verbose -d 'Show what the steps write as they write it'
complete -c wfx -n "__fish_wfx_using_subcommand exec" -s q -l quiet -d 'Show nothing of a success, and of anything else what `wfx show` has: for cron'
complete -c wfx -n "__fish_wfx_using_subcommand exec" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l from -d 'Run this step, all that depend on it, and what `--failed` would; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -s p -l param -d 'A parameter that replaces the stored value; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l with -d 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l failed -d 'Run only the steps that did not succeed, and all that depend on them; reuse the others'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l dry-run -d 'Show for each step whether it would run or be reused, and why; store nothing'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -s v -l verbose -d 'Show what the steps write as they write it'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l from -d 'Run this step, all that depend on it, and what `--failed` would; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -s p -l param -d 'A parameter that replaces the stored value; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l with -d 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l dry-run -d 'Show for each step whether it would run or be reused, and why; store nothing'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -s v -l verbose -d 'Show what the steps write as they write it'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand start" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand start" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand start" -s p -l param -d 'A parameter; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand start" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand start" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand start" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand start" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand start" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand start" -s w -l wait -d 'Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running'
complete -c wfx -n "__fish_wfx_using_subcommand start" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand start" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand start" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand start" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l listen -d 'Where to listen, ADDRESS:PORT or unix:PATH; repeat for more. Anything but a loopback address or a unix socket needs a token [WFX_LISTEN; default: 127.0.0.1:8080]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l listen-mode -d 'The mode of the files of unix sockets, octal: who can write to one can do everything there, without a token [WFX_LISTEN_MODE; default: 0600]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l workflows -d 'The folder of the workflows that can be started by their id; watched [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l workdir -d 'The folder in which steps run [WFX_WORKDIR; default: the current one]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l definitions -d 'Who may define what is run: the files of --workflows only, or requests as well, which then can run any command [default: api where a token is set, else files]' -r -f -a "files\t''
api\t''"
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l token-file -d 'The file with the token that requests need, or with lines of `NAME TOKEN`, one for each who has access [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l allowed-hosts -d 'Host names under which this server is reached, beside its own; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l public-url -d 'The URL under which this server is reached, such as that of a proxy: requests for its host and from its pages are accepted [WFX_PUBLIC_URL; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l max-connections -d 'The most connections' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l max-in-flight -d 'The most executions that run, or have ended and are not stored; beyond: 503' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l drain-timeout -d 'How long running executions may take to end when the daemon is stopped [WFX_DRAIN_TIMEOUT; default: 30s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l handover-timeout -d 'How long the daemon that is started on SIGUSR2 may take to get ready; then this one goes on [WFX_HANDOVER_TIMEOUT; default: 30s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l log -d 'How much is logged: error, warn, info, debug or trace [WFX_LOG; default: info]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l access-log -d 'Where each request is logged, a line of JSON as slo-sim reads it; `-`: standard output [WFX_ACCESS_LOG; default: nowhere]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-error-rate-threshold -d 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-error-rate-5xx-threshold -d 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-error-rate-4xx-threshold -d 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-error-rate-window -d 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-latency-p95-threshold -d 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-latency-window -d 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-min-samples -d 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-alert-cooldown-seconds -d 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-alert-webhook-url -d 'Where alerts are posted as JSON; `SLO_ALERT_WEBHOOK_SECRET` holds what signs them [SLO_ALERT_WEBHOOK_URL; default: nowhere]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-alert-webhook-secret-file -d 'The file with the secret that signs alerts [SLO_ALERT_WEBHOOK_SECRET holds the secret itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l slo-notify -d 'The channels of the configuration file that alerts go to, separated by commas, and the end of each breach [SLO_NOTIFY; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l no-schedules -d 'Starts nothing by the schedules of these workflows'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l metrics-open -d 'Lets /metrics be read without the token'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l no-page -d 'Serves no web page, only the API'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand serve" -s h -l help -d 'Print help'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l assume-dead -d 'Also those of which it cannot be proven that their process is dead: of a database that was copied, of another machine or container. Only if you are sure that nobody runs them'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -s v -l verbose -d 'With an ID, show what the steps write as they write it'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l no-wait -d 'Leave the request and do not wait for the end'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand status" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand status" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand status" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand status" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand status" -l workflows -d 'The folder of workflows, to show those that never ran and files that are broken [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand status" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand status" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand status" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand status" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand status" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand status" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand queue" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand queue" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand list" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand list" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand list" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand list" -l workflow -d 'Only executions of this workflow' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l status -d 'Only executions in this state' -r -f -a "pending\t''
running\t''
success\t''
failed\t''
cancelled\t''
interrupted\t''"
complete -c wfx -n "__fish_wfx_using_subcommand list" -l limit -d 'How many at most, up to 10000' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l offset -d 'How many of the newest to leave out' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l since -d 'Only executions created in the last 2h, or since 2026-01-31T12:00:00Z' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand list" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand list" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand list" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand list" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand show" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand show" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand show" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand show" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand show" -l output -d 'How much of the output of steps and of what they run' -r -f -a "tail\t'The last 10 lines of each stream'
all\t'The last 64 KiB of each stream, of every attempt; and whole scripts. `wfx logs` has the rest'
none\t'None'"
complete -c wfx -n "__fish_wfx_using_subcommand show" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand show" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand show" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand show" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand show" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand show" -l source -d 'Say where the values of its definition come from: the workflow or `_defaults.yaml`'
complete -c wfx -n "__fish_wfx_using_subcommand show" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l attempt -d 'One attempt of the step; without it all of them, one after the other' -r
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l stream -d 'One of the two streams; without it both, in the order of arrival' -r -f -a "stdout\t''
stderr\t''"
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l since -d 'Only what was printed since then: a duration such as 10m, or a time' -r
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -s f -l follow -d 'Go on until the execution, or the step, has ended'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l timestamps -d 'Begin each line with the time at which it began'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand diff" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand diff" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l older-than -d 'Only executions that completed longer ago than this' -r
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l status -d 'Only executions in this state: success, failed, cancelled, interrupted' -r
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l all -d 'Every finished execution that the other options let through'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l include-pinned -d 'Delete pinned executions like others'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -l dry-run -d 'Show what would be deleted, and why each execution goes or stays; delete nothing'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -s v -l verbose -d 'With --dry-run: list every execution'
complete -c wfx -n "__fish_wfx_using_subcommand purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l reason -d 'Why it is kept, for those who find it later' -r
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand pin" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand pin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand unpin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "list" -d 'Show every schedule with its next start and what was decided last'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "next" -d 'Show when workflows are due next'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "history" -d 'Show what was decided of scheduled times, the latest first'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "pause" -d 'Let the schedules of a workflow, or of all, start nothing'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "resume" -d 'Let them start again'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "run" -d 'Start one scheduled time by hand, such as one that was missed'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "sim" -d 'Rehearse a span of time: what would become of every scheduled time in it'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and not __fish_seen_subcommand_from list next history pause resume run sim help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l workflows -d 'The folder of workflows [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l workflows -d 'The folder of workflows [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -s n -l count -d 'How many times' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l from -d 'Those after this time; a date is its beginning in UTC [default: now]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from next" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l limit -d 'How many rows; times in a row of which nothing was started are one' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l until -d 'Until when: a time, a date, which begins in UTC, or a duration from now [default: until `wfx schedule resume`]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l reason -d 'Why, for those who find it later' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l workflows -d 'The folder of workflows, to know the names of those that never ran [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l at -d 'The scheduled time [default: the last one that was missed]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l schedule -d 'Of which schedule, where several have that time' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l workflows -d 'The folder of workflows [WFX_WORKFLOWS; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l retention -d 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l durability -d '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]' -r -f -a "full\t''
normal\t''"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l output-limit -d 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l output-total -d 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l output-retention -d 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l max-steps -d 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l store-timeout -d 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Show what the steps write'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l from -d 'The first scheduled time; a date is its beginning in UTC. wfx sees the schedules then' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l to -d 'The first scheduled time that does not belong to it any more' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l down -d 'When no daemon runs, such as 2026-03-10T22:00:00Z/36h; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l takes -d 'How long an execution takes [default: the median of those that are stored, else 0]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from sim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "list" -d 'Show every schedule with its next start and what was decided last'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "next" -d 'Show when workflows are due next'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "history" -d 'Show what was decided of scheduled times, the latest first'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Let the schedules of a workflow, or of all, start nothing'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Let them start again'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "run" -d 'Start one scheduled time by hand, such as one that was missed'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "sim" -d 'Rehearse a span of time: what would become of every scheduled time in it'
complete -c wfx -n "__fish_wfx_using_subcommand schedule; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -f -a "test" -d 'Send a notification that is marked as a test, and wait for the answer of the receiver'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -f -a "history" -d 'Show notifications, newest first: what was accepted, waits or was given up'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and not __fish_seen_subcommand_from test history help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l event -d 'What the test is about' -r -f -a "failed\t''
recovered\t''
cancelled\t''
handler_failed\t''
missed\t''
late\t''
slow\t''
stale\t''"
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l channel -d 'Only those to this channel' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l workflow -d 'Only those about this workflow' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l state -d 'Only those in this state' -r -f -a "pending\t''
accepted\t''
given_up\t''
dropped\t''"
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l limit -d 'How many at most, up to 10000' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l server -d 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l token-file -d 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l insecure -d 'Send to another machine over http://, where others can read the token'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a notification that is marked as a test, and wait for the answer of the receiver'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "history" -d 'Show notifications, newest first: what was accepted, waits or was given up'
complete -c wfx -n "__fish_wfx_using_subcommand notify; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -f -a "crontab" -d 'Make a workflow of each line of a crontab'
complete -c wfx -n "__fish_wfx_using_subcommand import; and not __fish_seen_subcommand_from crontab help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l out -d 'The folder for the workflows; it is created' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l user-column -d 'Whether each line names a user before its command, as in /etc/crontab; auto: as it looks' -r -f -a "auto\t''
yes\t''
no\t''"
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l timezone -d 'The zone in which cron reads the times [default: that of this machine]' -r
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l overwrite -d 'Replace files that are there already'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from crontab" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from help" -f -a "crontab" -d 'Make a workflow of each line of a crontab'
complete -c wfx -n "__fish_wfx_using_subcommand import; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand validate" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l stats -d 'What a load tool measured: Locust\'s `…_stats.csv`, oha\'s JSON, k6\'s summary [default: perf/locust_stats.csv]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l target -d 'Measure this server: http://127.0.0.1:8080, https://…' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l scenario -d 'What to measure: JSON, YAML or TOML; `wfx schema perf-scenario` describes it' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l rate -d 'Requests in a second, of each endpoint [default: 50]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l duration -d 'How long to measure [default: 30s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l warmup -d 'How long to make requests before [default: 2s]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l closed -d 'Saturate: so many connections, each sending as soon as it has its answer' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l connections -d 'The most connections; what finds none free waits, and its wait counts' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l timeout -d 'When a request has failed, from when it was due' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l header -d 'A header of every request, such as \'Authorization: Bearer x\'; repeat for more' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l workflow -d 'Only steps of this workflow' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l since -d 'Only executions of the last 7d, or since 2026-01-31T12:00:00Z' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l reference-since -d 'Compare them with the executions from 14d ago, or from 2026-01-17T12:00:00Z, up to --since, instead of a baseline' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l reference -d 'Measure the build before side by side with --target, in pairs of requests, instead of a baseline: 500 to 8,000 pairs of each endpoint, as many as it takes' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l least-difference-ms -d 'A smaller difference does not matter, whatever its share, in ms' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l seed -d 'Of the order within pairs [default: another one each time]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l endpoint -d 'An endpoint such as \'GET /x\'; repeat for more. Of a file only these are judged; of one that does not say what it measured, this is its name' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l track-endpoints -d 'Judge only endpoints with one of these substrings [TRACK_ENDPOINTS; default: all]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l baseline -d 'The baseline' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l tolerance-median-ms -d 'How much slower a median may be, in ms [REG_TOL_MEDIAN_MS; default: 50]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l tolerance-p95-ms -d 'How much slower a 95th percentile may be, in ms [REG_TOL_P95_MS; default: 80]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l tolerance-median -d 'How much slower a median may be, as a share of the baseline or a time, such as 10% or 5ms' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l tolerance-p95 -d 'How much slower a 95th percentile may be, likewise' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l max-error-rate -d 'The largest share of requests that may fail, from 0 to 1' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l junit -d 'Write a JUnit report [PERF_JUNIT; default: false; default path: perf/performance_junit.xml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l markdown -d 'Write the result as Markdown' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l summary -d 'Write the result as JSON' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l steps -d 'Judge how long steps of workflows took, as the database has them'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l update-baseline -d 'Take what is measured for the new baseline, and judge nothing [UPDATE_BASELINE; default: false]'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l strict -d 'Endpoints that the baseline does not have fail'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand perf-check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l trace -d 'Request logs, `-` for standard input, put in the order of their times: NDJSON as `serve --access-log` writes it, CSV with the same names, access logs of nginx and Apache, logs with a line `#Fields:` (IIS, CloudFront); gzip too' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l scenario -d 'Made up traffic: a file, or a name that --list shows' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l log-format -d 'What an access log is made of, as nginx (`log_format`) or Apache (`LogFormat`) has it, or `combined`, `common`, `main`, `vhost_combined`, `combinedio`, `haproxy` or `squid`; a duration in another unit is `${request_time:ms}` or `%{ms}D`' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l max-unreadable -d 'The share of lines that may be unreadable, such as 5% or 0.05; with more of them nothing is judged' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l seed -d 'Another seed gives other traffic of the same kind [default: that of the scenario, or 1]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-error-rate-threshold -d 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-error-rate-5xx-threshold -d 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-error-rate-4xx-threshold -d 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-error-rate-window -d 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-latency-p95-threshold -d 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-latency-window -d 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-min-samples -d 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l slo-alert-cooldown-seconds -d 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l list -d 'Lists the scenarios that have a name'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l as-given -d 'Takes requests in the order of the files instead of that of their times'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l strict -d 'Stops at the first line that cannot be read'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l fail-on-breach -d 'Exits with 1 when there is a breach'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand slo-sim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand schema" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand config" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand config" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand config" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand config" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand config" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand config" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand config" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand config" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand completions" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand completions" -s h -l help -d 'Print help'
complete -c wfx -n "__fish_wfx_using_subcommand man" -l dir -d 'Write the page of every command, and of the workflow format, into this folder' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand man" -l store -d 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand man" -l db -d 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand man" -l trust-owner -d 'Use the database of this user as if it were one\'s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]' -r
complete -c wfx -n "__fish_wfx_using_subcommand man" -l config -d 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]' -r -F
complete -c wfx -n "__fish_wfx_using_subcommand man" -l format -d 'How results are written to standard output' -r -f -a "table\t'For people'
json\t'One JSON document'
jsonl\t'JSON, one object per line'
plain\t'Fields separated by tabs, without headers'"
complete -c wfx -n "__fish_wfx_using_subcommand man" -l as-owner -d 'As root, work as the user whom the database belongs to'
complete -c wfx -n "__fish_wfx_using_subcommand man" -l utc -d 'Show times in UTC, on a terminal too; without it they are local there'
complete -c wfx -n "__fish_wfx_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "exec" -d 'Run a workflow in the foreground'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "replay" -d 'Run a stored execution again, with its stored definition and parameters'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "retry" -d 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "start" -d 'Start a workflow of a daemon\'s folder, and wait for its end if that is wanted'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "serve" -d 'Serve the HTTP API'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "recover" -d 'Go on with executions whose process died'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "cancel" -d 'End an execution that runs, in whichever process'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "status" -d 'Show every workflow: its last execution, its last success, how long it usually takes'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "queue" -d 'Show who waits for a slot of a concurrency group, for whom and since when'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "list" -d 'List executions, newest first'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "show" -d 'Show an execution: steps, timeline, output, lineage'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "logs" -d 'Show everything that the steps of an execution printed, or follow what they print'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "diff" -d 'Compare two executions: definition, parameters, steps'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "purge" -d 'Delete finished executions'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "pin" -d 'Keep an execution: retention never deletes one that is pinned'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "unpin" -d 'Let retention delete an execution again'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "schedule" -d 'Show when workflows are due, and rehearse their schedules over any span of time'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "notify" -d 'Try the channels of notifications, and show what was sent'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "import" -d 'Make workflows of what other programs run: crontabs'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "validate" -d 'Check workflow documents without running them'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "perf-check" -d 'Check that nothing got slower: latencies against a baseline, for CI'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "slo-sim" -d 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "schema" -d 'Print the JSON Schema of workflow documents'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "config" -d 'Show every setting, its value and where it comes from'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "doctor" -d 'Look for what is wrong with the database, its surroundings and what was left'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "man" -d 'Print the manual page, or write all of them'
complete -c wfx -n "__fish_wfx_using_subcommand help; and not __fish_seen_subcommand_from exec replay retry start serve recover cancel status queue list show logs diff purge pin unpin schedule notify import validate perf-check slo-sim schema config doctor completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wfx -n "__fish_wfx_using_subcommand show" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand logs" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand diff" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand replay" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand retry" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand cancel" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand recover" -f -k -a '(wfx complete executions 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand start" -f -k -a '(wfx complete startable 2>/dev/null)'
complete -c wfx -n "__fish_wfx_using_subcommand list" -l workflow -x -a '(wfx complete workflows 2>/dev/null)'
