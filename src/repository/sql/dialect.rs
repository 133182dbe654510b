//! The queries are written as SQLite reads them; how they are written for PostgreSQL.

/// What SQLite needs to be told of an index, and PostgreSQL does not read.
const HINT: &str = " INDEXED BY ";

/// The text of a query for PostgreSQL: parameters as `$1`, no names of indexes, and `IS` between
/// values, which NULL equals itself by, in the words of the standard.
pub(crate) fn for_postgres(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    let mut rest = sql;
    let mut numbered = 0_usize;
    while let Some(next) = rest.chars().next() {
        if next == '\'' {
            let end = rest[1..].find('\'').map_or(rest.len(), |at| at + 2);
            text.push_str(&rest[..end]);
            rest = &rest[end..];
        } else if let Some(after) = without_hint(rest) {
            rest = after;
        } else if let Some(after) = rest.strip_prefix('?') {
            let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = after[..digits].parse().unwrap_or(numbered + 1);
            numbered = numbered.max(number);
            text.push('$');
            text.push_str(&number.to_string());
            rest = &after[digits..];
        } else if let Some(after) = between_values(rest, " IS NOT ") {
            text.push_str(" IS DISTINCT FROM ");
            rest = after;
        } else if let Some(after) = between_values(rest, " IS ") {
            text.push_str(" IS NOT DISTINCT FROM ");
            rest = after;
        } else {
            text.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    text
}

/// What follows the name of an index, with any space before it.
fn without_hint(rest: &str) -> Option<&str> {
    let trimmed = rest.trim_start();
    if trimmed.len() == rest.len() {
        return None;
    }
    let name = trimmed.strip_prefix(HINT.trim_start())?;
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    Some(&name[end..])
}

/// What follows the operator, where a value follows and not a word of the grammar.
fn between_values<'t>(rest: &'t str, operator: &str) -> Option<&'t str> {
    let after = rest.strip_prefix(operator)?;
    let is_word = ["NULL", "NOT ", "DISTINCT "].iter().any(|word| after.starts_with(word));
    (!is_word).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::for_postgres;

    #[test]
    fn parameters_hints_and_equality_are_translated_and_nothing_else() {
        let cases = [
            ("SELECT 1", "SELECT 1"),
            (
                "a = ?1 AND b IS ?2 AND c IS NULL",
                "a = $1 AND b IS NOT DISTINCT FROM $2 AND c IS NULL",
            ),
            ("a IS NOT ?1 AND b IS NOT NULL", "a IS DISTINCT FROM $1 AND b IS NOT NULL"),
            ("a = ? AND b = ? LIMIT ?", "a = $1 AND b = $2 LIMIT $3"),
            ("FROM t\n     INDEXED BY t_by_a\n WHERE x", "FROM t\n WHERE x"),
            ("FROM t INDEXED BY t_by_a WHERE x", "FROM t WHERE x"),
            ("a = '?1 IS ?' AND b = ?12", "a = '?1 IS ?' AND b = $12"),
            ("a IS b.c", "a IS NOT DISTINCT FROM b.c"),
        ];
        for (sqlite, postgres) in cases {
            assert_eq!(for_postgres(sqlite), postgres);
        }
    }
}
