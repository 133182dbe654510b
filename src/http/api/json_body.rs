//! Bodies of requests as strict JSON, which may nest only so deep.

use serde::de::DeserializeOwned;

use crate::http::exchange::problem::Problem;

/// The most lists and objects in each other.
pub(crate) const DEPTH_MAX: usize = 64;

/// Reads a body as strict JSON.
///
/// # Errors
/// 400 with the line and the column for what is no JSON, nests too deep, or is no `T`.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| Problem::of_json(&error))
}

/// Refuses JSON that nests deeper than [`DEPTH_MAX`], before it is read.
///
/// # Errors
/// 400 with the line and the column.
pub(crate) fn check_depth(body: &[u8]) -> Result<(), Problem> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut is_escaped = false;
    for (at, &byte) in body.iter().enumerate() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            let (line, column) = place(body, at);
            return Err(Problem::bad_request(format!(
                "the body nests deeper than {DEPTH_MAX} at line {line} column {column}"
            )));
        }
    }
    Ok(())
}

/// Line and column of a byte, both from 1.
fn place(body: &[u8], at: usize) -> (usize, usize) {
    let before = &body[..at];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line, at - start + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn json_nests_so_deep_and_no_deeper() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        parse::<Value>(nested(64).as_bytes()).unwrap();
        let told = parse::<Value>(format!("\n {}", nested(65)).as_bytes()).unwrap_err();
        assert_eq!(told.status(), 400);
        assert!(told.detail().contains("line 2 column 66"), "{}", told.detail());
        // A million brackets are refused before anything recurses.
        parse::<Value>("[".repeat(1 << 20).as_bytes()).unwrap_err();
        let many = format!("[{}[]]", "[],".repeat(1000));
        parse::<Value>(many.as_bytes()).unwrap();
        for text in [r#""[[[[\"[[""#, r#"{"\\": "[\\\"["}"#] {
            parse::<Value>(text.replace('[', &"[".repeat(100)).as_bytes()).unwrap();
        }
        let after = format!(r#"["\\", {}]"#, nested(64));
        parse::<Value>(after.as_bytes()).unwrap_err();
    }

    #[test]
    fn what_is_no_strict_json_is_refused_with_its_place() {
        for text in [
            &b""[..],
            b"{",
            b"{}}",
            b"{} {}",
            b"{'a': 1}",
            b"{\"a\": 1,}",
            b"[1,]",
            b"// x\n{}",
            b"NaN",
            b"01",
            b"\xef\xbb\xbf{}",
            b"\"\xff\"",
            b"\"\x01\"",
            b"]]]]",
        ] {
            let told = parse::<Value>(text).unwrap_err();
            assert_eq!(told.status(), 400, "{text:?}");
            assert!(told.detail().contains("line 1 column"), "{text:?} {}", told.detail());
        }
    }
}
