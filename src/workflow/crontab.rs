//! Crontabs → workflows, one for each line.                                              (pure)
//!
//! What cron does and a workflow cannot, stands as comments in its document.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::check::free_id;
use super::document::write::yaml;
use crate::base::visible::{quote, visible};
use crate::base::zone;
use crate::schedule::expression::{Combination, Expression, ExpressionError};

/// Words before the one that names a command.
const WRAPPERS: [&str; 24] = [
    "sudo", "nice", "ionice", "nohup", "env", "exec", "time", "timeout", "flock", "chronic",
    "setsid", "command", "sh", "bash", "dash", "zsh", "ksh", "python", "python3", "perl", "ruby",
    "php", "node", "java",
];
/// Commands that prepare for the one that names the workflow.
const PREPARATIONS: [&str; 10] =
    ["cd", "test", "[", "[[", ".", "source", "export", "sleep", "umask", "set"];
/// The longest name that is made of a command.
const NAME_MAX: usize = 40;

/// How a crontab is read.
pub(crate) struct Options<'o> {
    /// Whether each line names a user before the command; `None`: as it looks.
    pub user_column: Option<bool>,
    /// The zone of the machine, in which cron reads times that no `CRON_TZ` precedes.
    pub zone: &'o str,
    /// Whether a user of this machine has the name.
    pub is_user: &'o dyn Fn(&str) -> bool,
}

/// What a crontab becomes.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    /// Whether its lines were taken to name users.
    pub user_column: bool,
    /// A workflow for each line.
    pub workflows: Vec<ImportedWorkflow>,
    /// Lines that become none.
    pub refused: Vec<Refused>,
}

/// The workflow of one line.
#[derive(Debug)]
pub(crate) struct ImportedWorkflow {
    /// Its id, unique among all.
    pub id: String,
    /// The number of the line, from 1.
    pub line: usize,
    /// Its document.
    pub yaml: String,
    /// How much of it stands as comments.
    pub notes: usize,
}

/// A line that becomes no workflow.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
    /// What can be done.
    pub help: String,
}

/// A variable of the crontab.
type Variable = (String, String);

/// Reads a crontab.
pub(crate) fn import(text: &str, options: &Options<'_>) -> Imported {
    let user_column = options.user_column.unwrap_or_else(|| names_users(text, options.is_user));
    let mut imported = Imported { user_column, ..Imported::default() };
    let mut variables: Vec<Variable> = Vec::new();
    let mut comments: Vec<&str> = Vec::new();
    let mut taken = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() {
            comments.clear();
        } else if line.starts_with('#') {
            comments.push(line.trim_start_matches('#').trim());
        } else if let Some((name, value)) = variable(line) {
            variables.retain(|(other, _)| *other != name);
            variables.push((name, value));
            comments.clear();
        } else {
            match entry(line, user_column) {
                Ok(entry) => {
                    let id = free_id(&name(&entry.command), &mut taken);
                    let comments = std::mem::take(&mut comments);
                    let found = Found { number, line, entry, comments, variables: &variables };
                    match found.workflow(id, options) {
                        Ok(workflow) => imported.workflows.push(workflow),
                        Err(refused) => imported.refused.push(refused),
                    }
                }
                Err((message, help)) => {
                    imported.refused.push(Refused { line: number, message, help });
                    comments.clear();
                }
            }
        }
    }
    imported
}

/// `NAME = value`, with quotes or without.
fn variable(line: &str) -> Option<Variable> {
    let (name, value) = line.split_once('=')?;
    let name = unquoted(name.trim());
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| (name.to_owned(), unquoted(value.trim()).to_owned()))
}

fn unquoted(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// A line with a time and a command.
struct Entry {
    time: String,
    user: Option<String>,
    command: String,
    /// Whether it begins with `-`, by which some crons log less.
    is_quiet: bool,
}

/// The words of a line up to the command, and that.
fn split(line: &str, words: usize) -> Option<(Vec<&str>, &str)> {
    let mut rest = line;
    let mut found = Vec::new();
    for _ in 0..words {
        let end = rest.find(char::is_whitespace)?;
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    (!rest.is_empty()).then_some((found, rest))
}

fn entry(line: &str, user_column: bool) -> Result<Entry, (String, String)> {
    let is_quiet = line.starts_with('-');
    let line = line.strip_prefix('-').unwrap_or(line);
    let times = if line.starts_with('@') { 1 } else { 5 };
    let Some((words, command)) = split(line, times + usize::from(user_column)) else {
        let needs =
            if user_column { "a time, a user and a command" } else { "a time and a command" };
        let message = format!("{} is no line of a crontab: it has {needs}", quote(line));
        let help = "five fields such as `30 2 * * *`, then the command; --user-column says whether \
                    a user stands between them";
        return Err((message, help.to_owned()));
    };
    let user = user_column.then(|| words[times].to_owned());
    Ok(Entry { time: words[..times].join(" "), user, command: command.to_owned(), is_quiet })
}

/// Whether each line has a word that looks like a user before its command, and one of them is one.
fn names_users(text: &str, is_user: &dyn Fn(&str) -> bool) -> bool {
    let mut has_known = false;
    let mut lines = 0;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') || variable(line).is_some() {
            continue;
        }
        let times = if line.starts_with('@') { 1 } else { 5 };
        let Some((words, _)) = split(line, times + 1) else { return false };
        let user = words[times];
        let looks_like_one = user.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !looks_like_one {
            return false;
        }
        has_known |= is_user(user);
        lines += 1;
    }
    lines > 0 && has_known
}

/// A line, and what precedes it.
struct Found<'c> {
    number: usize,
    line: &'c str,
    entry: Entry,
    comments: Vec<&'c str>,
    variables: &'c [Variable],
}

impl Found<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    fn refuse(&self, message: String, help: String) -> Refused {
        Refused { line: self.number, message, help }
    }

    fn workflow(&self, id: String, options: &Options<'_>) -> Result<ImportedWorkflow, Refused> {
        let time = &self.entry.time;
        if let Err(ExpressionError { message, help, .. }) =
            Expression::parse(time, Combination::Either)
        {
            return Err(self.refuse(message, help));
        }
        let zone_name = self.get("CRON_TZ").unwrap_or(options.zone);
        let Some(zone) = zone::named(zone_name) else {
            let message = format!("{} is no time zone", quote(zone_name));
            let help = "write an IANA name, such as `CRON_TZ=Europe/Berlin`".to_owned();
            return Err(self.refuse(message, help));
        };
        let mut notes = Vec::new();
        let run = self.run(&mut notes);
        let mut document = serde_json::Map::new();
        document.insert("id".to_owned(), json!(id));
        if !self.comments.is_empty() {
            document.insert("description".to_owned(), json!(self.comments.join(" ")));
        }
        let timezone = zone.iana_name().unwrap_or("UTC");
        document.insert("schedule".to_owned(), json!([{"cron": time, "timezone": timezone}]));
        // cron starts a command whether or not it still runs.
        document.insert("overlap".to_owned(), json!("allow"));
        let env = self.environment(&mut notes);
        if !env.is_empty() {
            document.insert("env".to_owned(), Value::Object(env));
        }
        if let Some(shell) = self.get("SHELL").filter(|shell| !["/bin/sh", "sh"].contains(shell)) {
            document.insert("shell".to_owned(), json!([shell, "-c"]));
        }
        document.insert("steps".to_owned(), json!([{"name": "run", "run": run}]));
        let mut text = format!("# Line {} of a crontab: {}\n", self.number, visible(self.line));
        for note in &notes {
            text += &format!("# Not carried over: {}\n", visible(note));
        }
        text += &yaml(&Value::Object(document));
        Ok(ImportedWorkflow { id, line: self.number, yaml: text, notes: notes.len() })
    }

    fn environment(&self, notes: &mut Vec<String>) -> serde_json::Map<String, Value> {
        let mut env = serde_json::Map::new();
        for (name, value) in self.variables {
            match name.as_str() {
                "SHELL" | "CRON_TZ" => {}
                "MAILTO" | "MAILFROM" => {
                    if name == "MAILTO" && !value.is_empty() {
                        notes.push(format!(
                            "cron mailed the output to {value}; wfx keeps it (`wfx show`), and steps \
                             of `on_failure` can send it"
                        ));
                    }
                }
                "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" | "CRON_WITHIN" | "RANDOM_DELAY" => {
                    notes.push(format!("{name}={value}, which cron reads itself"));
                }
                _ => _ = env.insert(name.clone(), json!(value)),
            }
        }
        if self.get("TZ").is_some() && self.get("CRON_TZ").is_none() {
            notes.push(
                "TZ is a variable of the command here, as in cron; some crons read times in it too: \
                 then write it as `timezone`"
                    .to_owned(),
            );
        }
        env
    }

    /// The command as a shell reads it: what follows an unescaped `%` is its standard input.
    fn run(&self, notes: &mut Vec<String>) -> String {
        if let Some(user) = &self.entry.user {
            notes.push(format!(
                "cron ran it as the user {user}; wfx runs it as the user of `wfx serve` or `wfx exec`"
            ));
        }
        if self.entry.is_quiet {
            notes.push("the `-` before the time, by which cron does not log it".to_owned());
        }
        notes.push(
            "cron ran it in the home folder of its user; set `cwd` if that matters".to_owned(),
        );
        let (command, input) = percent(&self.entry.command);
        let Some(input) = input else { return command };
        let lines: Vec<String> = input.split('\n').map(shell_quoted).collect();
        format!("printf '%s\\n' {} | {{ {command}\n}}", lines.join(" "))
    }
}

/// A command without its escapes of `%`, and its standard input if it has some.
fn percent(text: &str) -> (String, Option<String>) {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'%') => {
                characters.next();
                if let Some(part) = parts.last_mut() {
                    part.push('%');
                }
            }
            '%' => parts.push(String::new()),
            other => {
                if let Some(part) = parts.last_mut() {
                    part.push(other);
                }
            }
        }
    }
    // The last line has an end anyway.
    if parts.len() > 2 && parts.last().is_some_and(String::is_empty) {
        parts.pop();
    }
    let input = (parts.len() > 1).then(|| parts.split_off(1).join("\n"));
    (parts.remove(0).trim_end().to_owned(), input)
}

fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A name for a command: of its program, and of what that is asked for.
fn name(command: &str) -> String {
    let command = percent(command).0;
    let mut segments = command.split(['&', ';', '|', '(', ')', '{', '}']).map(str::trim);
    let segment = segments.find(|segment| {
        let first = segment.split_whitespace().find(|word| !word.contains('='));
        first.is_some_and(|first| !PREPARATIONS.contains(&first))
    });
    let words: Vec<&str> = segment.unwrap_or_default().split_whitespace().collect();
    let base = |word: &str| -> String {
        let word = word.trim_matches(['"', '\'', '`', '/']);
        let word = word.rsplit('/').next().unwrap_or(word);
        let stem = [".sh", ".bash", ".py", ".pl", ".php", ".rb", ".js", ".jar"];
        let stem = stem.iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
        let plain = stem
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' });
        let plain: String = plain.collect();
        plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    };
    let is_program = |word: &&&str| {
        let program = base(word);
        let is_argument = word.starts_with(['-', '$', '<', '>']) || word.contains('=');
        let is_number = program.chars().all(|c| c.is_ascii_digit());
        let is_lock =
            word.contains(".lock") || word.starts_with("/tmp/") || word.starts_with("/run/");
        !is_argument && !is_number && !is_lock && !WRAPPERS.contains(&program.as_str())
    };
    let Some(at) = words.iter().position(|word| is_program(&word)) else {
        return "job".to_owned();
    };
    let mut name = base(words[at]);
    // `certbot renew`, `run-parts /etc/cron.daily`: what it does.
    let argument = words[at + 1..].iter().find(|word| !word.starts_with('-'));
    if let Some(argument) = argument
        && words[at].rsplit('/').next().is_some_and(|program| !program.contains('.'))
        && argument
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | ':'))
    {
        let argument = base(argument);
        if !argument.is_empty() {
            name = format!("{name}-{argument}");
        }
    }
    let cut: String = name.chars().take(NAME_MAX).collect();
    let cut = cut.trim_matches('-');
    if cut.is_empty() { "job".to_owned() } else { cut.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::check::{self, Format, Source};
    use super::*;

    fn imported(text: &str) -> Imported {
        let is_user = |name: &str| ["root", "www-data"].contains(&name);
        let imported =
            import(text, &Options { user_column: None, zone: "Europe/Berlin", is_user: &is_user });
        for workflow in &imported.workflows {
            let source =
                Source { name: "w", text: &workflow.yaml, format: Format::Yaml, default_id: None };
            let definition = check::read(&source);
            assert!(definition.is_ok(), "{}\n{definition:?}", workflow.yaml);
        }
        imported
    }

    fn only(text: &str) -> String {
        let mut imported = imported(text);
        assert_eq!((imported.workflows.len(), imported.refused.len()), (1, 0), "{imported:?}");
        imported.workflows.remove(0).yaml
    }

    #[test]
    fn a_line_becomes_a_workflow_with_its_zone() {
        let yaml = only("# nightly\n30 2 * * *\t/opt/backup.sh --full >/dev/null 2>&1\n");
        for part in [
            "id: backup\n",
            "description: nightly\n",
            "cron: \"30 2 * * *\"",
            "timezone: Europe/Berlin\n",
            "overlap: allow\n",
            "run: \"/opt/backup.sh --full >/dev/null 2>&1\"\n",
        ] {
            assert!(yaml.contains(part), "{part}\n{yaml}");
        }
        let tokyo = only("CRON_TZ = \"Asia/Tokyo\"\n@daily true\n");
        assert!(tokyo.contains("timezone: Asia/Tokyo\n") && !tokyo.contains("env:"), "{tokyo}");
    }

    #[test]
    fn variables_hold_for_the_lines_after_them() {
        let all = imported(
            "0 1 * * * a\nPATH=/opt/bin:/bin\nMAILTO=ops@example.org\nSHELL=/bin/bash\n0 1 * * * b\n",
        );
        assert!(!all.workflows[0].yaml.contains("PATH"));
        let second = &all.workflows[1].yaml;
        assert!(second.contains("PATH: \"/opt/bin:/bin\"\n"), "{second}");
        assert!(second.contains("# Not carried over: cron mailed the output to ops@example.org"));
        assert!(second.contains("/bin/bash"), "{second}");
        assert!(!second.contains("MAILTO:"), "{second}");
    }

    #[test]
    fn percent_signs_are_standard_input_unless_escaped() {
        let yaml = only("0 1 * * * date +\\%F\n");
        assert!(yaml.contains("run: \"date +%F\"\n"), "{yaml}");
        assert_eq!(percent("cat%it's%two").1.as_deref(), Some("it's\ntwo"));
        assert_eq!(percent("cat%one%").1.as_deref(), Some("one"));
        assert_eq!(percent("cat%").1.as_deref(), Some(""));
        let yaml = only("0 1 * * * cat; true%it's%two\n");
        assert!(yaml.contains(r"printf '%s\n' 'it'\''s' 'two' | { cat; true"), "{yaml}");
    }

    #[test]
    fn users_are_found_by_how_the_lines_look() {
        let system = imported(
            "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n0 3 * * 1 deploy /srv/x\n",
        );
        assert!(system.user_column);
        assert_eq!(system.workflows[0].id, "run-parts-cron-hourly");
        assert!(system.workflows[1].yaml.contains("as the user deploy"));
        assert!(system.workflows[1].yaml.contains("run: \"/srv/x\"\n"));
        // A command that has the name of a user, and others that are none.
        assert!(!imported("0 1 * * * root\n").user_column);
        assert!(!imported("0 1 * * * root x\n0 1 * * * /bin/y z\n").user_column);
    }

    #[test]
    fn names_come_from_the_command_and_are_unique() {
        for (command, expected) in [
            ("/usr/bin/certbot -q renew", "certbot-renew"),
            ("cd /srv && ./manage.py clearsessions", "manage"),
            ("flock -n /tmp/x.lock /opt/sync.sh", "sync"),
            (
                "test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )",
                "run-parts-cron-daily",
            ),
            ("FOO=1 nice -n 10 /usr/bin/rsync -a /a /b", "rsync-a"),
            ("[ -d /x ] && find /x -mtime +7 -delete", "find-x"),
            ("$HOME/x", "job"),
            ("sudo -u www-data php /var/www/cron.php", "www-data-php"),
        ] {
            assert_eq!(name(command), expected, "{command}");
        }
        let ids: Vec<String> =
            imported("0 1 * * * /a/x.sh\n0 2 * * * /b/x.sh\n0 3 * * * executions\n")
                .workflows
                .into_iter()
                .map(|it| it.id)
                .collect();
        assert_eq!(ids, ["x", "x-2", "executions-2"]);
    }

    #[test]
    fn what_cannot_be_a_schedule_is_refused_with_the_way_out() {
        let all =
            imported("@reboot /opt/x\n0 25 * * * y\nfive fields\nCRON_TZ=Mars/Base\n@daily z\n");
        let refused: Vec<(usize, &str)> =
            all.refused.iter().map(|it| (it.line, it.message.as_str())).collect();
        assert_eq!(refused.len(), 4, "{refused:?}");
        assert!(all.refused[0].help.contains("systemd"), "{:?}", all.refused[0]);
        assert!(all.refused[1].message.contains("from 0 to 23"));
        assert!(all.refused[2].message.contains("no line of a crontab"));
        assert!(all.refused[3].message.contains("`Mars/Base`"));
        assert!(all.workflows.is_empty());
    }

    proptest::proptest! {
        #[test]
        fn every_line_is_a_valid_document_or_refused(line in "[ -~]{0,60}", user in proptest::bool::ANY) {
            let text = format!("5 4 * * * {}{line}\n", if user { "root " } else { "" });
            let all = imported(&text);
            proptest::prop_assert_eq!(all.workflows.len() + all.refused.len(), 1);
        }
    }
}
