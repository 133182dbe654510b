
use builtin;
use str;

set edit:completion:arg-completer[wfx] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'wfx'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'wfx'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand exec 'Run a workflow in the foreground'
            cand replay 'Run a stored execution again, with its stored definition and parameters'
            cand retry 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`'
            cand start 'Start a workflow of a daemon''s folder, and wait for its end if that is wanted'
            cand serve 'Serve the HTTP API'
            cand recover 'Go on with executions whose process died'
            cand cancel 'End an execution that runs, in whichever process'
            cand status 'Show every workflow: its last execution, its last success, how long it usually takes'
            cand queue 'Show who waits for a slot of a concurrency group, for whom and since when'
            cand list 'List executions, newest first'
            cand show 'Show an execution: steps, timeline, output, lineage'
            cand logs 'Show everything that the steps of an execution printed, or follow what they print'
            cand diff 'Compare two executions: definition, parameters, steps'
            cand purge 'Delete finished executions'
            cand pin 'Keep an execution: retention never deletes one that is pinned'
            cand unpin 'Let retention delete an execution again'
            cand schedule 'Show when workflows are due, and rehearse their schedules over any span of time'
            cand notify 'Try the channels of notifications, and show what was sent'
            cand import 'Make workflows of what other programs run: crontabs'
            cand validate 'Check workflow documents without running them'
            cand perf-check 'Check that nothing got slower: latencies against a baseline, for CI'
            cand slo-sim 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent'
            cand schema 'Print the JSON Schema of workflow documents'
            cand config 'Show every setting, its value and where it comes from'
            cand doctor 'Look for what is wrong with the database, its surroundings and what was left'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all of them'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;exec'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --workflows 'The folder that the workflow is in'
            cand -p 'A parameter; repeat for more'
            cand --param 'A parameter; repeat for more'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand -v 'Show what the steps write as they write it'
            cand --verbose 'Show what the steps write as they write it'
            cand -q 'Show nothing of a success, and of anything else what `wfx show` has: for cron'
            cand --quiet 'Show nothing of a success, and of anything else what `wfx show` has: for cron'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;replay'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --from 'Run this step, all that depend on it, and what `--failed` would; repeat for more'
            cand -p 'A parameter that replaces the stored value; repeat for more'
            cand --param 'A parameter that replaces the stored value; repeat for more'
            cand --with 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --failed 'Run only the steps that did not succeed, and all that depend on them; reuse the others'
            cand --dry-run 'Show for each step whether it would run or be reused, and why; store nothing'
            cand -v 'Show what the steps write as they write it'
            cand --verbose 'Show what the steps write as they write it'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;retry'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --from 'Run this step, all that depend on it, and what `--failed` would; repeat for more'
            cand -p 'A parameter that replaces the stored value; repeat for more'
            cand --param 'A parameter that replaces the stored value; repeat for more'
            cand --with 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --dry-run 'Show for each step whether it would run or be reused, and why; store nothing'
            cand -v 'Show what the steps write as they write it'
            cand --verbose 'Show what the steps write as they write it'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;start'= {
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand -p 'A parameter; repeat for more'
            cand --param 'A parameter; repeat for more'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand -w 'Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running'
            cand --wait 'Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;serve'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --listen 'Where to listen, ADDRESS:PORT or unix:PATH; repeat for more. Anything but a loopback address or a unix socket needs a token [WFX_LISTEN; default: 127.0.0.1:8080]'
            cand --listen-mode 'The mode of the files of unix sockets, octal: who can write to one can do everything there, without a token [WFX_LISTEN_MODE; default: 0600]'
            cand --workflows 'The folder of the workflows that can be started by their id; watched [WFX_WORKFLOWS; default: none]'
            cand --workdir 'The folder in which steps run [WFX_WORKDIR; default: the current one]'
            cand --definitions 'Who may define what is run: the files of --workflows only, or requests as well, which then can run any command [default: api where a token is set, else files]'
            cand --token-file 'The file with the token that requests need, or with lines of `NAME TOKEN`, one for each who has access [WFX_TOKEN holds the token itself]'
            cand --allowed-hosts 'Host names under which this server is reached, beside its own; repeat for more'
            cand --public-url 'The URL under which this server is reached, such as that of a proxy: requests for its host and from its pages are accepted [WFX_PUBLIC_URL; default: none]'
            cand --max-connections 'The most connections'
            cand --max-in-flight 'The most executions that run, or have ended and are not stored; beyond: 503'
            cand --drain-timeout 'How long running executions may take to end when the daemon is stopped [WFX_DRAIN_TIMEOUT; default: 30s]'
            cand --handover-timeout 'How long the daemon that is started on SIGUSR2 may take to get ready; then this one goes on [WFX_HANDOVER_TIMEOUT; default: 30s]'
            cand --log 'How much is logged: error, warn, info, debug or trace [WFX_LOG; default: info]'
            cand --access-log 'Where each request is logged, a line of JSON as slo-sim reads it; `-`: standard output [WFX_ACCESS_LOG; default: nowhere]'
            cand --slo-error-rate-threshold 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]'
            cand --slo-error-rate-5xx-threshold 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]'
            cand --slo-error-rate-4xx-threshold 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]'
            cand --slo-error-rate-window 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]'
            cand --slo-latency-p95-threshold 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]'
            cand --slo-latency-window 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]'
            cand --slo-min-samples 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]'
            cand --slo-alert-cooldown-seconds 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]'
            cand --slo-alert-webhook-url 'Where alerts are posted as JSON; `SLO_ALERT_WEBHOOK_SECRET` holds what signs them [SLO_ALERT_WEBHOOK_URL; default: nowhere]'
            cand --slo-alert-webhook-secret-file 'The file with the secret that signs alerts [SLO_ALERT_WEBHOOK_SECRET holds the secret itself]'
            cand --slo-notify 'The channels of the configuration file that alerts go to, separated by commas, and the end of each breach [SLO_NOTIFY; default: none]'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --no-schedules 'Starts nothing by the schedules of these workflows'
            cand --metrics-open 'Lets /metrics be read without the token'
            cand --no-page 'Serves no web page, only the API'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'wfx;recover'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --assume-dead 'Also those of which it cannot be proven that their process is dead: of a database that was copied, of another machine or container. Only if you are sure that nobody runs them'
            cand -v 'With an ID, show what the steps write as they write it'
            cand --verbose 'With an ID, show what the steps write as they write it'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;cancel'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --no-wait 'Leave the request and do not wait for the end'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;status'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --workflows 'The folder of workflows, to show those that never ran and files that are broken [WFX_WORKFLOWS; default: none]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;queue'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;list'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --workflow 'Only executions of this workflow'
            cand --status 'Only executions in this state'
            cand --limit 'How many at most, up to 10000'
            cand --offset 'How many of the newest to leave out'
            cand --since 'Only executions created in the last 2h, or since 2026-01-31T12:00:00Z'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;show'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --output 'How much of the output of steps and of what they run'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --source 'Say where the values of its definition come from: the workflow or `_defaults.yaml`'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;logs'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --attempt 'One attempt of the step; without it all of them, one after the other'
            cand --stream 'One of the two streams; without it both, in the order of arrival'
            cand --since 'Only what was printed since then: a duration such as 10m, or a time'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -f 'Go on until the execution, or the step, has ended'
            cand --follow 'Go on until the execution, or the step, has ended'
            cand --timestamps 'Begin each line with the time at which it began'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;diff'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;purge'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --older-than 'Only executions that completed longer ago than this'
            cand --status 'Only executions in this state: success, failed, cancelled, interrupted'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --all 'Every finished execution that the other options let through'
            cand --include-pinned 'Delete pinned executions like others'
            cand --dry-run 'Show what would be deleted, and why each execution goes or stays; delete nothing'
            cand -v 'With --dry-run: list every execution'
            cand --verbose 'With --dry-run: list every execution'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;pin'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --reason 'Why it is kept, for those who find it later'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;unpin'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'Show every schedule with its next start and what was decided last'
            cand next 'Show when workflows are due next'
            cand history 'Show what was decided of scheduled times, the latest first'
            cand pause 'Let the schedules of a workflow, or of all, start nothing'
            cand resume 'Let them start again'
            cand run 'Start one scheduled time by hand, such as one that was missed'
            cand sim 'Rehearse a span of time: what would become of every scheduled time in it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;schedule;list'= {
            cand --workflows 'The folder of workflows [WFX_WORKFLOWS; default: none]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;next'= {
            cand --workflows 'The folder of workflows [WFX_WORKFLOWS; default: none]'
            cand -n 'How many times'
            cand --count 'How many times'
            cand --from 'Those after this time; a date is its beginning in UTC [default: now]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;history'= {
            cand --limit 'How many rows; times in a row of which nothing was started are one'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;pause'= {
            cand --until 'Until when: a time, a date, which begins in UTC, or a duration from now [default: until `wfx schedule resume`]'
            cand --reason 'Why, for those who find it later'
            cand --workflows 'The folder of workflows, to know the names of those that never ran [WFX_WORKFLOWS; default: none]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;resume'= {
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;run'= {
            cand --at 'The scheduled time [default: the last one that was missed]'
            cand --schedule 'Of which schedule, where several have that time'
            cand --workflows 'The folder of workflows [WFX_WORKFLOWS; default: none]'
            cand --retention 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]'
            cand --durability '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]'
            cand --output-limit 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]'
            cand --output-total 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]'
            cand --output-retention 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]'
            cand --max-steps 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]'
            cand --store-timeout 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand -v 'Show what the steps write'
            cand --verbose 'Show what the steps write'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;sim'= {
            cand --from 'The first scheduled time; a date is its beginning in UTC. wfx sees the schedules then'
            cand --to 'The first scheduled time that does not belong to it any more'
            cand --down 'When no daemon runs, such as 2026-03-10T22:00:00Z/36h; repeat for more'
            cand --takes 'How long an execution takes [default: the median of those that are stored, else 0]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schedule;help'= {
            cand list 'Show every schedule with its next start and what was decided last'
            cand next 'Show when workflows are due next'
            cand history 'Show what was decided of scheduled times, the latest first'
            cand pause 'Let the schedules of a workflow, or of all, start nothing'
            cand resume 'Let them start again'
            cand run 'Start one scheduled time by hand, such as one that was missed'
            cand sim 'Rehearse a span of time: what would become of every scheduled time in it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;schedule;help;list'= {
        }
        &'wfx;schedule;help;next'= {
        }
        &'wfx;schedule;help;history'= {
        }
        &'wfx;schedule;help;pause'= {
        }
        &'wfx;schedule;help;resume'= {
        }
        &'wfx;schedule;help;run'= {
        }
        &'wfx;schedule;help;sim'= {
        }
        &'wfx;schedule;help;help'= {
        }
        &'wfx;notify'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand test 'Send a notification that is marked as a test, and wait for the answer of the receiver'
            cand history 'Show notifications, newest first: what was accepted, waits or was given up'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;notify;test'= {
            cand --event 'What the test is about'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --format 'How results are written to standard output'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;notify;history'= {
            cand --channel 'Only those to this channel'
            cand --workflow 'Only those about this workflow'
            cand --state 'Only those in this state'
            cand --limit 'How many at most, up to 10000'
            cand --server 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]'
            cand --token-file 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --insecure 'Send to another machine over http://, where others can read the token'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;notify;help'= {
            cand test 'Send a notification that is marked as a test, and wait for the answer of the receiver'
            cand history 'Show notifications, newest first: what was accepted, waits or was given up'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;notify;help;test'= {
        }
        &'wfx;notify;help;history'= {
        }
        &'wfx;notify;help;help'= {
        }
        &'wfx;import'= {
            cand --format 'How results are written to standard output'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand crontab 'Make a workflow of each line of a crontab'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;import;crontab'= {
            cand --out 'The folder for the workflows; it is created'
            cand --user-column 'Whether each line names a user before its command, as in /etc/crontab; auto: as it looks'
            cand --timezone 'The zone in which cron reads the times [default: that of this machine]'
            cand --format 'How results are written to standard output'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --overwrite 'Replace files that are there already'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;import;help'= {
            cand crontab 'Make a workflow of each line of a crontab'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;import;help;crontab'= {
        }
        &'wfx;import;help;help'= {
        }
        &'wfx;validate'= {
            cand --format 'How results are written to standard output'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;perf-check'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --stats 'What a load tool measured: Locust''s `…_stats.csv`, oha''s JSON, k6''s summary [default: perf/locust_stats.csv]'
            cand --target 'Measure this server: http://127.0.0.1:8080, https://…'
            cand --scenario 'What to measure: JSON, YAML or TOML; `wfx schema perf-scenario` describes it'
            cand --rate 'Requests in a second, of each endpoint [default: 50]'
            cand --duration 'How long to measure [default: 30s]'
            cand --warmup 'How long to make requests before [default: 2s]'
            cand --closed 'Saturate: so many connections, each sending as soon as it has its answer'
            cand --connections 'The most connections; what finds none free waits, and its wait counts'
            cand --timeout 'When a request has failed, from when it was due'
            cand --header 'A header of every request, such as ''Authorization: Bearer x''; repeat for more'
            cand --workflow 'Only steps of this workflow'
            cand --since 'Only executions of the last 7d, or since 2026-01-31T12:00:00Z'
            cand --reference-since 'Compare them with the executions from 14d ago, or from 2026-01-17T12:00:00Z, up to --since, instead of a baseline'
            cand --reference 'Measure the build before side by side with --target, in pairs of requests, instead of a baseline: 500 to 8,000 pairs of each endpoint, as many as it takes'
            cand --least-difference-ms 'A smaller difference does not matter, whatever its share, in ms'
            cand --seed 'Of the order within pairs [default: another one each time]'
            cand --endpoint 'An endpoint such as ''GET /x''; repeat for more. Of a file only these are judged; of one that does not say what it measured, this is its name'
            cand --track-endpoints 'Judge only endpoints with one of these substrings [TRACK_ENDPOINTS; default: all]'
            cand --baseline 'The baseline'
            cand --tolerance-median-ms 'How much slower a median may be, in ms [REG_TOL_MEDIAN_MS; default: 50]'
            cand --tolerance-p95-ms 'How much slower a 95th percentile may be, in ms [REG_TOL_P95_MS; default: 80]'
            cand --tolerance-median 'How much slower a median may be, as a share of the baseline or a time, such as 10% or 5ms'
            cand --tolerance-p95 'How much slower a 95th percentile may be, likewise'
            cand --max-error-rate 'The largest share of requests that may fail, from 0 to 1'
            cand --junit 'Write a JUnit report [PERF_JUNIT; default: false; default path: perf/performance_junit.xml]'
            cand --markdown 'Write the result as Markdown'
            cand --summary 'Write the result as JSON'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --steps 'Judge how long steps of workflows took, as the database has them'
            cand --update-baseline 'Take what is measured for the new baseline, and judge nothing [UPDATE_BASELINE; default: false]'
            cand --strict 'Endpoints that the baseline does not have fail'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;slo-sim'= {
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trace 'Request logs, `-` for standard input, put in the order of their times: NDJSON as `serve --access-log` writes it, CSV with the same names, access logs of nginx and Apache, logs with a line `#Fields:` (IIS, CloudFront); gzip too'
            cand --scenario 'Made up traffic: a file, or a name that --list shows'
            cand --log-format 'What an access log is made of, as nginx (`log_format`) or Apache (`LogFormat`) has it, or `combined`, `common`, `main`, `vhost_combined`, `combinedio`, `haproxy` or `squid`; a duration in another unit is `${request_time:ms}` or `%{ms}D`'
            cand --max-unreadable 'The share of lines that may be unreadable, such as 5% or 0.05; with more of them nothing is judged'
            cand --seed 'Another seed gives other traffic of the same kind [default: that of the scenario, or 1]'
            cand --slo-error-rate-threshold 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]'
            cand --slo-error-rate-5xx-threshold 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]'
            cand --slo-error-rate-4xx-threshold 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]'
            cand --slo-error-rate-window 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]'
            cand --slo-latency-p95-threshold 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]'
            cand --slo-latency-window 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]'
            cand --slo-min-samples 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]'
            cand --slo-alert-cooldown-seconds 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand --list 'Lists the scenarios that have a name'
            cand --as-given 'Takes requests in the order of the files instead of that of their times'
            cand --strict 'Stops at the first line that cannot be read'
            cand --fail-on-breach 'Exits with 1 when there is a breach'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;schema'= {
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;config'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;doctor'= {
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;completions'= {
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'wfx;man'= {
            cand --dir 'Write the page of every command, and of the workflow format, into this folder'
            cand --store 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]'
            cand --db 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]'
            cand --trust-owner 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]'
            cand --config 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]'
            cand --format 'How results are written to standard output'
            cand --as-owner 'As root, work as the user whom the database belongs to'
            cand --utc 'Show times in UTC, on a terminal too; without it they are local there'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'wfx;help'= {
            cand exec 'Run a workflow in the foreground'
            cand replay 'Run a stored execution again, with its stored definition and parameters'
            cand retry 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`'
            cand start 'Start a workflow of a daemon''s folder, and wait for its end if that is wanted'
            cand serve 'Serve the HTTP API'
            cand recover 'Go on with executions whose process died'
            cand cancel 'End an execution that runs, in whichever process'
            cand status 'Show every workflow: its last execution, its last success, how long it usually takes'
            cand queue 'Show who waits for a slot of a concurrency group, for whom and since when'
            cand list 'List executions, newest first'
            cand show 'Show an execution: steps, timeline, output, lineage'
            cand logs 'Show everything that the steps of an execution printed, or follow what they print'
            cand diff 'Compare two executions: definition, parameters, steps'
            cand purge 'Delete finished executions'
            cand pin 'Keep an execution: retention never deletes one that is pinned'
            cand unpin 'Let retention delete an execution again'
            cand schedule 'Show when workflows are due, and rehearse their schedules over any span of time'
            cand notify 'Try the channels of notifications, and show what was sent'
            cand import 'Make workflows of what other programs run: crontabs'
            cand validate 'Check workflow documents without running them'
            cand perf-check 'Check that nothing got slower: latencies against a baseline, for CI'
            cand slo-sim 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent'
            cand schema 'Print the JSON Schema of workflow documents'
            cand config 'Show every setting, its value and where it comes from'
            cand doctor 'Look for what is wrong with the database, its surroundings and what was left'
            cand completions 'Print a completion script for a shell'
            cand man 'Print the manual page, or write all of them'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'wfx;help;exec'= {
        }
        &'wfx;help;replay'= {
        }
        &'wfx;help;retry'= {
        }
        &'wfx;help;start'= {
        }
        &'wfx;help;serve'= {
        }
        &'wfx;help;recover'= {
        }
        &'wfx;help;cancel'= {
        }
        &'wfx;help;status'= {
        }
        &'wfx;help;queue'= {
        }
        &'wfx;help;list'= {
        }
        &'wfx;help;show'= {
        }
        &'wfx;help;logs'= {
        }
        &'wfx;help;diff'= {
        }
        &'wfx;help;purge'= {
        }
        &'wfx;help;pin'= {
        }
        &'wfx;help;unpin'= {
        }
        &'wfx;help;schedule'= {
        }
        &'wfx;help;notify'= {
        }
        &'wfx;help;import'= {
        }
        &'wfx;help;validate'= {
        }
        &'wfx;help;perf-check'= {
        }
        &'wfx;help;slo-sim'= {
        }
        &'wfx;help;schema'= {
        }
        &'wfx;help;config'= {
        }
        &'wfx;help;doctor'= {
        }
        &'wfx;help;completions'= {
        }
        &'wfx;help;man'= {
        }
        &'wfx;help;help'= {
        }
    ]
    $completions[$command]
}
