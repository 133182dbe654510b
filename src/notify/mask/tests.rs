use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

fn mask(values: &[&str]) -> Mask {
    let mut mask = Mask::default();
    values.iter().for_each(|value| mask.add(value));
    mask
}

#[test]
fn names_of_secrets_are_known() {
    for name in [
        "WFX_TOKEN",
        "api_token",
        "DB_PASSWORD",
        "db_passwd_2",
        "SECRET_KEY_BASE",
        "AWS_ACCESS_KEY",
        "apikey",
        "GOOGLE_CREDENTIALS",
        "Passphrase",
        "GithubToken",
    ] {
        assert!(is_secret_name(name), "{name}");
    }
    for name in ["HOME", "KEYBOARD", "PASS", "USER", "KEY_ID", ""] {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn short_values_are_left() {
    assert_eq!(mask(&["12345", "", "a\nb", "1 2 3 4"]).apply("12345 a b"), "12345 a b");
    assert_eq!(mask(&["123456"]).apply("12345 123456"), "12345 ***");
    assert_eq!(mask(&["secret"]).apply("nothing here"), "nothing here");
}

#[test]
fn lines_of_a_secret_are_masked_alone() {
    let mask = mask(&["-----BEGIN-----\nabcdefgh\nijklmnop\n"]);
    assert_eq!(mask.apply("abcdefgh"), MASKED);
    assert_eq!(mask.apply("-----BEGIN----- abcdefgh ijklmnop"), MASKED);
    assert_eq!(mask.apply("x -----BEGIN-----\r\nabcdefgh\r\nijklmnop y"), "x *** y");
    assert_eq!(mask.apply("-----BEGIN-----\\nabcdefgh\\nijklmnop"), MASKED);
    let written = super::tests::mask(&["-----BEGIN-----\\nabcdefgh\\nijklmnop"]);
    assert_eq!(written.apply("x\nabcdefgh\ny -----BEGIN-----\\nabcdefgh\\nij"), "x\n***\ny ***");
}

#[test]
fn blanks_and_control_characters_do_not_count() {
    let mask = mask(&["correct horse\u{7}staple"]);
    for text in
        ["correct horse\u{7}staple", "correct  horse staple", "correct hor\nsesta\u{200b}ple"]
    {
        assert_eq!(mask.apply(&format!("a {text} b")), "a *** b", "{text}");
    }
}

#[test]
fn what_a_cut_leaves_of_a_secret_is_masked() {
    let mask = mask(&["correct-hörse"]);
    let cut = |text: &str| replaced(text, 0, &mask.ranges(text, true));
    assert_eq!(cut("hörse and more"), "*** and more");
    assert_eq!(mask.apply("and more corre"), "and more ***");
    assert_eq!(mask.apply("hörse and more"), "hörse and more");
    for (text, masked) in [
        ("line 1: \"corre…\" is bad", "line 1: \"***…\" is bad"),
        ("it is corre... and …örse", "it is ***... and …***"),
        ("it is …6rse and cor…", "it is …6rse and cor…"),
        // In the middle of an escape, or of a character.
        ("it is correct-h%C3", "it is ***"),
        ("it is correct-h%C… x", "it is ***… x"),
        ("it is correct%2", "it is ***"),
        ("it is correct-h\\u00", "it is ***"),
        ("it is correct-h\\u0…", "it is ***…"),
        ("it is correct\\x", "it is ***"),
        ("it is correct&#x2", "it is ***"),
        ("it is correct-h\u{fffd}", "it is ***"),
        ("it is …C3%B6rse x", "it is …*** x"),
    ] {
        assert_eq!(mask.apply(text), masked, "{text}");
    }
    let encoded = STANDARD.encode("user:correct-hörse");
    for end in STANDARD.encode("user:corr").len()..encoded.len() {
        let masked = mask.apply(&format!("Basic {}", &encoded[..end]));
        assert!(masked.len() < "Basic dXNlcjp***.".len(), "{masked}");
    }
}

#[test]
fn passwords_of_urls_are_masked_in_every_encoding() {
    let none = Mask::default();
    for (text, masked) in [
        ("postgres://u:p@ss@host/db", "postgres://u:***@host/db"),
        (r#"{"u":"redis:\/\/:pw\/x@h"}"#, r#"{"u":"redis:\/\/:***@h"}"#),
        ("to=redis%3A%2F%2F%3Apw%40h", "to=redis%3A%2F%2F%3A***%40h"),
        ("to http://h:80/path?mail=a@b", "to http://h:80/path?mail=a@b"),
    ] {
        assert_eq!(none.apply(text), masked);
    }
    let mut own = Mask::default();
    own.add_url("https://hooks.example.com/services/T0/abcdef?x=1");
    own.add_url("https://user:p%40ssword@example.com/");
    assert_eq!(own.apply("POST /services/T0/abcdef?x=1 401"), "POST *** 401");
    assert_eq!(own.apply("p@ssword p%40ssword /"), "*** *** /");
}

#[test]
fn as_much_is_hidden_after_a_cut_as_a_line_takes() {
    let lines = ["x".repeat(64), "y".repeat(100)].join("\n").repeat(50);
    assert_eq!(mask(&["short-secret"]).lead(), LEAD_MIN);
    assert_eq!(mask(&[&lines, "short-secret"]).lead(), 164 * ENCODED_MAX);
    assert_eq!(mask(&[&lines.replace('\n', "\\n")]).lead(), 164 * ENCODED_MAX);
    assert_eq!(mask(&[&"x".repeat(4_000)]).lead(), 4_000 * ENCODED_MAX);
}

#[test]
fn too_many_secrets_are_known_to_be_too_many() {
    let mut many = Mask::default();
    (0..20_000).for_each(|n| many.add(&format!("secret-{n}")));
    let mut long = Mask::default();
    long.add(&"x1".repeat(1 << 20));
    assert!(many.is_too_long() && long.is_too_long() && !mask(&["secret"]).is_too_long());
    assert!(many.secrets.len() < 2 * SECRETS_MAX);
}

/// Secrets that overlap with themselves and with one another take no longer than others.
#[test]
fn a_search_takes_as_long_as_its_text() {
    let mut alike = Mask::default();
    (6..600).for_each(|length| alike.add(&"a".repeat(length)));
    assert_eq!(alike.apply(&"a".repeat(16 * 1024)), MASKED);
    let dots = "...".repeat(5_000);
    assert_eq!(mask(&[&".".repeat(9_000)]).apply(&dots), MASKED);
}

fn escaped(text: &str, is_kept: fn(char) -> bool, escape: fn(char) -> String) -> String {
    text.chars().map(|c| if is_kept(c) { c.to_string() } else { escape(c) }).collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// As `json.dumps` of Python.
fn json_of_python(text: &str) -> String {
    let units = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    escaped(&json(text), |c| c.is_ascii(), units)
}

/// What a browser escapes in a path, or less.
const FEW: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'"');

fn bytes_as(text: &str, write: fn(u8) -> String) -> String {
    text.bytes().map(write).collect()
}

fn percent(text: &str, escaped: &'static AsciiSet) -> String {
    utf8_percent_encode(text, escaped).to_string()
}

type Encode = fn(&str) -> String;

/// Encoders that write one character after another.
const ENCODERS: [(&str, Encode); 26] = [
    ("none", |text| text.to_owned()),
    ("JSON", json),
    ("JSON of Python", json_of_python),
    ("JSON of PHP", |text| json_of_python(text).replace('/', "\\/")),
    ("JSON of Go", |text| {
        let unicode = |c| format!("\\u{:04x}", u32::from(c));
        escaped(&json(text), |c| !"<>&".contains(c), unicode)
    }),
    ("JSON in JSON", |text| json(&json(text))),
    ("all as \\u", |text| {
        escaped(text, |c| c > '\u{ffff}', |c| format!("\\u{:04X}", u32::from(c)))
    }),
    ("Rust", |text| text.escape_unicode().to_string()),
    ("C", |text| bytes_as(text, |byte| format!("\\x{byte:02x}"))),
    ("Python", |text| {
        escaped(
            text,
            |c| c.is_ascii() && !"\\'".contains(c),
            |c| match u32::from(c) {
                ..0x80 => format!("\\{c}"),
                number @ ..0x100 => format!("\\x{number:02x}"),
                number @ ..0x10000 => format!("\\u{number:04x}"),
                number => format!("\\U{number:08x}"),
            },
        )
    }),
    ("JavaScript", |text| {
        escaped(
            text,
            |c| c.is_alphanumeric() && c.is_ascii(),
            |c| match u32::from(c) {
                number @ ..0x100 => format!("%{number:02X}"),
                _ => {
                    c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("%u{unit:04X}")).collect()
                }
            },
        )
    }),
    ("octal", |text| bytes_as(text, |byte| format!("\\{byte:03o}"))),
    ("shell", |text| escaped(text, |c| c.is_alphanumeric() || c > '~', |c| format!("\\{c}"))),
    ("set -x", |text| text.replace('\'', "'\\''")),
    ("shlex", |text| text.replace('\'', "'\"'\"'")),
    ("SQL", |text| text.replace('\'', "''")),
    ("CSV", |text| text.replace('"', "\"\"")),
    ("percent", |text| percent(text, NON_ALPHANUMERIC)),
    ("percent, few", |text| percent(text, FEW)),
    ("percent, lower", |text| bytes_as(text, |byte| format!("%{byte:02x}"))),
    ("form", |text| percent(text, NON_ALPHANUMERIC).replace("%20", "+")),
    ("percent twice", |text| percent(&percent(text, NON_ALPHANUMERIC), NON_ALPHANUMERIC)),
    ("HTML", |text| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&#34;").replace('\'', "&#39;")
    }),
    ("HTML, all", |text| {
        escaped(text, char::is_alphanumeric, |c| format!("&#x{:X};", u32::from(c)))
    }),
    ("JSON in a URL", |text| percent(&json(text), NON_ALPHANUMERIC)),
    ("URL in JSON", |text| json(&percent(text, FEW)).replace('%', "\\u0025")),
];

fn wrapped(text: &str, columns: usize, end: &str) -> String {
    let lines: Vec<&str> =
        text.as_bytes().chunks(columns).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join(end)
}

/// Bytes that count.
fn packed(text: &str) -> usize {
    text.chars().filter(|c| !is_blank(*c)).map(char::len_utf8).sum()
}

fn secrets() -> impl Strategy<Value = String> {
    let secrets = "[ -~]{6,20}|[!-~üß€😀 \n]{6,20}|[a-z%&'\"/\\\\+<]{6,12}";
    let counts =
        |text: &String| text.trim().chars().filter(|c| !is_blank(*c)).count() >= LENGTH_MIN;
    secrets.prop_map(|text| text.trim().to_owned()).prop_filter("long enough", counts)
}

proptest! {
    #[test]
    fn no_secret_is_left_whatever_wrote_it(
        secret in secrets(), encoder in 0..ENCODERS.len(),
        before in "[a-d]{0,3}[=:] ?", after in "[ ,;][f-h]{0,9}",
    ) {
        let (name, encode) = ENCODERS[encoder];
        let mask = mask(&[&secret]);
        let masked = mask.apply(&format!("{before}{}{after}", encode(&secret)));
        prop_assert_eq!(masked, format!("{before}***{after}"), "{} {:?}", name, encode(&secret));
    }

    /// Of a secret that is cut no 4 bytes are left, and nothing of an escape.
    #[test]
    fn no_part_of_a_secret_is_left_before_a_cut(
        secret in secrets(), encoder in 0..ENCODERS.len(), cut in 0..200_usize, is_ellipsis: bool,
    ) {
        let (name, encode) = ENCODERS[encoder];
        let encoded = encode(&secret);
        let cut = (0..=cut % (encoded.len() + 1)).rev().find(|at| encoded.is_char_boundary(*at));
        let kept = &encoded[..cut.unwrap()];
        // What of the secret is there as a whole.
        let mut ends = secret.char_indices().map(|(at, c)| at + c.len_utf8());
        let whole = ends.rfind(|end| kept.starts_with(&encode(&secret[..*end])));
        let left = whole.map_or("", |end| &secret[..end]);
        let end = if is_ellipsis { "…" } else { "" };
        let masked = mask(&[&secret]).apply(&format!("key= {kept}{end}"));
        if packed(left) >= 4 && left.trim_end() == left {
            prop_assert_eq!(masked, format!("key= ***{end}"), "{} {:?}", name, kept);
        }
    }

    #[test]
    fn no_secret_is_left_in_base64_and_hexadecimal(
        secret in secrets(), before in "[ -~]{0,9}", after in "[ -~]{0,9}", kind in 0..9_usize,
        columns in 1..80_usize,
    ) {
        let text = format!("{before}{secret}{after}");
        let hex = |text: &str, end: &'static str| -> String {
            text.bytes().map(|byte| format!("{byte:02x}{end}")).collect()
        };
        let base64 = STANDARD.encode(&text);
        let encoded = match kind {
            0 => base64,
            1 => URL_SAFE_NO_PAD.encode(&text),
            2 => wrapped(&base64, columns, "\n"),
            3 => wrapped(&base64, columns, "\\n"),
            4 => wrapped(&base64, columns, "\" +\n  \""),
            5 => percent(&base64, NON_ALPHANUMERIC),
            6 => hex(&text, ""),
            7 => hex(&text, ":").to_ascii_uppercase(),
            _ => wrapped(&hex(&text, ""), 60, "\n"),
        };
        let masked = mask(&[&secret]).apply(&format!("Basic {encoded}"));
        prop_assert!(masked.contains(MASKED), "{} {}", encoded, masked);
        // What is left is of what stands around it, and a bit of the secret at most.
        let (shown_before, shown_after) = masked.split_once(MASKED).unwrap();
        let shown = shown_before.len() - "Basic ".len().min(shown_before.len());
        let length = |text: &str| match kind {
            0..=5 => text.len() * 4 / 3 + 2,
            7 => text.len() * 3 + 1,
            _ => text.len() * 2,
        };
        let ends = |text: &str| match kind {
            2..=4 => length(text) * (1 + 6_usize.div_ceil(columns) * 6) + 6,
            5 => length(text) * 3,
            _ => length(text) + 3,
        };
        prop_assert!(shown <= ends(&before), "{encoded} {masked}");
        prop_assert!(shown_after.len() <= ends(&after) + 3, "{encoded} {masked}");
    }

    /// As tokens and configurations have it.
    #[test]
    fn no_secret_is_left_in_json_in_base64(secret in secrets()) {
        let json = format!("{{\"auth\":\"{}\"}}", json(&secret));
        for encoded in [STANDARD.encode(&json), URL_SAFE_NO_PAD.encode(&json)] {
            let masked = mask(&[&secret]).apply(&format!("token: {encoded}"));
            prop_assert!(masked.starts_with("token: ") && masked.contains(MASKED), "{masked}");
        }
        let utf16: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        if secret.is_ascii() {
            let masked = mask(&[&secret]).apply(&format!("-enc {}", STANDARD.encode(utf16)));
            prop_assert!(masked.starts_with("-enc ***"), "{masked}");
        }
    }

    #[test]
    fn any_text_is_masked_at_characters(text in "\\PC{0,30}", secret in "\\PC{6,12}") {
        let mask = mask(&[&secret]);
        let _ = replaced(&text, 0, &mask.ranges(&text, true));
    }

    #[test]
    fn any_bytes_of_escapes_are_read(text in "[\\\\u%xd80&#;'\"+ …0-9a-f.]{0,40}") {
        let masked = mask(&["d8ad80"]).apply(&text);
        prop_assert!(!masked.contains("d8ad80"));
    }
}
