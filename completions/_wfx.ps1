
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'wfx' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'wfx'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'wfx' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a workflow in the foreground')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a stored execution again, with its stored definition and parameters')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Start a workflow of a daemon''s folder, and wait for its end if that is wanted')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the HTTP API')
            [CompletionResult]::new('recover', 'recover', [CompletionResultType]::ParameterValue, 'Go on with executions whose process died')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'End an execution that runs, in whichever process')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show every workflow: its last execution, its last success, how long it usually takes')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'Show who waits for a slot of a concurrency group, for whom and since when')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List executions, newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show an execution: steps, timeline, output, lineage')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show everything that the steps of an execution printed, or follow what they print')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two executions: definition, parameters, steps')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Delete finished executions')
            [CompletionResult]::new('pin', 'pin', [CompletionResultType]::ParameterValue, 'Keep an execution: retention never deletes one that is pinned')
            [CompletionResult]::new('unpin', 'unpin', [CompletionResultType]::ParameterValue, 'Let retention delete an execution again')
            [CompletionResult]::new('schedule', 'schedule', [CompletionResultType]::ParameterValue, 'Show when workflows are due, and rehearse their schedules over any span of time')
            [CompletionResult]::new('notify', 'notify', [CompletionResultType]::ParameterValue, 'Try the channels of notifications, and show what was sent')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Make workflows of what other programs run: crontabs')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check workflow documents without running them')
            [CompletionResult]::new('perf-check', 'perf-check', [CompletionResultType]::ParameterValue, 'Check that nothing got slower: latencies against a baseline, for CI')
            [CompletionResult]::new('slo-sim', 'slo-sim', [CompletionResultType]::ParameterValue, 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of workflow documents')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show every setting, its value and where it comes from')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Look for what is wrong with the database, its surroundings and what was left')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all of them')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;exec' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder that the workflow is in')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A parameter; repeat for more')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'A parameter; repeat for more')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Show nothing of a success, and of anything else what `wfx show` has: for cron')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Show nothing of a success, and of anything else what `wfx show` has: for cron')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;replay' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Run this step, all that depend on it, and what `--failed` would; repeat for more')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A parameter that replaces the stored value; repeat for more')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'A parameter that replaces the stored value; repeat for more')
            [CompletionResult]::new('--with', '--with', [CompletionResultType]::ParameterName, 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--failed', '--failed', [CompletionResultType]::ParameterName, 'Run only the steps that did not succeed, and all that depend on them; reuse the others')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show for each step whether it would run or be reused, and why; store nothing')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;retry' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Run this step, all that depend on it, and what `--failed` would; repeat for more')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A parameter that replaces the stored value; repeat for more')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'A parameter that replaces the stored value; repeat for more')
            [CompletionResult]::new('--with', '--with', [CompletionResultType]::ParameterName, 'Run this definition, JSON or YAML by its extension, instead of the stored one; `-` reads standard input')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show for each step whether it would run or be reused, and why; store nothing')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what the steps write as they write it')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;start' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'A parameter; repeat for more')
            [CompletionResult]::new('--param', '--param', [CompletionResultType]::ParameterName, 'A parameter; repeat for more')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('-w', '-w', [CompletionResultType]::ParameterName, 'Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running')
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Wait for its end: the exit codes are those of `wfx exec`. Ctrl-C leaves the execution running')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;serve' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Where to listen, ADDRESS:PORT or unix:PATH; repeat for more. Anything but a loopback address or a unix socket needs a token [WFX_LISTEN; default: 127.0.0.1:8080]')
            [CompletionResult]::new('--listen-mode', '--listen-mode', [CompletionResultType]::ParameterName, 'The mode of the files of unix sockets, octal: who can write to one can do everything there, without a token [WFX_LISTEN_MODE; default: 0600]')
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of the workflows that can be started by their id; watched [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('--workdir', '--workdir', [CompletionResultType]::ParameterName, 'The folder in which steps run [WFX_WORKDIR; default: the current one]')
            [CompletionResult]::new('--definitions', '--definitions', [CompletionResultType]::ParameterName, 'Who may define what is run: the files of --workflows only, or requests as well, which then can run any command [default: api where a token is set, else files]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that requests need, or with lines of `NAME TOKEN`, one for each who has access [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--allowed-hosts', '--allowed-hosts', [CompletionResultType]::ParameterName, 'Host names under which this server is reached, beside its own; repeat for more')
            [CompletionResult]::new('--public-url', '--public-url', [CompletionResultType]::ParameterName, 'The URL under which this server is reached, such as that of a proxy: requests for its host and from its pages are accepted [WFX_PUBLIC_URL; default: none]')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'The most connections')
            [CompletionResult]::new('--max-in-flight', '--max-in-flight', [CompletionResultType]::ParameterName, 'The most executions that run, or have ended and are not stored; beyond: 503')
            [CompletionResult]::new('--drain-timeout', '--drain-timeout', [CompletionResultType]::ParameterName, 'How long running executions may take to end when the daemon is stopped [WFX_DRAIN_TIMEOUT; default: 30s]')
            [CompletionResult]::new('--handover-timeout', '--handover-timeout', [CompletionResultType]::ParameterName, 'How long the daemon that is started on SIGUSR2 may take to get ready; then this one goes on [WFX_HANDOVER_TIMEOUT; default: 30s]')
            [CompletionResult]::new('--log', '--log', [CompletionResultType]::ParameterName, 'How much is logged: error, warn, info, debug or trace [WFX_LOG; default: info]')
            [CompletionResult]::new('--access-log', '--access-log', [CompletionResultType]::ParameterName, 'Where each request is logged, a line of JSON as slo-sim reads it; `-`: standard output [WFX_ACCESS_LOG; default: nowhere]')
            [CompletionResult]::new('--slo-error-rate-threshold', '--slo-error-rate-threshold', [CompletionResultType]::ParameterName, 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]')
            [CompletionResult]::new('--slo-error-rate-5xx-threshold', '--slo-error-rate-5xx-threshold', [CompletionResultType]::ParameterName, 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]')
            [CompletionResult]::new('--slo-error-rate-4xx-threshold', '--slo-error-rate-4xx-threshold', [CompletionResultType]::ParameterName, 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]')
            [CompletionResult]::new('--slo-error-rate-window', '--slo-error-rate-window', [CompletionResultType]::ParameterName, 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]')
            [CompletionResult]::new('--slo-latency-p95-threshold', '--slo-latency-p95-threshold', [CompletionResultType]::ParameterName, 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]')
            [CompletionResult]::new('--slo-latency-window', '--slo-latency-window', [CompletionResultType]::ParameterName, 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]')
            [CompletionResult]::new('--slo-min-samples', '--slo-min-samples', [CompletionResultType]::ParameterName, 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]')
            [CompletionResult]::new('--slo-alert-cooldown-seconds', '--slo-alert-cooldown-seconds', [CompletionResultType]::ParameterName, 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]')
            [CompletionResult]::new('--slo-alert-webhook-url', '--slo-alert-webhook-url', [CompletionResultType]::ParameterName, 'Where alerts are posted as JSON; `SLO_ALERT_WEBHOOK_SECRET` holds what signs them [SLO_ALERT_WEBHOOK_URL; default: nowhere]')
            [CompletionResult]::new('--slo-alert-webhook-secret-file', '--slo-alert-webhook-secret-file', [CompletionResultType]::ParameterName, 'The file with the secret that signs alerts [SLO_ALERT_WEBHOOK_SECRET holds the secret itself]')
            [CompletionResult]::new('--slo-notify', '--slo-notify', [CompletionResultType]::ParameterName, 'The channels of the configuration file that alerts go to, separated by commas, and the end of each breach [SLO_NOTIFY; default: none]')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--no-schedules', '--no-schedules', [CompletionResultType]::ParameterName, 'Starts nothing by the schedules of these workflows')
            [CompletionResult]::new('--metrics-open', '--metrics-open', [CompletionResultType]::ParameterName, 'Lets /metrics be read without the token')
            [CompletionResult]::new('--no-page', '--no-page', [CompletionResultType]::ParameterName, 'Serves no web page, only the API')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'wfx;recover' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--assume-dead', '--assume-dead', [CompletionResultType]::ParameterName, 'Also those of which it cannot be proven that their process is dead: of a database that was copied, of another machine or container. Only if you are sure that nobody runs them')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'With an ID, show what the steps write as they write it')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'With an ID, show what the steps write as they write it')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;cancel' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--no-wait', '--no-wait', [CompletionResultType]::ParameterName, 'Leave the request and do not wait for the end')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;status' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of workflows, to show those that never ran and files that are broken [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;queue' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;list' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--workflow', '--workflow', [CompletionResultType]::ParameterName, 'Only executions of this workflow')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only executions in this state')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'How many at most, up to 10000')
            [CompletionResult]::new('--offset', '--offset', [CompletionResultType]::ParameterName, 'How many of the newest to leave out')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only executions created in the last 2h, or since 2026-01-31T12:00:00Z')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;show' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How much of the output of steps and of what they run')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Say where the values of its definition come from: the workflow or `_defaults.yaml`')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;logs' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--attempt', '--attempt', [CompletionResultType]::ParameterName, 'One attempt of the step; without it all of them, one after the other')
            [CompletionResult]::new('--stream', '--stream', [CompletionResultType]::ParameterName, 'One of the two streams; without it both, in the order of arrival')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only what was printed since then: a duration such as 10m, or a time')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'Go on until the execution, or the step, has ended')
            [CompletionResult]::new('--follow', '--follow', [CompletionResultType]::ParameterName, 'Go on until the execution, or the step, has ended')
            [CompletionResult]::new('--timestamps', '--timestamps', [CompletionResultType]::ParameterName, 'Begin each line with the time at which it began')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;diff' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;purge' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--older-than', '--older-than', [CompletionResultType]::ParameterName, 'Only executions that completed longer ago than this')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only executions in this state: success, failed, cancelled, interrupted')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'Every finished execution that the other options let through')
            [CompletionResult]::new('--include-pinned', '--include-pinned', [CompletionResultType]::ParameterName, 'Delete pinned executions like others')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Show what would be deleted, and why each execution goes or stays; delete nothing')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'With --dry-run: list every execution')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'With --dry-run: list every execution')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;pin' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why it is kept, for those who find it later')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;unpin' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show every schedule with its next start and what was decided last')
            [CompletionResult]::new('next', 'next', [CompletionResultType]::ParameterValue, 'Show when workflows are due next')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show what was decided of scheduled times, the latest first')
            [CompletionResult]::new('pause', 'pause', [CompletionResultType]::ParameterValue, 'Let the schedules of a workflow, or of all, start nothing')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Let them start again')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Start one scheduled time by hand, such as one that was missed')
            [CompletionResult]::new('sim', 'sim', [CompletionResultType]::ParameterValue, 'Rehearse a span of time: what would become of every scheduled time in it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;schedule;list' {
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of workflows [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;next' {
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of workflows [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'How many times')
            [CompletionResult]::new('--count', '--count', [CompletionResultType]::ParameterName, 'How many times')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Those after this time; a date is its beginning in UTC [default: now]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;history' {
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'How many rows; times in a row of which nothing was started are one')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;pause' {
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Until when: a time, a date, which begins in UTC, or a duration from now [default: until `wfx schedule resume`]')
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why, for those who find it later')
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of workflows, to know the names of those that never ran [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;resume' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;run' {
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'The scheduled time [default: the last one that was missed]')
            [CompletionResult]::new('--schedule', '--schedule', [CompletionResultType]::ParameterName, 'Of which schedule, where several have that time')
            [CompletionResult]::new('--workflows', '--workflows', [CompletionResultType]::ParameterName, 'The folder of workflows [WFX_WORKFLOWS; default: none]')
            [CompletionResult]::new('--retention', '--retention', [CompletionResultType]::ParameterName, 'How many finished executions are kept; 0 or less: all [WORKFLOW_EXECUTION_RETENTION; default: 1000]')
            [CompletionResult]::new('--durability', '--durability', [CompletionResultType]::ParameterName, '`normal` may lose the last commits when the power fails, and is faster [WFX_DURABILITY; default: full]')
            [CompletionResult]::new('--output-limit', '--output-limit', [CompletionResultType]::ParameterName, 'How much of the output of each attempt is kept, unless the workflow says it: bytes, or with KiB, MiB, GiB; 0: the last 64 KiB only [WFX_OUTPUT_LIMIT; default: 64MiB]')
            [CompletionResult]::new('--output-total', '--output-total', [CompletionResultType]::ParameterName, 'How much of the output of all executions is kept; the oldest goes first [WFX_OUTPUT_TOTAL; default: 4GiB]')
            [CompletionResult]::new('--output-retention', '--output-retention', [CompletionResultType]::ParameterName, 'How long output is kept [WFX_OUTPUT_RETENTION; default: 30d]')
            [CompletionResult]::new('--max-steps', '--max-steps', [CompletionResultType]::ParameterName, 'How many steps run at a time, over all executions of this process; others wait for their turn [WFX_MAX_STEPS; default: from the limits on open files and processes, at most 1024]')
            [CompletionResult]::new('--store-timeout', '--store-timeout', [CompletionResultType]::ParameterName, 'How long to wait for a database that fails [WFX_STORE_TIMEOUT; default: 60s]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Show what the steps write')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Show what the steps write')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;sim' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'The first scheduled time; a date is its beginning in UTC. wfx sees the schedules then')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'The first scheduled time that does not belong to it any more')
            [CompletionResult]::new('--down', '--down', [CompletionResultType]::ParameterName, 'When no daemon runs, such as 2026-03-10T22:00:00Z/36h; repeat for more')
            [CompletionResult]::new('--takes', '--takes', [CompletionResultType]::ParameterName, 'How long an execution takes [default: the median of those that are stored, else 0]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schedule;help' {
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'Show every schedule with its next start and what was decided last')
            [CompletionResult]::new('next', 'next', [CompletionResultType]::ParameterValue, 'Show when workflows are due next')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show what was decided of scheduled times, the latest first')
            [CompletionResult]::new('pause', 'pause', [CompletionResultType]::ParameterValue, 'Let the schedules of a workflow, or of all, start nothing')
            [CompletionResult]::new('resume', 'resume', [CompletionResultType]::ParameterValue, 'Let them start again')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Start one scheduled time by hand, such as one that was missed')
            [CompletionResult]::new('sim', 'sim', [CompletionResultType]::ParameterValue, 'Rehearse a span of time: what would become of every scheduled time in it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;schedule;help;list' {
            break
        }
        'wfx;schedule;help;next' {
            break
        }
        'wfx;schedule;help;history' {
            break
        }
        'wfx;schedule;help;pause' {
            break
        }
        'wfx;schedule;help;resume' {
            break
        }
        'wfx;schedule;help;run' {
            break
        }
        'wfx;schedule;help;sim' {
            break
        }
        'wfx;schedule;help;help' {
            break
        }
        'wfx;notify' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Send a notification that is marked as a test, and wait for the answer of the receiver')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show notifications, newest first: what was accepted, waits or was given up')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;notify;test' {
            [CompletionResult]::new('--event', '--event', [CompletionResultType]::ParameterName, 'What the test is about')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;notify;history' {
            [CompletionResult]::new('--channel', '--channel', [CompletionResultType]::ParameterName, 'Only those to this channel')
            [CompletionResult]::new('--workflow', '--workflow', [CompletionResultType]::ParameterName, 'Only those about this workflow')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Only those in this state')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'How many at most, up to 10000')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Work with the daemon there, and not with a database: unix:PATH, http://HOST:PORT or https://HOST [WFX_SERVER; default: none]')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file with the token that the daemon wants [WFX_TOKEN holds the token itself]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Send to another machine over http://, where others can read the token')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;notify;help' {
            [CompletionResult]::new('test', 'test', [CompletionResultType]::ParameterValue, 'Send a notification that is marked as a test, and wait for the answer of the receiver')
            [CompletionResult]::new('history', 'history', [CompletionResultType]::ParameterValue, 'Show notifications, newest first: what was accepted, waits or was given up')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;notify;help;test' {
            break
        }
        'wfx;notify;help;history' {
            break
        }
        'wfx;notify;help;help' {
            break
        }
        'wfx;import' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('crontab', 'crontab', [CompletionResultType]::ParameterValue, 'Make a workflow of each line of a crontab')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;import;crontab' {
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'The folder for the workflows; it is created')
            [CompletionResult]::new('--user-column', '--user-column', [CompletionResultType]::ParameterName, 'Whether each line names a user before its command, as in /etc/crontab; auto: as it looks')
            [CompletionResult]::new('--timezone', '--timezone', [CompletionResultType]::ParameterName, 'The zone in which cron reads the times [default: that of this machine]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--overwrite', '--overwrite', [CompletionResultType]::ParameterName, 'Replace files that are there already')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;import;help' {
            [CompletionResult]::new('crontab', 'crontab', [CompletionResultType]::ParameterValue, 'Make a workflow of each line of a crontab')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;import;help;crontab' {
            break
        }
        'wfx;import;help;help' {
            break
        }
        'wfx;validate' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;perf-check' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--stats', '--stats', [CompletionResultType]::ParameterName, 'What a load tool measured: Locust''s `…_stats.csv`, oha''s JSON, k6''s summary [default: perf/locust_stats.csv]')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Measure this server: http://127.0.0.1:8080, https://…')
            [CompletionResult]::new('--scenario', '--scenario', [CompletionResultType]::ParameterName, 'What to measure: JSON, YAML or TOML; `wfx schema perf-scenario` describes it')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Requests in a second, of each endpoint [default: 50]')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'How long to measure [default: 30s]')
            [CompletionResult]::new('--warmup', '--warmup', [CompletionResultType]::ParameterName, 'How long to make requests before [default: 2s]')
            [CompletionResult]::new('--closed', '--closed', [CompletionResultType]::ParameterName, 'Saturate: so many connections, each sending as soon as it has its answer')
            [CompletionResult]::new('--connections', '--connections', [CompletionResultType]::ParameterName, 'The most connections; what finds none free waits, and its wait counts')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'When a request has failed, from when it was due')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'A header of every request, such as ''Authorization: Bearer x''; repeat for more')
            [CompletionResult]::new('--workflow', '--workflow', [CompletionResultType]::ParameterName, 'Only steps of this workflow')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Only executions of the last 7d, or since 2026-01-31T12:00:00Z')
            [CompletionResult]::new('--reference-since', '--reference-since', [CompletionResultType]::ParameterName, 'Compare them with the executions from 14d ago, or from 2026-01-17T12:00:00Z, up to --since, instead of a baseline')
            [CompletionResult]::new('--reference', '--reference', [CompletionResultType]::ParameterName, 'Measure the build before side by side with --target, in pairs of requests, instead of a baseline: 500 to 8,000 pairs of each endpoint, as many as it takes')
            [CompletionResult]::new('--least-difference-ms', '--least-difference-ms', [CompletionResultType]::ParameterName, 'A smaller difference does not matter, whatever its share, in ms')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Of the order within pairs [default: another one each time]')
            [CompletionResult]::new('--endpoint', '--endpoint', [CompletionResultType]::ParameterName, 'An endpoint such as ''GET /x''; repeat for more. Of a file only these are judged; of one that does not say what it measured, this is its name')
            [CompletionResult]::new('--track-endpoints', '--track-endpoints', [CompletionResultType]::ParameterName, 'Judge only endpoints with one of these substrings [TRACK_ENDPOINTS; default: all]')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'The baseline')
            [CompletionResult]::new('--tolerance-median-ms', '--tolerance-median-ms', [CompletionResultType]::ParameterName, 'How much slower a median may be, in ms [REG_TOL_MEDIAN_MS; default: 50]')
            [CompletionResult]::new('--tolerance-p95-ms', '--tolerance-p95-ms', [CompletionResultType]::ParameterName, 'How much slower a 95th percentile may be, in ms [REG_TOL_P95_MS; default: 80]')
            [CompletionResult]::new('--tolerance-median', '--tolerance-median', [CompletionResultType]::ParameterName, 'How much slower a median may be, as a share of the baseline or a time, such as 10% or 5ms')
            [CompletionResult]::new('--tolerance-p95', '--tolerance-p95', [CompletionResultType]::ParameterName, 'How much slower a 95th percentile may be, likewise')
            [CompletionResult]::new('--max-error-rate', '--max-error-rate', [CompletionResultType]::ParameterName, 'The largest share of requests that may fail, from 0 to 1')
            [CompletionResult]::new('--junit', '--junit', [CompletionResultType]::ParameterName, 'Write a JUnit report [PERF_JUNIT; default: false; default path: perf/performance_junit.xml]')
            [CompletionResult]::new('--markdown', '--markdown', [CompletionResultType]::ParameterName, 'Write the result as Markdown')
            [CompletionResult]::new('--summary', '--summary', [CompletionResultType]::ParameterName, 'Write the result as JSON')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--steps', '--steps', [CompletionResultType]::ParameterName, 'Judge how long steps of workflows took, as the database has them')
            [CompletionResult]::new('--update-baseline', '--update-baseline', [CompletionResultType]::ParameterName, 'Take what is measured for the new baseline, and judge nothing [UPDATE_BASELINE; default: false]')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Endpoints that the baseline does not have fail')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;slo-sim' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trace', '--trace', [CompletionResultType]::ParameterName, 'Request logs, `-` for standard input, put in the order of their times: NDJSON as `serve --access-log` writes it, CSV with the same names, access logs of nginx and Apache, logs with a line `#Fields:` (IIS, CloudFront); gzip too')
            [CompletionResult]::new('--scenario', '--scenario', [CompletionResultType]::ParameterName, 'Made up traffic: a file, or a name that --list shows')
            [CompletionResult]::new('--log-format', '--log-format', [CompletionResultType]::ParameterName, 'What an access log is made of, as nginx (`log_format`) or Apache (`LogFormat`) has it, or `combined`, `common`, `main`, `vhost_combined`, `combinedio`, `haproxy` or `squid`; a duration in another unit is `${request_time:ms}` or `%{ms}D`')
            [CompletionResult]::new('--max-unreadable', '--max-unreadable', [CompletionResultType]::ParameterName, 'The share of lines that may be unreadable, such as 5% or 0.05; with more of them nothing is judged')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Another seed gives other traffic of the same kind [default: that of the scenario, or 1]')
            [CompletionResult]::new('--slo-error-rate-threshold', '--slo-error-rate-threshold', [CompletionResultType]::ParameterName, 'The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold [SLO_ERROR_RATE_THRESHOLD; default: 0.05]')
            [CompletionResult]::new('--slo-error-rate-5xx-threshold', '--slo-error-rate-5xx-threshold', [CompletionResultType]::ParameterName, 'The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]')
            [CompletionResult]::new('--slo-error-rate-4xx-threshold', '--slo-error-rate-4xx-threshold', [CompletionResultType]::ParameterName, 'The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]')
            [CompletionResult]::new('--slo-error-rate-window', '--slo-error-rate-window', [CompletionResultType]::ParameterName, 'How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]')
            [CompletionResult]::new('--slo-latency-p95-threshold', '--slo-latency-p95-threshold', [CompletionResultType]::ParameterName, 'The 95th percentile of the latency from which on an alert is sent, in seconds [SLO_LATENCY_P95_THRESHOLD; default: 0.750]')
            [CompletionResult]::new('--slo-latency-window', '--slo-latency-window', [CompletionResultType]::ParameterName, 'How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]')
            [CompletionResult]::new('--slo-min-samples', '--slo-min-samples', [CompletionResultType]::ParameterName, 'With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]')
            [CompletionResult]::new('--slo-alert-cooldown-seconds', '--slo-alert-cooldown-seconds', [CompletionResultType]::ParameterName, 'Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'Lists the scenarios that have a name')
            [CompletionResult]::new('--as-given', '--as-given', [CompletionResultType]::ParameterName, 'Takes requests in the order of the files instead of that of their times')
            [CompletionResult]::new('--strict', '--strict', [CompletionResultType]::ParameterName, 'Stops at the first line that cannot be read')
            [CompletionResult]::new('--fail-on-breach', '--fail-on-breach', [CompletionResultType]::ParameterName, 'Exits with 1 when there is a breach')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;schema' {
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;config' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;doctor' {
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;completions' {
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'wfx;man' {
            [CompletionResult]::new('--dir', '--dir', [CompletionResultType]::ParameterName, 'Write the page of every command, and of the workflow format, into this folder')
            [CompletionResult]::new('--store', '--store', [CompletionResultType]::ParameterName, 'A database of PostgreSQL instead, postgres://USER@HOST/DATABASE, or @FILE with that URL; the password comes from it or from the file of PGPASSFILE [WFX_STORE; default: none]')
            [CompletionResult]::new('--db', '--db', [CompletionResultType]::ParameterName, 'The database [WFX_DB; default: wfx/wfx.db in the XDG state folder]')
            [CompletionResult]::new('--trust-owner', '--trust-owner', [CompletionResultType]::ParameterName, 'Use the database of this user as if it were one''s own: what is stored in it runs as oneself [WFX_TRUST_OWNER; default: none]')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'The configuration file, TOML [WFX_CONFIG; default: wfx/config.toml in the XDG configuration folder, then /etc/wfx/config.toml]')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'How results are written to standard output')
            [CompletionResult]::new('--as-owner', '--as-owner', [CompletionResultType]::ParameterName, 'As root, work as the user whom the database belongs to')
            [CompletionResult]::new('--utc', '--utc', [CompletionResultType]::ParameterName, 'Show times in UTC, on a terminal too; without it they are local there')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'wfx;help' {
            [CompletionResult]::new('exec', 'exec', [CompletionResultType]::ParameterValue, 'Run a workflow in the foreground')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Run a stored execution again, with its stored definition and parameters')
            [CompletionResult]::new('retry', 'retry', [CompletionResultType]::ParameterValue, 'Run again what failed of a stored execution, and reuse the rest: `replay --failed`')
            [CompletionResult]::new('start', 'start', [CompletionResultType]::ParameterValue, 'Start a workflow of a daemon''s folder, and wait for its end if that is wanted')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the HTTP API')
            [CompletionResult]::new('recover', 'recover', [CompletionResultType]::ParameterValue, 'Go on with executions whose process died')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'End an execution that runs, in whichever process')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show every workflow: its last execution, its last success, how long it usually takes')
            [CompletionResult]::new('queue', 'queue', [CompletionResultType]::ParameterValue, 'Show who waits for a slot of a concurrency group, for whom and since when')
            [CompletionResult]::new('list', 'list', [CompletionResultType]::ParameterValue, 'List executions, newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show an execution: steps, timeline, output, lineage')
            [CompletionResult]::new('logs', 'logs', [CompletionResultType]::ParameterValue, 'Show everything that the steps of an execution printed, or follow what they print')
            [CompletionResult]::new('diff', 'diff', [CompletionResultType]::ParameterValue, 'Compare two executions: definition, parameters, steps')
            [CompletionResult]::new('purge', 'purge', [CompletionResultType]::ParameterValue, 'Delete finished executions')
            [CompletionResult]::new('pin', 'pin', [CompletionResultType]::ParameterValue, 'Keep an execution: retention never deletes one that is pinned')
            [CompletionResult]::new('unpin', 'unpin', [CompletionResultType]::ParameterValue, 'Let retention delete an execution again')
            [CompletionResult]::new('schedule', 'schedule', [CompletionResultType]::ParameterValue, 'Show when workflows are due, and rehearse their schedules over any span of time')
            [CompletionResult]::new('notify', 'notify', [CompletionResultType]::ParameterValue, 'Try the channels of notifications, and show what was sent')
            [CompletionResult]::new('import', 'import', [CompletionResultType]::ParameterValue, 'Make workflows of what other programs run: crontabs')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check workflow documents without running them')
            [CompletionResult]::new('perf-check', 'perf-check', [CompletionResultType]::ParameterValue, 'Check that nothing got slower: latencies against a baseline, for CI')
            [CompletionResult]::new('slo-sim', 'slo-sim', [CompletionResultType]::ParameterValue, 'Rehearse alert rules: which alerts a request log, or synthetic traffic, would have sent')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of workflow documents')
            [CompletionResult]::new('config', 'config', [CompletionResultType]::ParameterValue, 'Show every setting, its value and where it comes from')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Look for what is wrong with the database, its surroundings and what was left')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a completion script for a shell')
            [CompletionResult]::new('man', 'man', [CompletionResultType]::ParameterValue, 'Print the manual page, or write all of them')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'wfx;help;exec' {
            break
        }
        'wfx;help;replay' {
            break
        }
        'wfx;help;retry' {
            break
        }
        'wfx;help;start' {
            break
        }
        'wfx;help;serve' {
            break
        }
        'wfx;help;recover' {
            break
        }
        'wfx;help;cancel' {
            break
        }
        'wfx;help;status' {
            break
        }
        'wfx;help;queue' {
            break
        }
        'wfx;help;list' {
            break
        }
        'wfx;help;show' {
            break
        }
        'wfx;help;logs' {
            break
        }
        'wfx;help;diff' {
            break
        }
        'wfx;help;purge' {
            break
        }
        'wfx;help;pin' {
            break
        }
        'wfx;help;unpin' {
            break
        }
        'wfx;help;schedule' {
            break
        }
        'wfx;help;notify' {
            break
        }
        'wfx;help;import' {
            break
        }
        'wfx;help;validate' {
            break
        }
        'wfx;help;perf-check' {
            break
        }
        'wfx;help;slo-sim' {
            break
        }
        'wfx;help;schema' {
            break
        }
        'wfx;help;config' {
            break
        }
        'wfx;help;doctor' {
            break
        }
        'wfx;help;completions' {
            break
        }
        'wfx;help;man' {
            break
        }
        'wfx;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
